"""Which client an address stands for."""

from ipaddress import IPv6Address, ip_address

_NEIGHBOURHOOD_BITS = 64  # of an IPv6 address: one customer has them all (RFC 6177)
UNKNOWN = "unknown"


def neighbourhood(address: str) -> str:
    """A client's address; of IPv6 the network, since one client has all of its addresses."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return UNKNOWN
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(IPv6Address(int(parsed) >> _NEIGHBOURHOOD_BITS << _NEIGHBOURHOOD_BITS))
    return str(parsed)
