"""Closes report windows, and delivers the reports to the webhook's receiver until it accepts them.

The courier works while there are windows to close or reports to deliver, and then ends. New work wakes it again.
"""

import asyncio
import hashlib
import hmac
import json
from dataclasses import dataclass, field

import httpx

from local.stripe.clock import StripeClock
from local.stripe.deliveries import WebhookDeliveries, WebhookDelivery
from local.stripe.kinds import CORE_EVENT
from local.stripe.objects import Objects
from local.stripe.refusals import Refusals
from local.stripe.reports import report_on, thin
from local.stripe.settings import Settings
from local.stripe.store import StripeStore
from local.stripe.tokens import Token

POLL_SECONDS = 0.05  # seconds between two turns
CALL_SECONDS = 10.0  # seconds for one delivery


def signature(body: bytes, secret: str, at: int) -> str:
    """Returns the Stripe-Signature header. `at` is real time (Unix seconds): receivers refuse an old signature."""
    digest = hmac.new(secret.encode(), b"%d." % at + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


@dataclass(slots=True)
class WebhookCourier:
    """Delivers the webhooks of one double."""

    store: StripeStore
    clock: StripeClock
    token: Token
    _settings: Settings = field(default_factory=Settings, init=False)
    _task: "asyncio.Task[None] | None" = field(default=None, init=False)

    def wake(self, settings: Settings) -> None:
        """Works until everything is closed and delivered; a second call meanwhile only renews the settings."""
        self._settings = settings
        if (self._task is None or self._task.done()) and self._has_work():
            self._task = asyncio.create_task(self._work())

    async def stop(self) -> None:
        """Stops; the rest is delivered after the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _has_work(self) -> bool:
        return Refusals(self.store).waiting() or (
            self._settings.webhook_url is not None and WebhookDeliveries(self.store).waiting()
        )

    async def _work(self) -> None:
        async with httpx.AsyncClient(timeout=CALL_SECONDS) as http:
            while self._has_work():
                self._close_windows()
                await self._bring(http)
                await asyncio.sleep(POLL_SECONDS)

    def _close_windows(self) -> None:
        now = self.clock.now()
        with self.store.transaction():
            for window in Refusals(self.store).closed(now):
                event = report_on(window, identity=f"evt_{self.token(24)}", now=now)
                Objects(self.store, livemode=window.livemode).add(event, owner=event["type"])
                if self._settings.webhook_url is not None:
                    WebhookDeliveries(self.store).add(event["id"], livemode=window.livemode, now=now)

    async def _bring(self, http: httpx.AsyncClient) -> None:
        url = self._settings.webhook_url
        if url is None:
            return
        for delivery in WebhookDeliveries(self.store).due(self.clock.now()):
            arrived = await self._post(http, url, delivery)
            WebhookDeliveries(self.store).attempted(delivery, arrived=arrived, now=self.clock.now())

    async def _post(self, http: httpx.AsyncClient, url: str, delivery: WebhookDelivery) -> bool:
        event = Objects(self.store, livemode=delivery.livemode).find(CORE_EVENT, delivery.event)
        body = json.dumps(thin(event or {}), separators=(",", ":")).encode()
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": signature(body, self._settings.webhook_secret, int(self.clock.wall())),
        }
        try:
            answer = await http.post(url, content=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL):
            return False
        return answer.is_success
