"""The one list of what can keep usage from being counted, shown or billed.

`billing status`, `/metrics`, `/healthz` and the table in docs/operating/troubles.md are all made from it.
"""
