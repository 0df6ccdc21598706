"""The watches notice wrong totals and calls."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from tests.chaos.story import Story
from tests.chaos.watches import StripeWatch, TotalsWatch

Answers = list[tuple[int, int]]  # status and total, the next last


@contextmanager
def serving(answer: Callable[[], tuple[int, object]]) -> Iterator[str]:
    """The address of a server that answers everything so: a status, and what becomes JSON."""

    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answer()
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def answers() -> Answers:
    """What the API will answer."""
    return []


@pytest.fixture
def watch(answers: Answers) -> Iterator[TotalsWatch]:
    """A watch on an API that answers so."""

    def answer() -> tuple[int, object]:
        status, total = answers.pop()
        return status, {"usage": [{"meter": "sms.send", "total": total}]}

    with serving(answer) as url:
        yield TotalsWatch(url, {"a": "key"}, Story())


@pytest.mark.parametrize(
    ("answered", "wrong"),
    [
        ([(200, 5), (503, 0), (200, 5), (200, 9)], []),
        ([(200, 5), (503, 0), (200, 4)], ["a sms.send was 5, and shrank to 4"]),
    ],
)
def test_only_a_smaller_total_is_wrong(
    watch: TotalsWatch, answers: Answers, answered: Answers, wrong: list[str]
) -> None:
    """Given totals that grow or are not told, all is well; one that shrank, if only after a refusal, is wrong."""
    answers += reversed(answered)

    for _ in answered:
        watch.look()

    assert watch.wrong == wrong


def test_any_other_answer_is_wrong(watch: TotalsWatch, answers: Answers) -> None:
    """Given a valid key that reads as unknown, that is reported."""
    answers.append((401, 0))

    watch.look()

    assert len(watch.wrong) == 1


@pytest.mark.parametrize("excused", [True, False])
def test_two_calls_at_once_are_wrong_unless_explained(excused: bool) -> None:
    """Given a lane with two calls at once, seen twice, it is reported once; not at all where a fault explains it."""
    with serving(lambda: (200, {"concurrency": {"lanes": {"cus sms.send": 2}}})) as url:
        watch = StripeWatch(url, Story(), lambda _: excused)
        watch.look()
        watch.look()

    assert len(watch.wrong) == (0 if excused else 1)
