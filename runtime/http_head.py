"""The head of an HTTP request, its first line and its fields: bounded before anything is made of it.

h11 bounds what is incomplete. A head that comes in one piece it reads whole, however long it is.
"""

import re

import h11

LINE_BYTES = 8190  # of the first line, as Apache's LimitRequestLine; RFC 9112, 3 asks for 8000
MOST_FIELDS = 100  # as Apache's LimitRequestFields; a browser behind two proxies sends some 30
TRAILER_BYTES = 4096  # of a chunk's first line, or of the fields after the last chunk: nobody sends any
_BLANK_LINE = re.compile(rb"\n\r?\n")


def is_excessive(received: bytes, most_bytes: int) -> bool:
    """Whether what was received begins with a head, or a part of one, that is longer than heads may be."""
    end = _BLANK_LINE.search(received)
    head = received[: end.start()] if end else received
    line = head.find(b"\n") if b"\n" in head else len(head)
    return len(head) > most_bytes or line > LINE_BYTES or head.count(b"\n") > MOST_FIELDS


class BoundedConnection(h11.Connection):
    """A server's connection that refuses a long head unread. `refused_head` says that it did."""

    def __init__(self, head_bytes: int) -> None:
        super().__init__(h11.SERVER, max_incomplete_event_size=TRAILER_BYTES)
        self._head_bytes = head_bytes
        self.refused_head = False

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """As h11's own.

        Raises:
            h11.RemoteProtocolError: also for a head that is too long.
        """
        if self.their_state is h11.IDLE:
            received = self.trailing_data[0]
            if is_excessive(received, self._head_bytes):
                self.refused_head = True
                raise h11.RemoteProtocolError("the head is too long", error_status_hint=431)
            if len(received) > TRAILER_BYTES and not _BLANK_LINE.search(received):
                return h11.NEED_DATA  # h11 would refuse what may still become a head
        return super().next_event()
