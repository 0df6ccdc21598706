"""The whole system at one moment, and all that is wrong with it: pure."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from metering.troubles.finding import Finding
from metering.troubles.names import Trouble as T  # noqa: N817 - a table of them is below
from ops.logs.dead_letters import DeadLetters
from ops.status.report import ShardPhase, ShardReport
from ops.status.shard_findings import BEHIND_SECONDS, STALE_SECONDS, shard_findings

GROWING_SECONDS = 3600.0  # letters of records so young: whatever writes them is at it still


@dataclass(frozen=True, slots=True)
class System:
    """What was seen.

    Attributes:
        now_ms: the moment, Unix milliseconds.
        reports: the shards that were asked for; none while Redis is away.
        letters: the dead letters; None where they were not read.
        away: what does not answer, or can't be read, as findings.
        order_faults: records among the orders to pass offsets by that are none, and why.
        orders_log: the topic of these.
        api_silence: for how many seconds no API process has said that it is there; None where none ever has, or nobody
            was asked.
        whole: whether all shards were asked for.
    """

    now_ms: int
    reports: tuple[ShardReport, ...] = ()
    letters: DeadLetters | None = None
    away: Sequence[Finding] = ()
    order_faults: Mapping[str, str] = field(default_factory=dict)
    orders_log: str = ""
    api_silence: int | None = None
    whole: bool = True


def findings(system: System) -> list[Finding]:
    """All that is wrong, without what is only the effect of something that is said as well."""
    found = [*system.away, *_services(system), *_orders(system), *_letters(system)]
    found += [finding for report in system.reports for finding in shard_findings(report)]
    return without_effects(found)


_NOT_FOLDED = {T.BEHIND, T.STALE, T.UNSEEN, T.LAG_LONG, T.NOT_BEGUN, T.FIRST_FOLD_STANDS}
_NOT_BILLED = {T.PUSH_LOG_BEHIND, T.PUSH_LOG_STALE, T.PUSH_LOG_NEVER_FOLDED}
EFFECTS: Mapping[T, Collection[T]] = {
    T.KAFKA_AWAY: {*_NOT_FOLDED, *_NOT_BILLED, T.AGGREGATOR_AWAY, T.STRIPE_WORKER_AWAY},
    T.REDIS_AWAY: {T.API_AWAY, T.API_QUIET},
    T.REDIS_REFUSES: {*_NOT_FOLDED, *_NOT_BILLED, T.AGGREGATOR_AWAY, T.STRIPE_WORKER_AWAY, T.API_AWAY, T.API_QUIET},
    T.AGGREGATOR_AWAY: _NOT_FOLDED,
    T.STRIPE_WORKER_AWAY: _NOT_BILLED,
    T.STRIPE_KEY_REFUSED: {*_NOT_BILLED, T.STRIPE_WORKER_AWAY, T.CALLS_FAIL},
    T.STRIPE_WORKER_ENDED: {*_NOT_BILLED, T.STRIPE_WORKER_AWAY},
    T.BILLING_STOPPED: _NOT_BILLED,
    T.PUSH_LOG_HELD: _NOT_BILLED,
}
"""What follows from a trouble: of the system's, everywhere; of a shard's, in that shard."""
_EVERYWHERE = {T.KAFKA_AWAY, T.REDIS_AWAY, T.REDIS_REFUSES, T.AGGREGATOR_AWAY}
_EVERYWHERE |= {T.STRIPE_WORKER_AWAY, T.STRIPE_KEY_REFUSED, T.STRIPE_WORKER_ENDED}


def without_effects(found: Sequence[Finding]) -> list[Finding]:
    """The causes."""
    everywhere = {effect for each in found if each.trouble in _EVERYWHERE for effect in EFFECTS[each.trouble]}
    here = {(each.shard, effect) for each in found for effect in EFFECTS.get(each.trouble, ())}
    return [each for each in found if each.trouble not in everywhere and (each.shard, each.trouble) not in here]


def _services(system: System) -> Iterator[Finding]:
    """A service is away if none of its shards was looked after for a while, and no shard says why.

    What may make Redis refuse writes explains it where nothing is written any more.
    """
    stuck = [each for each in system.reports if each.stalled or each.age(each.as_of_ms) > BEHIND_SECONDS]
    if why := {each.refuses for each in stuck if each.refuses}:
        yield Finding(T.REDIS_REFUSES, params={"why": ", ".join(sorted(why))})
    if system.whole:
        folded = [each for each in system.reports if not each.stops and each.phase is not ShardPhase.CLEARING]
        yield from _away(T.AGGREGATOR_AWAY, [each for each in folded if not each.held], lambda each: each.as_of_ms)
        billed = [each for each in folded if not each.added and each.phase is not ShardPhase.EMPTY]
        yield from _away(T.STRIPE_WORKER_AWAY, billed, lambda each: each.push_as_of_ms)
    silence = system.api_silence or 0
    if silence > BEHIND_SECONDS:
        yield Finding(T.API_AWAY if silence > STALE_SECONDS else T.API_QUIET, params={"seconds": silence})


def _away(
    trouble: T, reports: Sequence[ShardReport], seen_ms: Callable[[ShardReport], int | None]
) -> Iterator[Finding]:
    ages = [each.age(moment) for each in reports if (moment := seen_ms(each)) is not None]
    unseen = [each for each in reports if seen_ms(each) is None]
    if ages and min(ages) > STALE_SECONDS and all(each.stalled for each in unseen):
        yield Finding(trouble, params={"seconds": min(ages)})


def _orders(system: System) -> Iterator[Finding]:
    for key, why in system.order_faults.items():
        yield Finding(T.ORDER_INVALID, params={"log": system.orders_log}, detail=f"{key!r}: {why}")


def _letters(system: System) -> Iterator[Finding]:
    if system.letters is None:
        return
    since = system.now_ms / 1000 - GROWING_SECONDS
    young, old, sources = Counter[str](), Counter[str](), Counter[tuple[str, str]]()
    for letter in system.letters.open():
        (young if letter.time > since else old)[letter.reason] += 1
        if letter.time > since:
            sources[letter.reason, letter.source or "unreadable"] += 1
    for reason, records in sorted(young.items()):
        named = ", ".join(f"{source} ({count})" for (why, source), count in sources.most_common() if why == reason)
        yield Finding(T.DEAD_LETTERS_GROW, None, {"records": records, "reason": reason}, f"from {named}")
    for reason, records in sorted(old.items()):
        yield Finding(T.DEAD_LETTERS_OPEN, None, {"records": records, "reason": reason})
    for why in system.letters.unreadable:
        yield Finding(T.DEAD_LETTERS_UNREADABLE, detail=why)
