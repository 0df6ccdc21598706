"""Rows and records as the tests write them."""

from metering.outcome import ParkReason
from metering.push_log import Prepared, Settled, Settlement, StripeIdentity
from metering.row import Row
from tests.ledger_push.counts import HOUR, NOON

IDENTITY = StripeIdentity(namespace="tests", account="acct_1", livemode=False)


def row(start: int, end: int, **other: object) -> Row:
    """A row of sms.send of account `a` in the hour that begins at noon, stamped with its start."""
    facts = {"account": "a", "meter": "sms.send", "hour": NOON // HOUR, "customer": "cus_1", "timestamp": NOON}
    return Row.model_validate(facts | {"start": start, "end": end} | other)


def name_of(row: Row) -> str:
    """The row's identifier."""
    return row.identifier(IDENTITY.namespace)


def prepared(*rows: Row, usage_fence: int = 0, identity: StripeIdentity = IDENTITY) -> Prepared:
    """A prepared record."""
    return Prepared(identity=identity, usage_fence=usage_fence, rows=rows)


def delivered(*rows: Row) -> Settled:
    """A settled record: all of them delivered."""
    return Settled(settlements=tuple(Settlement(identifier=name_of(row)) for row in rows))


def parked(*rows: Row, reason: ParkReason = ParkReason.REFUSED) -> Settled:
    """A settled record: all of them parked."""
    return Settled(settlements=tuple(Settlement(identifier=name_of(row), parked=reason, detail="no") for row in rows))
