"""Finds the client behind our proxies, from X-Forwarded-For and X-Forwarded-Proto.

A proxy appends the address of its own client to the header. So the header is read from its right end, and only entries
that a trusted proxy has written count. A client can invent the entries further to the left.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from starlette.types import ASGIApp, Receive, Scope, Send

log = logging.getLogger(__name__)

_MOST_PROXIES = 16  # entries that are read: no request passes through more proxies


@dataclass(frozen=True, slots=True)
class TrustedProxies:
    """The proxies in front of the API: by their `networks`, or by their number (`hops`) at any address."""

    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    hops: int = 0

    @classmethod
    def parse(cls, text: str) -> "TrustedProxies":
        """Parses addresses and networks, separated by commas; or a number of proxies; empty: no proxy.

        Raises:
            ValueError: the text is neither, or it would trust every address.
        """
        if text.strip().isascii() and text.strip().isdecimal():
            return cls(hops=int(text))
        return cls(tuple(_network(each.strip()) for each in text.split(",") if each.strip()))

    def trusts(self, address: str) -> bool:
        """Returns whether a connection from this address comes from a trusted proxy."""
        if self.hops:
            return True
        parsed = _address(address)
        return parsed is not None and any(parsed in network for network in self.networks)

    def client(self, peer: str, forwarded: Sequence[str]) -> str:
        """Returns the client's address.

        Args:
            peer: the address at the other end of the connection.
            forwarded: the entries of X-Forwarded-For, from left to right.
        """
        if not self.trusts(peer):
            return peer
        if self.hops:
            believed = [peer, *reversed(forwarded[-self.hops :])]
            return _without_port(believed[-1])
        client = peer
        for entry in reversed(forwarded[-_MOST_PROXIES:]):
            client = _without_port(entry)
            if not self.trusts(client):
                break
        return client


class Forwarded:
    """A middleware: replaces the proxy's address and scheme by the client's."""

    def __init__(self, app: ASGIApp, proxies: TrustedProxies) -> None:
        self._app = app
        self._proxies = proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on."""
        if scope["type"] == "http":
            forwarded = _field(scope, b"x-forwarded-for")
            protocol = _field(scope, b"x-forwarded-proto")
            if forwarded or protocol:
                self._apply(scope, forwarded, protocol)
        await self._app(scope, receive, send)

    def _apply(self, scope: Scope, forwarded: Sequence[str], protocol: Sequence[str]) -> None:
        peer = scope["client"][0] if scope.get("client") else ""
        if not self._proxies.trusts(peer):
            log.warning(
                "%s sends X-Forwarded-*, and BILLING_TRUSTED_PROXIES does not name it: if it is a proxy of yours, "
                "all clients behind it count as one",
                peer,
            )
            return
        if forwarded:
            scope["client"] = (self._proxies.client(peer, forwarded), 0)
        if protocol and protocol[-1] in {"http", "https"}:
            scope["scheme"] = protocol[-1]


def _field(scope: Scope, name: bytes) -> list[str]:
    """Returns the entries of a header, which may come in several fields."""
    fields = [value.decode("latin-1") for each, value in scope["headers"] if each == name]
    return [entry.strip() for field in fields for entry in field.split(",") if entry.strip()]


def _network(text: str) -> IPv4Network | IPv6Network:
    if text == "*":
        raise ValueError(
            "* would believe what clients write themselves: name the proxies' addresses or networks "
            "(10.0.0.0/8), or say how many proxies there are in front of the API (1)"
        )
    try:
        network = ip_network(text)
    except ValueError as error:
        raise ValueError(f"{text} is no address, no network such as 10.0.0.0/8, and no number of proxies") from error
    if network.prefixlen == 0:
        raise ValueError(f"{text} is everybody: say how many proxies there are in front of the API (1)")
    return network


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        parsed = ip_address(text)
    except ValueError:
        return None
    return parsed.ipv4_mapped or parsed if isinstance(parsed, IPv6Address) else parsed


def _without_port(entry: str) -> str:
    """Returns the address in an entry: some proxies write 203.0.113.7:4711, or [2001:db8::1]:4711."""
    if entry.startswith("["):
        return entry[1:].partition("]")[0]
    return entry.partition(":")[0] if entry.count(":") == 1 else entry
