"""Runs a reconciliation: from settings to result."""

from aiokafka.errors import KafkaError

from ledger.reading import NotReadyError
from ledger.shard import Ledger, Shard
from metering.bucket import HOUR_SECONDS
from metering.meters import BY_NAME
from metering.span import DAY_SECONDS
from ops.console.bar import Bar
from ops.console.errors import OpsError
from ops.logs.open_ledger import open_ledger
from ops.logs.reader import LogReader
from ops.stripe.desk import Desk, DeskSettings
from ops.stripe.reconcile.comparing import Reconciled, Reconciliation, Scope
from runtime.async_consumer import AsyncConsumer
from runtime.kafka import async_options
from stripe_sync.push_log.history import KafkaPushHistory
from stripe_sync.reconcile.lane import LaneComparison
from stripe_sync.reconcile.service import QUESTIONS_PER_SECOND
from stripe_sync.stripe_api.meter_ids import KnownMeterIds
from stripe_sync.stripe_api.rate import RateShare
from stripe_sync.stripe_api.summaries import StripeSummaries

LONGEST_SECONDS = 70 * DAY_SECONDS  # seconds: units are kept for this long, and Stripe returns no more windows at once
DEFAULT_SECONDS = 35 * DAY_SECONDS  # seconds: Stripe accepts no older timestamps


def make_scope(start: int | None, end: int | None, now: int, customer: str | None, meter: str | None) -> Scope:
    """Returns the scope from `start` to `end` (Unix seconds), widened to whole hours.

    Raises:
        OpsError: the scope is empty or too long.
    """
    last = -(-(now if end is None else end) // HOUR_SECONDS) * HOUR_SECONDS
    first = (last - DEFAULT_SECONDS if start is None else start) // HOUR_SECONDS * HOUR_SECONDS
    if first >= last:
        raise OpsError("--start must be before --end")
    if last - first > LONGEST_SECONDS:
        raise OpsError(f"at most {LONGEST_SECONDS // DAY_SECONDS} days at once: choose a later --start")
    return Scope(first, last, customer, meter)


async def reconcile_all(settings: DeskSettings, scope: Scope) -> Reconciled:
    """Compares all shards.

    Raises:
        OpsError: Kafka does not answer, a shard is being folded, or the key is not for the push log's mode.
        stripe.StripeError: Stripe refuses the key.
    """
    async with open_ledger(settings) as ledger:
        with LogReader(settings) as reader:
            desk = Desk(settings, _shards(ledger), reader)
            stripe_client, meters = await desk.stripe()
            if missing := BY_NAME.keys() - meters.keys():
                raise OpsError(f"Stripe has no meter {', '.join(sorted(missing))}: billing stripe setup makes it")
            await desk.check_mode()
            rate = RateShare(QUESTIONS_PER_SECOND, partitions=1)
            lanes = LaneComparison(StripeSummaries(stripe_client, KnownMeterIds(meters)), rate.admit)
            consumer = AsyncConsumer(
                enable_auto_commit=False,
                auto_offset_reset="none",
                isolation_level="read_committed",
                **async_options(settings),
            )
            try:
                await consumer.start()
                history = KafkaPushHistory(desk.topic, consumer)
                with Bar("accounts compared", 0) as bar:
                    return await Reconciliation(desk, history, lanes, progress=bar.at).run(scope)
            except KafkaError as error:
                raise OpsError(f"Kafka at {settings.kafka_bootstrap_servers}: {error}") from error
            except NotReadyError as error:
                raise OpsError("a shard's push log is being folded: try again once billing status says ready") from (
                    error
                )
            finally:
                await consumer.stop()


def _shards(ledger: Ledger) -> list[Shard]:
    return [ledger.shard(number) for number in range(ledger.partitions)]
