"""What a client may cost a server of ours, told by clients that behave badly."""

import socket
import time
from contextlib import ExitStack
from dataclasses import replace

import pytest

from runtime.http_head import MOST_FIELDS
from runtime.http_protocol import ConnectionEnd
from runtime.http_server import listen
from tests.runtime.served import GET, HURRIED, PATIENT, head, served
from tests.support.eventually import eventually
from tests.support.http_serving import status_of


def test_a_connection_serves_one_request_after_another() -> None:
    """Also several that are sent at once, and bodies in both forms."""
    sized = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
    chunked = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n"
    with served(PATIENT) as server, server.client(GET) as client:
        assert client.answer()[::2] == (200, b"0 bytes")
        client.send(sized + GET + chunked)
        assert [client.answer()[2] for _ in range(3)] == [b"3 bytes", b"0 bytes", b"5 bytes"]
    assert not server.ended


def test_an_answer_does_not_wait_for_the_one_before_to_be_acknowledged() -> None:
    """Given a connection as a server of ours gets it, then what is written is sent at once (no Nagle's algorithm)."""
    with listen("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        connection, _ = listening.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_long_body_in_pieces() -> None:
    """Is read to its end."""
    with (
        served(PATIENT) as server,
        server.client(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n") as client,
    ):
        for _ in range(30):
            client.send(b"x" * 10_000)
        assert client.answer()[2] == b"300000 bytes"


def test_a_head_within_the_bound() -> None:
    """Is read, in one piece and byte by byte."""
    longest = head(b"X: " + b"a" * (PATIENT.head_bytes - 50) + b"\r\n")
    with served(replace(PATIENT, head_bytes=10_000)) as server, server.client() as client:
        for sent in (longest, head(b"X: " + b"a" * 9_000 + b"\r\n"), head(b"a: b\r\n" * (MOST_FIELDS - 1))):
            client.send(sent)
            assert client.answer()[0] == 200
        for byte in head(b"X: " + b"a" * 5_000 + b"\r\n"):
            client.send(bytes((byte,)))
        assert client.answer()[0] == 200


TOO_LONG = {
    "one field": head(b"X: " + b"a" * 60_000 + b"\r\n"),
    "many fields": head(b"a:\n" * 80_000),
    "an address": b"GET /" + b"a" * 60_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "without an end": b"GET / HTTP/1.1\r\nX: " + b"a" * 60_000,
    "a few fields too many": head(b"a: b\r\n" * (MOST_FIELDS + 1)),
}


@pytest.mark.parametrize("sent", TOO_LONG.values(), ids=TOO_LONG.keys())
def test_a_head_beyond_the_bound_is_not_read(sent: bytes) -> None:
    """It is refused with a reason; so is one behind a request that is fine."""
    with served(PATIENT) as server:
        with server.client(sent) as client:
            assert status_of(client.rest()) == 431
        with server.client(GET + sent) as client:
            assert client.answer()[0] == 200
            assert status_of(client.rest()) == 431
    assert server.ended == {ConnectionEnd.HEAD_TOO_LARGE: 2}


def test_a_long_trailer_is_not_read() -> None:
    """Fields after a body's last chunk are as many as somebody likes: nobody needs them. Nor behind another request."""
    start = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
    long = start + b"a:\n" * 40_000 + b"\r\n"
    with served(PATIENT) as server:
        with server.client(long) as client:
            assert status_of(client.rest()) == 400
        with server.client(GET + long) as client:
            assert client.answer()[0] == 200
            assert status_of(client.rest()) == 400
    assert server.ended == {ConnectionEnd.MALFORMED: 2}


@pytest.mark.parametrize("sent", [b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", b"GET\r\n\r\n", head(b"a b: c\r\n")])
def test_what_is_no_request(sent: bytes) -> None:
    """Is told so."""
    with served(PATIENT) as server, server.client(sent) as client:
        assert status_of(client.rest()) == 400
    assert server.ended == {ConnectionEnd.MALFORMED: 1}


def test_a_body_that_breaks_the_rules_half_way() -> None:
    """The application is told that its client is gone."""
    start = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n"
    with served(PATIENT) as server, server.client(start, b"no chunk\r\n") as client:
        assert status_of(client.rest()) == 400
        assert server.app.cut_off.wait(10)


def test_who_says_nothing_is_left() -> None:
    """Without a word: there was no request to answer."""
    with served(HURRIED) as server, server.client() as client:
        assert client.rest() == b""
    assert server.ended == {ConnectionEnd.TOO_SLOW: 1}


HALF = {
    "head": b"GET / HTTP/1.1\r\nHost: x\r\nX: ",
    "body": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n",
    "the second head": GET + b"GET / HTTP/1.1\r\nX: ",
}


@pytest.mark.parametrize("sent", HALF.values(), ids=HALF.keys())
def test_who_sends_a_request_drop_by_drop_is_stopped(sent: bytes) -> None:
    """However regularly a byte comes: the whole has to come in time."""
    with served(HURRIED) as server, server.client(sent) as client:

        def ended() -> bool:
            client.send(b"a")
            return bool(server.ended)

        eventually(ended)
        assert b"HTTP/1.1 408 " in client.rest()
        assert b"Content-Length" not in sent or server.app.cut_off.wait(10)
    assert server.ended == {ConnectionEnd.TOO_SLOW: 1}


def test_who_never_ends_a_body_that_nobody_reads_is_stopped() -> None:
    """An answer that came before the request's end buys no time."""
    sent = HALF["body"].replace(b"POST /", b"POST /unread")
    with served(HURRIED) as server, server.client(sent) as client:
        assert client.answer()[0] == 200
        assert client.rest() == b""
    assert server.ended == {ConnectionEnd.TOO_SLOW: 1}


def test_who_does_not_take_the_answer_is_left() -> None:
    """Its connection does not stay until it does."""
    with served(HURRIED) as server, server.client(b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n"):
        eventually(lambda: server.ended == {ConnectionEnd.TOO_SLOW: 1})


def test_a_busy_client_is_not_taken_for_a_slow_one() -> None:
    """Each request has its own time, also where its beginning came with the one before."""
    first, second = GET[:20], GET[20:]
    with served(replace(PATIENT, client_seconds=2.0)) as server, server.client(first) as client:
        end = time.monotonic() + 2.5
        while time.monotonic() < end:
            client.send(second + first)
            assert client.answer()[0] == 200
    assert not server.ended


def test_a_slow_answer_is_not_the_client_s_fault() -> None:
    """Nothing runs out while the application works."""
    with served(HURRIED) as server, server.client(b"GET /held HTTP/1.1\r\nHost: x\r\n\r\n") as client:
        assert server.app.arrived.acquire(timeout=10)
        with server.client() as silent:
            assert silent.rest() == b""  # somebody else's time has run out meanwhile
        server.app.release.set()
        assert client.answer()[0] == 200
    assert server.ended == {ConnectionEnd.TOO_SLOW: 1}


def test_when_all_places_are_busy_one_more_is_refused() -> None:
    """And told to come back; when a client is gone, somebody else gets its place."""
    with served(replace(PATIENT, connections=3)) as server, ExitStack() as clients:
        held = [clients.enter_context(server.client(b"GET /held HTTP/1.1\r\nHost: x\r\n\r\n")) for _ in range(3)]
        for _ in held:
            assert server.app.arrived.acquire(timeout=10)
        with server.client(GET) as refused:
            assert status_of(refused.rest()) == 503
        assert server.ended == {ConnectionEnd.FULL: 1}
        held.pop().socket.close()

        def a_place_is_free() -> bool:
            with server.client(GET) as late:
                return late.answer()[0] == 200

        eventually(a_place_is_free)
        server.app.release.set()
        assert [client.answer()[0] for client in held] == [200] * 2


@pytest.mark.parametrize("before", [b"", GET], ids=["from the beginning", "after a request"])
def test_silent_clients_do_not_keep_others_out(before: bytes) -> None:
    """They take all places, and each new client takes the place of the one that was silent for longest."""
    with served(replace(PATIENT, connections=3)) as server, ExitStack() as clients:
        silent = [clients.enter_context(server.client(before)) for _ in range(3)]
        if before:
            assert [client.answer()[0] for client in silent] == [200] * 3
        for client in silent:
            client.send(HALF["head"])
        for _ in range(2):
            with server.client(GET) as client:
                assert client.answer()[0] == 200
        eventually(lambda: silent[0].ended)
        assert server.ended[ConnectionEnd.MADE_ROOM] >= 1


def test_one_address_does_not_take_all_places() -> None:
    """Others have theirs; a proxy is not one client."""
    bounds, proxy = replace(PATIENT, connections_of_one=2), "127.0.0.3"
    held = b"GET /held HTTP/1.1\r\nHost: x\r\n\r\n"
    with served(bounds, frozenset({proxy})) as server, ExitStack() as clients:
        for source in ("127.0.0.1", "127.0.0.1", proxy, proxy, proxy):
            clients.enter_context(server.client(held, source=source))
            assert server.app.arrived.acquire(timeout=10)
        with server.client(GET) as crowded:
            assert status_of(crowded.rest()) == 503
        with server.client(GET, source="127.0.0.2") as other:
            assert other.answer()[0] == 200
        server.app.release.set()
    assert server.ended == {ConnectionEnd.CROWDED: 1}
