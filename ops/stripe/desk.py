"""What orders are given with: every shard, the push log, and Stripe's summaries."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import stripe
from pydantic import Field

from aggregator.publisher import Message
from ledger.accepted import Lane, read_accepted_days
from ledger.pushes import read_accounts
from ledger.reading import NotReadyError
from ledger.shard import Shard
from ledger.state import Log, read_state
from local.stack.settings import settings_of
from metering.account import Account
from metering.push_log import PushRecord, StripeIdentity, encode
from metering.row import Row
from metering.span import DAY_SECONDS
from ops.errors import OpsError
from ops.ledger_access import LedgerSettings, open_ledger
from ops.log_reading import LogReader
from ops.stack_env import KAFKA, STRIPE_KEY, find_env
from ops.usage_publisher import UsagePublisher
from runtime.settings import StripeSettings
from runtime.topics import TopicNames
from stripe_sync.meters import list_meters
from stripe_sync.settings import StripeSyncSettings
from stripe_sync.stripe_client import make_client
from stripe_sync.summaries import MINUTE_SECONDS, StripeSummaries

PATIENCE_SECONDS = 30.0
LOOK_SECONDS = 0.2


class DeskSettings(LedgerSettings, StripeSettings):
    """What the commands that look after rows are told from outside."""

    finalization_grace_seconds: int = Field(
        default=StripeSyncSettings.model_fields["finalization_grace_seconds"].default, ge=0
    )


def desk_settings(directory: Path | None, environ: Mapping[str, str]) -> DeskSettings:
    """The settings of a stack's directory or of the environment."""
    return settings_of(DeskSettings, find_env(directory, environ, KAFKA, STRIPE_KEY))


@dataclass(frozen=True, slots=True)
class Desk:
    """One command's. `shards` in order of their numbers."""

    settings: DeskSettings
    shards: list[Shard]
    reader: LogReader

    @property
    def topic(self) -> str:
        """The push log."""
        return TopicNames(self.settings.topic_prefix).pushes

    def now_ms(self) -> int:
        """Unix milliseconds."""
        return time.time_ns() // 1_000_000

    async def account(self, row: Row, shard: int) -> Account:
        """The facts of the row's account.

        Raises:
            OpsError: the shard is being folded.
        """
        try:
            return (await read_accounts(self.shards[shard], [row.account]))[row.account]
        except NotReadyError as error:
            raise _being_folded(shard) from error

    async def identity(self, shard: int) -> StripeIdentity:
        """Whom the shard's rows are for.

        Raises:
            OpsError: nothing was ever prepared, or for another mode than the key's.
        """
        known = (await read_state(self.shards[shard])).identity
        if known is None:
            raise OpsError(f"shard {shard}: nothing was ever prepared")
        identity = StripeIdentity.model_validate_json(known)
        if identity.livemode != self.settings.stripe_livemode:
            raise OpsError(
                f"the push log is for Stripe's {'live' if identity.livemode else 'test'} mode, {STRIPE_KEY} is not: "
                "set it to a key of that mode"
            )
        return identity

    async def check_mode(self) -> None:
        """Refuses a key of another mode than the push log's.

        Raises:
            OpsError: see above.
        """
        for shard in self.shards:
            if (await read_state(shard)).identity is not None:
                await self.identity(shard.number)

    async def accepted(self, row: Row, shard: int) -> int:
        """What Stripe has accepted in the row's minute.

        Raises:
            OpsError: the push log is being folded.
        """
        try:
            read = await read_accepted_days(self.shards[shard], row.account, [row.timestamp // DAY_SECONDS])
        except NotReadyError as error:
            raise _being_folded(shard) from error
        minute = row.timestamp // MINUTE_SECONDS * MINUTE_SECONDS
        return read.units[Lane(row.customer, row.meter)].get(minute, 0)

    async def stripe(self) -> tuple[stripe.StripeClient, dict[str, str]]:
        """A client, and the ids of Stripe's meters by name.

        Raises:
            OpsError: there is no key.
            stripe.StripeError: Stripe does not show its meters.
        """
        if not self.settings.stripe_api_key.get_secret_value():
            raise OpsError(f"{STRIPE_KEY} is not set: Stripe's summaries must be asked")
        client = make_client(self.settings)
        return client, {name: meter.id for name, meter in (await list_meters(client)).items()}

    async def held(self, row: Row) -> int:
        """What Stripe's summary says of the row's minute; nothing of a customer that Stripe does not know.

        Raises:
            OpsError: there is no key, or no such meter.
            stripe.StripeError: Stripe can't tell.
        """
        client, meters = await self.stripe()
        if row.meter not in meters:
            raise OpsError(f"Stripe has no meter {row.meter}: billing stripe setup makes it")
        try:
            return await StripeSummaries(client, meters).units(row)
        except stripe.InvalidRequestError as error:
            if (error.code, error.param) == ("resource_missing", "customer"):
                return 0
            raise

    async def order(self, shard: int, order: PushRecord) -> None:
        """Appends an order, acknowledged by every in-sync replica, and returns once it is folded.

        Raises:
            OpsError: Kafka did not take it, or nobody folds it.
        """
        with UsagePublisher(self.settings) as publisher:
            publisher.publish([Message(self.topic, str(shard).encode(), encode(order), [], shard)])
        end = self.reader.bounds(self.topic)[shard].end
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (await read_state(self.shards[shard])).fences.get(Log.PUSHES, 0) < end:
            if time.monotonic() >= deadline:
                raise OpsError(
                    f"the order is in the push log, but nobody has folded it for {PATIENCE_SECONDS:.0f} s: start "
                    "Stripe workers. It need not be given again; billing stripe parked shows what came of it"
                )
            await asyncio.sleep(LOOK_SECONDS)


@asynccontextmanager
async def open_desk(settings: DeskSettings) -> AsyncIterator[Desk]:
    """A desk, while the context lasts.

    Raises:
        OpsError: Kafka does not answer.
    """
    async with open_ledger(settings) as (_, ledger):
        with LogReader(settings) as reader:
            yield Desk(settings, [ledger.shard(number) for number in range(settings.partitions)], reader)


def _being_folded(shard: int) -> OpsError:
    return OpsError(f"shard {shard} is being folded: try again once billing status says that it is ready")
