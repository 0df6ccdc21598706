"""The servers behind an order: the shards in Redis, the push log in Kafka, and Stripe's summaries."""

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
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
from metering.span import DAY_SECONDS, MINUTE_SECONDS
from ops.console.errors import OpsError
from ops.console.target import KAFKA, STRIPE_KEY, find_env
from ops.logs.account_log import is_account
from ops.logs.account_log import read_accounts as read_accounts_log
from ops.logs.open_ledger import LedgerSettings, open_ledger
from ops.logs.publisher import UsagePublisher
from ops.logs.reader import LogReader
from ops.logs.table_log import read_records
from runtime.settings import StripeSettings
from runtime.topics import TopicNames
from stripe_sync.settings import StripeSyncSettings
from stripe_sync.stripe_api.client import make_client
from stripe_sync.stripe_api.meter_ids import KnownMeterIds, summing_ids
from stripe_sync.stripe_api.summaries import StripeSummaries

PATIENCE_SECONDS = 30.0  # seconds without progress of the fold
LOOK_SECONDS = 0.2  # seconds between two looks


class DeskSettings(LedgerSettings, StripeSettings):
    """The settings of the commands that give orders for rows."""

    finalization_grace_seconds: int = Field(
        default=StripeSyncSettings.model_fields["finalization_grace_seconds"].default, ge=0
    )


def desk_settings(directory: Path | None, environ: Mapping[str, str]) -> DeskSettings:
    """Reads the settings from a stack's directory or from the environment."""
    return settings_of(DeskSettings, find_env(directory, environ, KAFKA, STRIPE_KEY))


@dataclass(frozen=True, slots=True)
class Desk:
    """Reads state and appends orders for one command. `shards` are in the order of their numbers."""

    settings: DeskSettings
    shards: list[Shard]
    reader: LogReader

    @property
    def topic(self) -> str:
        """Returns the name of the push log."""
        return TopicNames(self.settings.topic_prefix).pushes

    def now_ms(self) -> int:
        """Returns the time in Unix milliseconds."""
        return time.time_ns() // 1_000_000

    async def facts(self, shard: int, accounts: Collection[str]) -> dict[str, Account]:
        """Returns some of a shard's accounts, as Redis has them.

        Raises:
            OpsError: the shard is being folded.
        """
        try:
            return await read_accounts(self.shards[shard], sorted(accounts))
        except NotReadyError as error:
            raise _being_folded(shard) from error

    def accounts(self) -> dict[str, Account]:
        """Returns all accounts, as Kafka has them.

        Raises:
            OpsError: Kafka does not answer.
        """
        return read_accounts_log(
            read_records(self.settings, TopicNames(self.settings.topic_prefix).accounts, is_account)
        )

    async def identity(self, shard: int) -> StripeIdentity:
        """Returns the Stripe identity that the shard's rows are for.

        Raises:
            OpsError: no row was ever prepared, or the rows are for another mode (live or test) than the key's.
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
        """Refuses a key of another mode (live or test) than the push log's.

        Raises:
            OpsError: the modes differ.
        """
        for shard in self.shards:
            if (await read_state(shard)).identity is not None:
                await self.identity(shard.number)

    async def accepted(self, row: Row, shard: int) -> int:
        """Returns the units that Stripe has accepted in the row's minute, by our own sums.

        Raises:
            OpsError: the push log is being folded.
        """
        try:
            read = await read_accepted_days(self.shards[shard], row.account, [row.timestamp // DAY_SECONDS])
        except NotReadyError as error:
            raise _being_folded(shard) from error
        minute = row.timestamp // MINUTE_SECONDS * MINUTE_SECONDS
        return read.units[Lane(row.customer, row.meter)].get(minute, 0)

    async def stripe(self) -> tuple[stripe.StripeClient, dict[str, tuple[str, ...]]]:
        """Returns a client, and the ids of Stripe's meters by name.

        Raises:
            OpsError: no Stripe key is set.
            stripe.StripeError: Stripe does not list its meters.
        """
        if not self.settings.stripe_api_key.get_secret_value():
            raise OpsError(f"{STRIPE_KEY} is not set: Stripe's summaries must be asked")
        client = make_client(self.settings)
        return client, await summing_ids(client)

    async def asking(self) -> "Asking":
        """Returns access to Stripe's summaries.

        Raises:
            OpsError: no Stripe key is set.
            stripe.StripeError: Stripe does not list its meters.
        """
        client, meters = await self.stripe()
        return Asking(StripeSummaries(client, KnownMeterIds(meters)), frozenset(meters))

    async def order(self, shard: int, orders: Sequence[PushRecord]) -> None:
        """Appends orders, waits until all in-sync replicas have them, and returns once they are folded.

        Raises:
            OpsError: Kafka did not take the orders, or no Stripe worker folds them.
        """
        with UsagePublisher(self.settings) as publisher:
            key = str(shard).encode()
            publisher.publish([Message(self.topic, key, encode(order), [], shard) for order in orders])
        end = self.reader.bounds(self.topic)[shard].end
        deadline, fence = time.monotonic() + PATIENCE_SECONDS, 0
        while (reached := (await read_state(self.shards[shard])).fences.get(Log.PUSHES, 0)) < end:
            if reached > fence:
                deadline, fence = time.monotonic() + PATIENCE_SECONDS, reached
            if time.monotonic() >= deadline:
                raise OpsError(
                    f"the order is in the push log, but nobody has folded it for {PATIENCE_SECONDS:.0f} s: start "
                    "Stripe workers. It need not be given again; billing stripe parked shows what came of it"
                )
            await asyncio.sleep(LOOK_SECONDS)


@dataclass(frozen=True, slots=True)
class Asking:
    """Asks Stripe's summaries. `meters` are the names of the meters that Stripe knows."""

    summaries: StripeSummaries
    meters: Collection[str]

    async def held(self, row: Row) -> int:
        """Returns the units in Stripe's summary of the row's minute; 0 for a customer that Stripe does not know.

        Raises:
            OpsError: Stripe has no such meter.
            stripe.StripeError: Stripe does not answer, or refuses.
        """
        if row.meter not in self.meters:
            raise OpsError(f"Stripe has no meter {row.meter}: billing stripe setup makes it")
        try:
            return await self.summaries.units(row)
        except stripe.InvalidRequestError as error:
            if (error.code, error.param) == ("resource_missing", "customer"):
                return 0
            raise


@asynccontextmanager
async def open_desk(settings: DeskSettings) -> AsyncIterator[Desk]:
    """Yields a desk; closes its connections at the end of the context.

    Raises:
        OpsError: Kafka does not answer.
    """
    async with open_ledger(settings) as ledger:
        with LogReader(settings) as reader:
            yield Desk(settings, [ledger.shard(number) for number in range(settings.partitions)], reader)


def _being_folded(shard: int) -> OpsError:
    return OpsError(f"shard {shard} is being folded: try again once billing status says that it is ready")
