"""The documents' blocks do what they say, typed as they are printed, against one running stack."""

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.docs.blocks import blocks_of
from tests.docs.filling import table
from tests.docs.pages import PAGES, name
from tests.docs.reader import Reader, make_checkout
from tests.support.stack import Stack, booted

pytestmark = pytest.mark.timeout(300)  # the first page waits for a whole stack

RUNNING = [page for page in PAGES if any(block.runs for block in blocks_of(page))]
READERS = 3  # at once: most of their time they wait


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """What `make up` runs, without the demo: its traffic would only slow the readers down."""
    with booted(tmp_path_factory.mktemp("stack"), "--no-demo") as stack:
        yield stack


@pytest.fixture(scope="module")
def readings(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[Path, Future[None]]]:
    """Every page with what came of typing its blocks, each in a checkout of its own."""
    filled = table(stack)

    def read(page: Path, directory: Path) -> None:
        with Reader(make_checkout(directory, stack.directory), filled, stack.env) as reader:
            for block in blocks_of(page):
                reader.take(block)
            reader.press_ctrl_c()

    with ThreadPoolExecutor(READERS) as readers:
        yield {page: readers.submit(read, page, tmp_path_factory.mktemp(page.stem)) for page in RUNNING}


@pytest.mark.parametrize("page", RUNNING, ids=name)
def test_a_page_works_as_printed(page: Path, readings: Mapping[Path, Future[None]]) -> None:
    """Given a checkout and a running stack, when a page's blocks are typed in order, then each does what it says."""
    readings[page].result()
