"""Redrives and discards letters: shows the plan, asks, acts."""

import json
from collections import Counter
from collections.abc import Sequence

import typer

from ops.console.bar import Bar
from ops.console.confirm import Confirm
from ops.console.safe_text import visible
from ops.console.table import print_table
from ops.dlq.listing import print_letters
from ops.dlq.marking import mark_record
from ops.dlq.planning import Fate, Planned, Redrive
from ops.dlq.redriving import CHUNK, plan_letters, redriven_records, send, to_send
from ops.logs.dead_letters import DeadLetter, LetterMark
from ops.logs.publisher import UsagePublisher
from ops.logs.reader import LogReader
from ops.logs.settings import TableSettings
from ops.replay.forecast import Forecast, Forecaster
from ops.replay.forecast_text import forecast_json, print_forecast
from runtime.topics import TopicNames

MOST_SHOWN = 50  # held back letters
LETTERS_SHOWN = 10  # letters, before they are discarded


def redrive(
    settings: TableSettings, letters: Sequence[DeadLetter], rules: Redrive, mark: LetterMark, confirm: Confirm
) -> int:
    """Redrives the letters that can be counted now. Returns the number of letters held back."""
    planned = plan_letters(settings, letters, rules)
    sending = to_send(planned)
    held_back = [each for each in planned if each.fate is not Fate.SEND]
    forecast = _forecast(settings, sending, rules) if confirm.dry_run else None
    if not confirm.as_json:
        _print_held_back(held_back)
        if forecast is not None:
            print_forecast(forecast)
    sent = 0
    if forecast is None and sending:
        confirm.ask(f"Publish {len(sending)} letters into {rules.usage}?")
        dead_letters = TopicNames(settings.topic_prefix).dead_letters
        with UsagePublisher(settings) as publisher, Bar("letters published", len(sending)) as bar:
            records = redriven_records(settings, sending, rules)
            sent = send(records, publisher.publish, dead_letters=dead_letters, mark=mark, sent_more=bar.advance)
    _print_result(planned, sent, forecast, as_json=confirm.as_json)
    return len(held_back)


def discard(settings: TableSettings, letters: Sequence[DeadLetter], mark: LetterMark, confirm: Confirm) -> None:
    """Marks the open letters as discarded, after a question."""
    still_open = [letter for letter in letters if letter.mark is None]
    print_letters(letters, LETTERS_SHOWN)
    if confirm.dry_run or not still_open:
        typer.echo(f"{len(still_open)} would be discarded" if confirm.dry_run else "nothing to discard")
        return
    confirm.ask(f"Discard {len(still_open)} letters?")
    dead_letters = TopicNames(settings.topic_prefix).dead_letters
    with UsagePublisher(settings) as publisher, Bar("letters marked", len(still_open)) as bar:
        for first in range(0, len(still_open), CHUNK):
            chunk = still_open[first : first + CHUNK]
            publisher.publish([mark_record(dead_letters, each, mark) for each in chunk])
            bar.advance(len(chunk))
    typer.echo(f"discarded {len(still_open)}")


def _forecast(settings: TableSettings, sending: Sequence[DeadLetter], rules: Redrive) -> Forecast:
    with LogReader(settings) as reader:
        ends = {partition: held.end for partition, held in reader.bounds(rules.usage).items()}
    with Forecaster(settings, ends) as forecaster:
        for chunk in redriven_records(settings, sending, rules):
            forecaster.add([message for _, message in chunk])
        return forecaster.forecast


def _print_held_back(held_back: Sequence[Planned]) -> None:
    if not held_back:
        return
    rows = [(str(each.letter.origin), each.fate.value, visible(each.detail, 200)) for each in held_back[:MOST_SHOWN]]
    print_table(("NOT SENT", "WHY", "DETAIL"), rows)
    if len(held_back) > MOST_SHOWN:
        typer.echo(f"and {len(held_back) - MOST_SHOWN} more that are not sent: --json shows them all")


def _print_result(planned: Sequence[Planned], sent: int, forecast: Forecast | None, *, as_json: bool) -> None:
    fates = Counter(each.fate for each in planned)
    if as_json:
        result = {
            "sent": sent,
            "fates": {fate.value: count for fate, count in fates.items()},
            "held_back": [
                {"origin": str(each.letter.origin), "why": each.fate.value, "detail": each.detail}
                for each in planned
                if each.fate is not Fate.SEND
            ],
        }
        typer.echo(json.dumps(result | ({"forecast": forecast_json(forecast)} if forecast else {}), indent=2))
        return
    told = f"would be sent: {fates[Fate.SEND]}" if forecast else f"sent: {sent}"
    left = "".join(f", {fate.value}: {count}" for fate, count in fates.items() if fate is not Fate.SEND)
    typer.echo(told + left)
