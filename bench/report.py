"""A benchmark's terminal, and the file with its results."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.tables import WIDTH


def new_console() -> Console:
    """Returns a terminal that is wide enough for the tables."""
    return Console(width=max(WIDTH, Console().width))


def progress_on(console: Console) -> Callable[[str], None]:
    """Returns a function that prints what a benchmark is about to do."""
    return lambda text: console.print(f"[dim]{text}")


def write_results(directory: Path, name: str, document: Mapping[str, Any]) -> Path:
    """Writes results as JSON, with the time, into a new file of the directory; returns its path."""
    moment = datetime.now(UTC)
    path = directory / f"{name}-{moment:%Y%m%d-%H%M%S}.json"
    path.write_text(json.dumps({"at": moment.isoformat(timespec="seconds"), **document}, indent=1) + "\n")
    return path
