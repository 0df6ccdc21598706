"""Every block of code says what it is, and why it is not run where it is not."""

import json
from collections import Counter

import pytest

from tests.docs.blocks import READ, RULES, RUN, Block, blocks_of
from tests.docs.filling import PLACEHOLDER, PLACEHOLDERS
from tests.docs.pages import PAGES

BLOCKS = [block for page in PAGES for block in blocks_of(page)]
NOT_RUN = {
    "it is what starts the tests": 2,
    "it fetches packages": 3,
    "it needs Kafka's own tools": 1,
}
NEEDED = {"node": 1, "java": 1}  # where they are


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_a_block_has_a_language(block: Block) -> None:
    """Given a block, then its fence says a language that is known here: highlighted for readers, and run or checked."""
    assert block.language in RUN | READ | RULES


def test_what_is_not_run_is_counted() -> None:
    """Given the blocks that are not run, or only where a program is, then they are these."""
    assert Counter(block.not_run for block in BLOCKS if block.not_run) == NOT_RUN
    assert Counter(block.needs for block in BLOCKS if block.needs) == NEEDED
    assert all(block.language in RUN for block in BLOCKS if block.not_run or block.needs)


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "json"], ids=str)
def test_json_is_json(block: Block) -> None:
    """Given a block of JSON, then it is some: one value, or one a line where it is a file of lines."""
    for text in block.text.splitlines() if block.file.endswith(".jsonl") else [block.text]:
        json.loads(text)


def test_every_placeholder_is_known() -> None:
    """Given what runs, when a reader must put something in, then the table has it."""
    used = {name for block in BLOCKS if block.runs or block.file for name in PLACEHOLDER.findall(block.text)}
    assert used == PLACEHOLDERS
