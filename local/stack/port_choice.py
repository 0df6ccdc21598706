"""Chooses the servers' ports: set ones first, else those of the last start, else well-known ones, else free ones."""

from collections.abc import Callable, Iterable, Mapping

from local.servers.ports import PortTakenError, free_ports, require_free
from local.stack.errors import StackError

# Server → the variable that sets its port. Kafka's second port is internal.
VARIABLES: Mapping[str, str | None] = {
    "kafka": "BILLING_KAFKA_PORT",
    "kafka-controller": None,
    "redis": "BILLING_REDIS_PORT",
    "stripe-double": "BILLING_STRIPE_DOUBLE_PORT",
    "api": "BILLING_HTTP_PORT",
}
# The ports in the documents, which clients try first.
WELL_KNOWN: Mapping[str, int] = {"kafka": 9092, "api": 8080}
_LARGEST = 65_535


def choose_ports(
    environ: Mapping[str, str],
    kept: Mapping[str, int],
    workers: Iterable[str] = (),
    take: Callable[[int], bool] = lambda _: False,
) -> dict[str, int]:
    """Returns a port for every server, and for every worker's health page.

    Args:
        environ: the variables that set ports.
        kept: the ports of the last start.
        workers: the names of processes that serve only a health page.
        take: takes a well-known port for this stack; returns False if another stack has it.

    Raises:
        PortTakenError: a port that a variable sets belongs to another process.
        StackError: a variable is not a port, or two servers have the same one.
    """
    ports = _set_ports(environ)
    wanted = [*VARIABLES, *workers]
    for server, port in kept.items():
        if server in wanted and server not in ports and port not in ports.values() and _is_free(port):
            ports[server] = port
    for server, port in WELL_KNOWN.items():
        if server not in ports and port not in ports.values() and _is_free(port) and take(port):
            ports[server] = port
    missing = [server for server in wanted if server not in ports]
    spare = [port for port in free_ports(len(missing) + len(ports)) if port not in ports.values()]
    return ports | dict(zip(missing, spare, strict=False))


def _set_ports(environ: Mapping[str, str]) -> dict[str, int]:
    ports: dict[str, int] = {}
    for server, variable in VARIABLES.items():
        text = environ.get(variable, "") if variable else ""
        if not text:
            continue
        if not text.isdigit() or not 0 < int(text) <= _LARGEST:
            raise StackError(f"{variable} is {text!r}: set it to a port, 1 to {_LARGEST}, or leave it out")
        if int(text) in ports.values():
            raise StackError(f"{variable} is {text}, which another server was given: choose two different ports")
        require_free(int(text), f"{server} ({variable})")
        ports[server] = int(text)
    return ports


def _is_free(port: int) -> bool:
    try:
        require_free(port, "a server")
    except PortTakenError:
        return False
    return True
