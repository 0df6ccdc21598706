"""Garbage collection for processes that make many objects, nearly all of which go by themselves."""

import gc

# A batch of 10,000 events is several times as many objects, and hundreds of rows are on their way to Stripe at once: to
# look for cycles at every 700 of them, as Python does, walks all the others again and finds none.
YOUNG_OBJECTS = 100_000


def collect_seldom() -> None:
    """Once a process is wired: what is there stays for good, and no collection walks it again."""
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)
