"""A reader notices what does not work."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.blocks import Block
from tests.docs.pages import ROOT
from tests.docs.reader import Reader, make_checkout


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """In a checkout in which nothing runs; `<NAME>` stands for a word."""
    with Reader(make_checkout(tmp_path, tmp_path / "no-stack"), {"<NAME>": "word"}, {}) as reader:
        yield reader


def block(language: str, text: str, file: str = "") -> Block:
    """A block of some page."""
    return Block(ROOT / "README.md", 1, language, file, text, None, "")


def test_commands_share_a_shell(reader: Reader) -> None:
    """Given a variable that was exported and a file that was saved, a later block has both."""
    reader.take(block("sh", "export GREETING=<NAME>\n"))
    reader.take(block("json", '{"a": "<NAME>"}\n', file="saved.json"))
    reader.take(block("sh", 'echo "$GREETING"; cat saved.json\n'))
    reader.take(block("text", 'word\n{"a": "word"}\n'))


@pytest.mark.parametrize(
    ("language", "text"), [("sh", "true\nfalse\n"), ("sh", "false | true\n"), ("python", "1 / 0\n")]
)
def test_a_block_that_fails_is_noticed(reader: Reader, language: str, text: str) -> None:
    """Given a command that ends with another code than 0, the block is named."""
    with pytest.raises(AssertionError, match=r"README\.md:1"):
        reader.take(block(language, text))


def test_another_output_is_noticed(reader: Reader) -> None:
    """Given a page that shows what is not printed."""
    reader.take(block("python", "print('spooled')\n"))
    with pytest.raises(AssertionError, match="spooled"):
        reader.take(block("text", "acknowledged\n"))


def test_a_command_that_does_not_stay_is_noticed(reader: Reader) -> None:
    """Given a command that should run until Ctrl-C, and has ended."""
    reader.take(block("sh", "false   # until Ctrl-C\n"))
    with pytest.raises(AssertionError, match="false"):
        reader.press_ctrl_c()


def test_a_command_that_stays_is_ended(reader: Reader) -> None:
    """Given a command that runs until Ctrl-C, the next line is typed meanwhile."""
    reader.take(block("sh", "bash -c 'echo there; exec tail -f /dev/null'   # until Ctrl-C\necho meanwhile\n"))
    reader.take(block("text", "meanwhile\n"))
    reader.press_ctrl_c()
