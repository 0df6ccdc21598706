"""`billing dlq` on a running platform: letters are found, mended, counted once, and stay handled for good."""

import json
import time

from metering.rfc3339 import from_unix
from ops.logs.dead_letters import MARK, LetterOrigin, MarkKind, read_dead_letters
from tests.ops.replay_house import DAY, ReplayHouse, event
from tests.support.eventually import eventually


def source_of(account: str) -> list[str]:
    """The options that select an account's letters."""
    return ["--source", f"/test/{account}"]


def state_of(house: ReplayHouse, origin: LetterOrigin) -> MarkKind | None:
    """The state of a letter."""
    mark = read_dead_letters(house.settings).letters[origin].mark
    return mark.kind if mark else None


def test_letters_are_listed_by_reason_source_and_time(house: ReplayHouse) -> None:
    """Open ones, distinct by origin, the newest last; filters are combined."""
    account = house.new_account()
    house.publish(
        event(account, "1", type="fax.send"),
        event(account, "2", type="fax.send"),
        event(account, "3", data={"quantity": -1}),
    )
    house.letters(account, 3)

    listed = house.json("dlq", "list", *source_of(account))
    fax = house.json("dlq", "list", *source_of(account), "--reason", "unknown_meter", "--limit", "1")
    past = house.json("dlq", "list", *source_of(account), "--to", from_unix(int(time.time()) - 3600))

    groups = {each["reason"]: each["letters"] for each in listed["groups"]}
    assert groups == {"unknown_meter": 2, "invalid_quantity": 1}
    assert (listed["letters"], listed["open"], listed["truncated"]) == (3, 3, False)
    assert (fax["letters"], len(fax["newest"])) == (2, 1)
    assert past["letters"] == 0
    shown = house.done("dlq", "list", *source_of(account))
    assert "3 letters, 3 open" in shown
    assert listed["newest"][0]["origin"] in shown


def test_show_escapes_what_would_play_with_the_terminal(house: ReplayHouse) -> None:
    """The bytes as they came are there for programs."""
    account = house.new_account()
    value = json.dumps(event(account, "1", type="\x1b[2J\u202e[red]fax")).encode() + b"\n\xff\x07"
    house.publish(value, headers=[("trace", b"\x1b]0;owned\x07")])

    def arrived() -> list[LetterOrigin]:
        letters = read_dead_letters(house.settings).letters.values()
        return [each.origin for each in letters if each.source is None and each.reason == "invalid_json"]

    eventually(arrived, what="the letter")
    mine = [
        origin for origin in arrived() if account in house.done("dlq", "show", f"{origin.partition}/{origin.offset}")
    ]
    shown = house.done("dlq", "show", str(mine[0]))
    raw = house.billing("dlq", "show", str(mine[0]), "--raw")

    assert raw.stdout_bytes == value
    assert "\\x1b]0;owned\\x07" in shown
    assert "\\n\\xff\\x07" in shown
    assert all(char.isprintable() or char == "\n" for char in shown)
    assert "[red]fax" in shown


def test_the_dry_run_of_a_redrive_foretells_it(house: ReplayHouse) -> None:
    """It shows new events, duplicates and letters that still fail; and it writes nothing."""
    account = house.new_account()
    house.publish(
        event(account, "1", type="sms.sent", data={"quantity": 2}),
        event(account, "2", type="sms.sent", data={"quantity": 3}),
        event(account, "2", data={"quantity": 3}),
        event(account, "3", subject=f"{account}!"),
    )
    house.letters(account, 3)
    choice = [*source_of(account), "--set", "type=sms.send"]
    assert house.totals(account) == {"sms.send": 3}

    foretold = house.json("dlq", "redrive", *choice, "--dry-run")
    assert house.json("dlq", "list", *source_of(account))["open"] == 3
    assert house.totals(account) == {"sms.send": 3}
    redriven = house.json("dlq", "redrive", *choice, "--yes")

    forecast = foretold["forecast"]
    assert (forecast["new"], forecast["units"], forecast["duplicates"]) == (1, 2, 1)
    assert foretold["fates"] == redriven["fates"] == {"to be sent": 2, "still failing": 1}
    assert (foretold["sent"], redriven["sent"]) == (0, 2)
    assert house.totals(account) == {"sms.send": 5}


