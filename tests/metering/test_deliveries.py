"""Rows and their deliveries, as the push log's records tell."""

from metering.deliveries import DeliveryFold, LoggedRow
from metering.outcome import ParkReason
from metering.push_log import ParkOrder, Prepared, PushRecord, ReissueOrder, Settled, Settlement, StripeIdentity
from metering.row import Row

WORDS = {"who": "Ada", "why": "ticket 12"}


def row(customer: str = "cus_1") -> Row:
    """Five units."""
    return Row(account="acme", meter="sms.send", hour=4, start=0, end=5, customer=customer, timestamp=4 * 3600)


ROW, NEW = row(), row("cus_2")
NAME, NEW_NAME = ROW.identifier("n"), NEW.identifier("n")
PREPARED = Prepared(
    identity=StripeIdentity(namespace="n", account="acct_1", livemode=False), usage_fence=0, rows=(ROW,)
)
DELIVERED = Settled(settlements=(Settlement(identifier=NAME),))
PARKED = Settled(settlements=(Settlement(identifier=NAME, parked=ParkReason.NO_METER),))
TAKEN_BACK = ParkOrder(namespace="n", row=ROW, prepared_ms=1, delivered_ms=2, **WORDS)


def told(fold: DeliveryFold, *records: PushRecord) -> list[LoggedRow | None]:
    """What records appended at 1, 2, 3 ... delivered."""
    return [logged for at, record in enumerate(records, 1) for _, logged in fold.take(record, at)]


def test_a_row_is_delivered_once_and_by_the_first_settlement() -> None:
    """Another worker prepares it again, too late, and settles it again."""
    fold = DeliveryFold()
    assert told(fold, PREPARED, PARKED, DELIVERED, PREPARED, DELIVERED) == [LoggedRow(NAME, "n", ROW, 1, 3)]
    assert not fold.undelivered


def test_a_row_that_was_taken_back_is_delivered_anew() -> None:
    """Its age stays, as the order tells it; a log that begins after the row was prepared knows it from there."""
    assert told(DeliveryFold(), PREPARED, DELIVERED, TAKEN_BACK, DELIVERED) == [
        LoggedRow(NAME, "n", ROW, 1, 2),
        LoggedRow(NAME, "n", ROW, 1, 4),
    ]
    fold = DeliveryFold()
    assert told(fold, DELIVERED, TAKEN_BACK) == [None]
    assert fold.undelivered == {NAME: LoggedRow(NAME, "n", ROW, 1)}


def test_a_reissue_is_a_row_of_its_own() -> None:
    """The old one stays undelivered."""
    fold = DeliveryFold()
    reissued = ReissueOrder(old=NAME, parked_ms=2, namespace="n", row=NEW, **WORDS)
    settled = Settled(settlements=(Settlement(identifier=NEW_NAME),))
    assert told(fold, PREPARED, PARKED, reissued, settled) == [LoggedRow(NEW_NAME, "n", NEW, 3, 4)]
    assert list(fold.undelivered) == [NAME]


def test_only_what_is_wanted_is_followed() -> None:
    """By row or by identifier."""
    fold = DeliveryFold(lambda each, name: each.customer == "cus_2" or name == NEW_NAME)
    assert told(fold, PREPARED, DELIVERED) == [None]
    assert not fold.undelivered
