"""The documents' blocks do what they say, typed as they are printed, against one running stack."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.docs.blocks import blocks_of
from tests.docs.filling import table
from tests.docs.pages import PAGES, name
from tests.docs.reader import Reader, make_checkout
from tests.support.stack import Stack, booted

RUNNING = [page for page in PAGES if any(block.runs for block in blocks_of(page))]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """What `make up` runs."""
    with booted(tmp_path_factory.mktemp("stack")) as stack:
        yield stack


@pytest.fixture(scope="module")
def filled(stack: Stack) -> Mapping[str, str]:
    """What a reader puts in."""
    return table(stack)


@pytest.mark.parametrize("page", RUNNING, ids=name)
def test_a_page_works_as_printed(page: Path, stack: Stack, filled: Mapping[str, str], tmp_path: Path) -> None:
    """Given a checkout and a running stack, when a page's blocks are typed in order, then each does what it says."""
    with Reader(make_checkout(tmp_path, stack.directory), filled, stack.env) as reader:
        for block in blocks_of(page):
            reader.take(block)
        reader.press_ctrl_c()