def test_a_fix_up_sets_nested_values_and_marks_the_letter(house: ReplayHouse) -> None:
    """A letter that still fails is named and held back until it is mended too."""
    account = house.new_account()
    house.publish(
        event(account, "1", type="sms.sent", data={"quantity": 2}), event(account, "2", data={"quantity": "2"})
    )
    by_reason = {each.reason: each for each in house.letters(account, 2)}
    fax, wrong = by_reason["unknown_meter"], by_reason["invalid_quantity"]

    refused = house.billing("dlq", "redrive", *source_of(account), "--set", "type=sms.send", "--yes")
    assert refused.exit_code == 1
    assert "still failing" in refused.stdout
    assert str(wrong.origin) in refused.stdout
    assert house.totals(account) == {"sms.send": 2}
    assert (state_of(house, fax.origin), state_of(house, wrong.origin)) == (MarkKind.REDRIVEN, None)

    house.done("dlq", "redrive", str(wrong.origin), "--set", "/data/quantity=7", "--yes")
    assert house.totals(account) == {"sms.send": 9}
    new = house.records(account)[-1][1]
    assert dict(new.headers)["dlq.redriven"] == str(wrong.origin).encode()
    assert json.loads(new.value)["data"] == {"quantity": 7}

    assert house.json("dlq", "list", *source_of(account))["open"] == 0
    again = house.billing("dlq", "redrive", str(wrong.origin), "--set", "data.quantity=7", "--yes")
    assert again.exit_code == 1
    assert "handled already" in again.stdout
    house.done("dlq", "redrive", str(wrong.origin), "--set", "data.quantity=7", "--yes", "--force")
    assert house.totals(account) == {"sms.send": 9}


def test_a_letter_in_binary_mode_is_found_by_its_source_and_mended(house: ReplayHouse) -> None:
    """Its attributes are headers. A mended event becomes structured; an unmended one stays as it is."""
    account = house.new_account()
    for name, kind in (("1", "fax.send"), ("2", "sms.send")):
        attributes = event(account, name, type=kind)
        headers = [(f"ce_{name}", text.encode()) for name, text in attributes.items()]
        house.publish(b'{"quantity": -5}' if kind == "sms.send" else b'{"quantity": 5}', headers=headers)
    fax, negative = sorted(house.letters(account, 2), key=lambda each: each.reason, reverse=True)

    house.done("dlq", "redrive", str(fax.origin), "--set", "type=sms.send", "--yes")
    assert house.totals(account) == {"sms.send": 5}
    house.done("dlq", "redrive", str(negative.origin), "--set", "data.quantity=2", "--yes")
    assert house.totals(account) == {"sms.send": 7}
    mended = house.records(account)[-1][1]
    assert dict(mended.headers)["content-type"] == b"application/cloudevents+json"
    assert json.loads(mended.value)["source"] == f"/test/{account}"


def test_a_letter_can_be_moved_to_another_account(house: ReplayHouse) -> None:
    """Key and partition follow the subject."""
    account = house.new_account()
    house.publish(event(account, "1", subject=f"{account}!"))
    house.letters(account, 1)

    house.done("dlq", "redrive", *source_of(account), "--set", f"subject={account}", "--yes")

    assert house.totals(account) == {"sms.send": 1}


def test_what_is_too_old_is_counted_at_a_new_time(house: ReplayHouse) -> None:
    """Only events that are too old get a new time; event and record keep the original one."""
    account, old = house.new_account(), from_unix(int(time.time()) - 36 * DAY)
    house.publish(event(account, "1", time=old), event(account, "2", type="fax.send"))
    letters = {each.reason: each for each in house.letters(account, 2)}

    held = house.billing("dlq", "redrive", *source_of(account), "--reason", "time_too_old", "--yes")
    assert held.exit_code == 1
    assert house.totals(account) == {}
    house.done("dlq", "redrive", *source_of(account), "--reason", "time_too_old", "--restamp", "--yes")

    assert house.totals(account) == {"sms.send": 1}
    new = next(each for _, each in house.records(account) if "dlq.redriven" in dict(each.headers))
    assert dict(new.headers)["dlq.original-time"] == old.encode()
    assert json.loads(new.value)["originaltime"] == old
    assert state_of(house, letters["time_too_old"].origin) is MarkKind.REDRIVEN
    assert state_of(house, letters["unknown_meter"].origin) is None


