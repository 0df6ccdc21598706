"""Stripe's summaries of meter events: GET /v1/billing/meters/{id}/event_summaries.

Without a grouping window, the answer is one summary of the whole range, even if it is 0. With a grouping window, only
windows with usage are listed. Events younger than the summaries' lag are left out.
"""

import hashlib
from typing import Literal

from local.stripe.endpoint import Call, Endpoint
from local.stripe.errors import Json, StripeError, no_such
from local.stripe.events import WINDOW_SECONDS, SummaryQuery
from local.stripe.kinds import CUSTOMER, METER
from local.stripe.objects import Page, as_list
from local.stripe.parameters import Text, UnixTime

_MINUTE = 60


class SummaryList(Page):
    """The customer and the range of time: from `start_time` to before `end_time` (Unix seconds)."""

    customer: Text
    start_time: UnixTime
    end_time: UnixTime
    value_grouping_window: Literal["hour", "day"] | None = None


def list_all(call: Call, params: SummaryList) -> Json:
    """A page of summaries, newest first."""
    meter = call.objects.at_path(METER, call.path["id"])
    if call.objects.find(CUSTOMER, params.customer) is None:
        raise no_such("customer", params.customer, param="customer")
    window = _window(params)
    usage = call.events.aggregate(
        SummaryQuery(
            meter=meter["id"],
            customer=params.customer,
            start=params.start_time,
            end=params.end_time,
            window=window,
            formula=meter["default_aggregation"]["formula"],
            event_time_window=meter["event_time_window"],
            shown=call.shown,
        )
    )
    if params.value_grouping_window is None and not usage:
        usage = [(params.start_time, 0)]
    summaries = [_summary(meter, params.customer, start, start + window, value) for start, value in usage]
    return _page(summaries, params, f"/v1/billing/meters/{meter['id']}/event_summaries")


def _window(params: SummaryList) -> int:
    """Returns the length of the windows in seconds.

    Raises:
        StripeError: 400 if the range is empty, or not aligned with the windows (without windows: with minutes).
    """
    grouping = params.value_grouping_window
    step = _MINUTE if grouping is None else WINDOW_SECONDS[grouping]
    for param, moment in (("start_time", params.start_time), ("end_time", params.end_time)):
        if moment % step:
            message = f"`{param}` must be aligned with {grouping or 'minute'} boundaries."
            raise StripeError(message, param=param)
    if params.start_time >= params.end_time:
        raise StripeError("`start_time` must be before `end_time`.", param="start_time")
    return params.end_time - params.start_time if grouping is None else step


def _summary(meter: Json, customer: str, start: int, end: int, value: int) -> Json:
    digest = hashlib.sha256(f"{meter['id']} {customer} {start} {end}".encode()).hexdigest()
    return {
        "id": f"mtrusg_{'' if meter['livemode'] else 'test_'}{digest[:32]}",
        "object": "billing.meter_event_summary",
        "aggregated_value": float(value),  # as in Stripe's answer: exact up to 2**53
        "end_time": end,
        "livemode": meter["livemode"],
        "meter": meter["id"],
        "start_time": start,
    }


def _page(summaries: list[Json], params: SummaryList, url: str) -> Json:
    ids = [summary["id"] for summary in summaries]
    if params.ending_before is not None:
        end = _index(ids, params.ending_before, "ending_before")
        start = max(0, end - params.limit)
        return as_list(summaries[start:end], url, has_more=start > 0)
    start = 0 if params.starting_after is None else _index(ids, params.starting_after, "starting_after") + 1
    end = start + params.limit
    return as_list(summaries[start:end], url, has_more=end < len(summaries))


def _index(ids: list[str], cursor: str, param: str) -> int:
    if cursor not in ids:
        raise no_such("billing meter event summary", cursor, param=param)
    return ids.index(cursor)


ENDPOINTS = (Endpoint("GET", "/v1/billing/meters/{id}/event_summaries", SummaryList, list_all),)
