"""Commands, options, targets and settings that a document or a message names are there."""

import re
import shlex
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

from ops.cli import COMMANDS
from tests.docs.blocks import RUN, blocks_of
from tests.docs.pages import PAGES, ROOT, name, sources, spans

TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
HALLS = "aggregator|api|bench|ledger|local|metering|ops|producers|runtime|stripe_sync"
METRIC = re.compile(r"(?:Counter|Gauge|Histogram)\(\s*\"(\w+)\"")
SETTING = re.compile(r"\bBILLING_[A-Z0-9_]*[A-Z0-9]\b")
WORKERS = ("aggregator", "runtime", "stripe_sync")
PATH = re.compile(rf"^(?:{HALLS}|tests|docs)/[\w./-]+$")
DOTTED = re.compile(rf"^(?:{HALLS})(?:\.[\w]+)+$")
OPTION = re.compile(r"^(--[a-z-]+)")
IN_MESSAGES = re.compile(r"`(billing [a-z][^`\n]*)`")


def shown(page: Path) -> list[str]:
    """Each line of code on a page, in its text and in its blocks of commands."""
    lines = [line for block in blocks_of(page) if block.language in RUN for line in block.text.splitlines()]
    return [*spans(page), *lines]


def unknown(command: str) -> str | None:
    """The first word of a `billing` command that it does not know; None if it knows all."""
    _, first, *rest = _words(command)
    if re.fullmatch(r"[a-z][a-z-]*", first) is None:
        return None  # `billing ...`, which stands for any
    if first not in COMMANDS:
        return first
    found = _command(first)
    for word in rest:
        if word.startswith("--"):
            if word.partition("=")[0] not in _options(found):
                return word
        elif isinstance(found, TyperGroup):
            if word not in found.commands:
                return word
            found = found.commands[word]
    return None


@cache
def _command(word: str) -> Any:
    return typer.main.get_command(import_module(COMMANDS[word][0]).app)


def _defined(dotted: str) -> bool:
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        place = ROOT.joinpath(*parts[:length])
        module = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
        if module.exists():
            rest = parts[length:]
            return not rest or re.search(rf"\b{rest[0]}\b", module.read_text()) is not None
    return False


def _all_options() -> set[str]:
    known: set[str] = set()
    commands = [_command(word) for word in COMMANDS]
    for command in commands:
        commands += command.commands.values() if isinstance(command, TyperGroup) else ()
        known |= _options(command)
    return known


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command, comments=True)
    except ValueError:  # a quotation mark that is an apostrophe
        return command.split()


def _options(command: Any) -> set[str]:
    own = {option for param in command.params for option in (*param.opts, *param.secondary_opts)}
    return own | {"--help"}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_and_targets_are_there(page: Path) -> None:
    """Given a page, when it names a command of `billing` with options, or a target of make, then there is one."""
    lines = [re.sub(r"^(\S*/)?billing ", "billing ", line) for line in shown(page)]
    commands = [f"{line}: {word}" for line in lines if line.startswith("billing ") and (word := unknown(line))]
    targets = [line for line in lines if line.startswith("make ") and _words(line)[1] not in TARGETS]

    assert (commands, targets) == ([], [])


def test_messages_name_commands_that_are_there() -> None:
    """Given a message or a comment, when it names a command of `billing`, then there is one."""
    named = {(file, line) for file in sources(".py") for line in IN_MESSAGES.findall(file.read_text())}
    faults = [f"{name(file)}: {line}: {word}" for file, line in sorted(named) if (word := unknown(line))]

    assert len(named) > 50
    assert faults == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_files_and_modules_are_there(page: Path) -> None:
    """Given a page, when it names a file, a folder, a module or what a module has, then there is one."""
    paths = [path for text in spans(page) for path in PATH.findall(text) if not (ROOT / path).exists()]
    modules = [dotted for text in spans(page) for dotted in DOTTED.findall(text) if not _defined(dotted)]

    assert (paths, modules) == ([], [])


def test_options_are_somebodys() -> None:
    """Given a page for operators, when it names an option by itself, then a command has it."""
    pages = [page for page in PAGES if page.parent.name == "operating"]
    named = {(name(page), option) for page in pages for text in spans(page) for option in OPTION.findall(text)}

    assert [each for each in sorted(named) if each[1] not in _all_options()] == []


def test_settings_are_there() -> None:
    """Given a page, when it names a setting, then docs/settings.md has it, or the Stripe double's page."""
    known = set(SETTING.findall((ROOT / "docs" / "settings.md").read_text()))
    known |= {"BILLING_STRIPE_DOUBLE_WEBHOOK_URL"}
    faults = [(name(page), word) for page in PAGES for word in SETTING.findall(page.read_text()) if word not in known]

    assert faults == []


def test_the_page_on_metrics_has_them_all() -> None:
    """Given the workers' code, then docs/operating/metrics.md has each metric of it, and no other."""
    code = "".join(file.read_text() for hall in WORKERS for file in sorted((ROOT / hall).rglob("*.py")))
    lines = (ROOT / "docs" / "operating" / "metrics.md").read_text().splitlines()
    rows = [line.split("|")[1] for line in lines if line.startswith("| `")]

    assert {word for row in rows for word in re.findall(r"`(\w+)", row)} == set(METRIC.findall(code))