def test_discarded_letters_are_kept_out_of_sight(house: ReplayHouse) -> None:
    """They say who, when and why; nothing is deleted, nothing counted."""
    account = house.new_account()
    house.publish(event(account, "1", type="fax.send"))
    [letter] = house.letters(account, 1)
    choice = [*source_of(account), "--why", "a test of the fax service"]

    house.done("dlq", "discard", *choice, "--dry-run")
    assert state_of(house, letter.origin) is None
    nobody = house.billing("dlq", "discard", *choice)
    assert nobody.exit_code == 1
    assert "--yes" in nobody.stderr
    house.done("dlq", "discard", *choice, "--yes")

    assert house.json("dlq", "list", *source_of(account))["letters"] == 0
    [shown] = house.json("dlq", "list", *source_of(account), "--all")["newest"]
    assert (shown["mark"]["kind"], shown["mark"]["why"]) == ("discarded", "a test of the fax service")
    assert "discarded at" in house.done("dlq", "show", str(letter.origin))
    assert house.totals(account) == {}


def test_a_refold_neither_reopens_letters_nor_counts_twice(house: ReplayHouse) -> None:
    """After FLUSHALL, a redriven, a discarded and an open letter are written again, and nothing changes."""
    account = house.new_account()
    house.publish(
        event(account, "1", type="sms.sent"),
        event(account, "2", data={"quantity": -1}),
        event(account, "3", specversion="2.0"),
    )
    letters = {each.reason: each for each in house.letters(account, 3)}
    house.done("dlq", "redrive", str(letters["unknown_meter"].origin), "--set", "type=sms.send", "--yes")
    house.done("dlq", "discard", str(letters["invalid_quantity"].origin), "--why", "nothing was sent", "--yes")
    before = house.totals(account)
    assert before == {"sms.send": 1}

    house.flush_redis()
    assert house.totals(account) == before

    written = read_dead_letters(house.settings).letters
    for letter in letters.values():
        assert written[letter.origin].place > letter.place, "a refold writes it again"
    marks = {reason: state_of(house, letter.origin) for reason, letter in letters.items()}
    assert marks == {
        "unknown_meter": MarkKind.REDRIVEN,
        "invalid_quantity": MarkKind.DISCARDED,
        "invalid_event": None,
    }
    assert house.json("dlq", "list", *source_of(account))["open"] == 1


def test_a_producer_can_not_mark_a_letter(house: ReplayHouse) -> None:
    """Its headers are in the letter, but a record with a reason is a letter."""
    account = house.new_account()
    headers = [(MARK, b"discarded"), ("dlq.reason", b"none"), ("dlq.offset", b"0"), ("origin.time", b"1")]
    house.publish(event(account, "1", type="sms.sent"), headers=headers)

    [letter] = house.letters(account, 1)

    assert (letter.mark, letter.reason) == (None, "unknown_meter")
    house.done("dlq", "redrive", str(letter.origin), "--set", "type=sms.send", "--yes")
    assert house.totals(account) == {"sms.send": 1}


def test_letters_must_be_named(house: ReplayHouse) -> None:
    """By origin or by filter, and the letters must exist."""
    for arguments, said in (
        (["redrive"], "say which letters"),
        (["redrive", "0/1", "--reason", "empty"], "not both"),
        (["discard", "0/99999999", "--why", "x"], "no dead letter"),
        (["discard", "nonsense", "--why", "x"], "not an origin"),
        (["redrive", "--all", "--set", "type"], "write an attribute and its value"),
        (["redrive", "--all", "--set", "time.zone=UTC"], "members of its data"),
    ):
        result = house.billing("dlq", *arguments)
        assert result.exit_code == 1, arguments
        assert said in result.stderr, arguments
