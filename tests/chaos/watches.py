"""Watches: readers of totals, which must never shrink, and a check that Stripe gets one call at a time per lane."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from threading import Event, Thread
from typing import Any

import requests

from tests.chaos.story import Story

READ_SECONDS = 15.0
READ_PAUSE_SECONDS = 0.15
CHECK_PAUSE_SECONDS = 0.5
CHECK_SECONDS = 1.0
LATENCY_SECONDS = 0.01  # of Stripe's answers: without any, two calls are never at once


class Watch(ABC):
    """Looks again and again, in a thread of its own, while the `with` lasts; `wrong` is what must not be."""

    def __init__(self, pause_seconds: float) -> None:
        self.wrong: list[str] = []
        self._pause_seconds = pause_seconds
        self._stop = Event()
        self._thread = Thread(target=self._run)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._stop.wait(self._pause_seconds):
                self.look()
        except Exception as error:
            self.wrong.append(f"{type(self).__name__} ended: {error!r}")
            raise

    @abstractmethod
    def look(self) -> None:
        """Looks once."""


class TotalsWatch(Watch):
    """Reads totals through the API, one account after another."""

    def __init__(self, api_url: str, keys: Mapping[str, str], story: Story) -> None:
        super().__init__(READ_PAUSE_SECONDS)
        self._url = f"{api_url}/api/billing/usage"
        self._keys = keys
        self._story = story
        self._highest: dict[tuple[str, str], int] = {}
        self._session = requests.Session()

    def look(self) -> None:
        """One look at every account."""
        for account, key in self._keys.items():
            if not self._stop.is_set():
                self._read(account, key)

    def _read(self, account: str, key: str) -> None:
        headers = {"Authorization": f"Bearer {key}", "X-Request-Id": account}
        try:
            answer = self._session.get(self._url, headers=headers, timeout=READ_SECONDS)
        except requests.RequestException as error:
            self._story.count(f"reads: {type(error).__name__}")
            return
        self._story.count(f"reads: {answer.status_code}")
        if answer.status_code == 200:
            self._compare(account, {line["meter"]: line["total"] for line in answer.json()["usage"]})
        elif answer.status_code != 503:
            self._say(f"{account} was answered with {answer.status_code}: {answer.text}")

    def _compare(self, account: str, totals: Mapping[str, int]) -> None:
        for meter, total in totals.items():
            place = (account, meter)
            if total < self._highest.get(place, 0):
                self._say(f"{account} {meter} was {self._highest[place]}, and shrank to {total}")
            self._highest[place] = max(total, self._highest.get(place, 0))

    def _say(self, what: str) -> None:
        self._story.tell(f"WRONG: {what}")
        self.wrong.append(what)


class StripeWatch(Watch):
    """Sees to it that the double is slow enough for calls to meet, and notes when two of a lane did."""

    def __init__(self, stripe_base: str, story: Story, excused: Callable[[float], bool]) -> None:
        super().__init__(CHECK_PAUSE_SECONDS)
        self._double = f"{stripe_base}/_double"
        self._story = story
        self._excused = excused
        self._most: dict[str, int] = {}

    def look(self) -> None:
        """One look; a double that is down or frozen is looked at again later."""
        try:
            requests.post(f"{self._double}/latency", json={"seconds": LATENCY_SECONDS}, timeout=CHECK_SECONDS)
            found: dict[str, Any] = requests.get(f"{self._double}/checks?limit=0", timeout=CHECK_SECONDS).json()
        except requests.RequestException:
            return
        lanes = found["concurrency"]["lanes"]
        grown = {lane: most for lane, most in lanes.items() if most > self._most.get(lane, 1)}
        self._most = lanes  # forgotten by a double that was started again
        if not grown:
            return
        excused = self._excused(self._story.now())
        self._story.count("calls at once, explained" if excused else "calls at once, NOT explained")
        self._story.tell(f"  several calls at once for {grown}" + ("; that is explained" if excused else ""))
        if not excused:
            self.wrong.append(f"several calls at once for {grown}")
