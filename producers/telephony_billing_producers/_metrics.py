"""The emitters' metrics for Prometheus.

As long as a process lives: emitted = acknowledged + in flight + events in its slots of the spool - events that it found
in these slots, at its start or when it took them over.
"""

from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import NamedTuple
from weakref import WeakKeyDictionary

from prometheus_client import CollectorRegistry, Counter, Gauge

from ._spool.slots import bytes_of_all


class Source(NamedTuple):
    """The values of one emitter: events in memory, events and bytes in its slot, connected or not; the spool's path."""

    in_flight_events: Callable[[], int]
    spool_events: Callable[[], int]
    spool_bytes: Callable[[], int]
    is_connected: Callable[[], bool]
    spool_directory: Path


class EmitterMetrics:
    """The metrics of all emitters on one registry: a second emitter, or one made anew, adds to the same."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._lock = Lock()
        self._sources: tuple[Source, ...] = ()
        self.emitted = Counter(
            "usage_emitter_events_emitted", "Events that emit() accepted.", ["meter"], registry=registry
        )
        self.acknowledged = Counter(
            "usage_emitter_events_acknowledged", "Events that Kafka acknowledged.", registry=registry
        )
        self.spooled = Counter("usage_emitter_events_spooled", "Events written to the disk spool.", registry=registry)
        self.clock_skew = Gauge(
            "usage_emitter_clock_skew_seconds", "This clock less Kafka's; 0 when they may agree.", registry=registry
        )
        gauges: dict[str, tuple[str, Callable[[], float]]] = {
            "in_flight_events": (
                "Events in memory that Kafka has yet to acknowledge.",
                lambda: sum(source.in_flight_events() for source in self._sources),
            ),
            "spool_events": (
                "Events that wait in this process's spool.",
                lambda: sum(source.spool_events() for source in self._sources),
            ),
            "spool_bytes": (
                "Bytes that wait in this process's spool.",
                lambda: sum(source.spool_bytes() for source in self._sources),
            ),
            "spool_directory_bytes": (
                "Bytes that wait in every slot of the spool's directory, whoever left them.",
                lambda: sum(map(bytes_of_all, {source.spool_directory for source in self._sources})),
            ),
            "connected": (
                "1 while events go to Kafka directly, 0 while to the spool.",
                lambda: bool(self._sources) and all(source.is_connected() for source in self._sources),
            ),
        }
        for name, (meaning, value) in gauges.items():
            Gauge(f"usage_emitter_{name}", meaning, registry=registry).set_function(value)

        self._emitted: dict[str, Counter] = {}

    def emitted_of(self, meter: str) -> Counter:
        """Returns the counter of a meter's emitted events; calls `labels` only once, as it costs more than counting."""
        counter = self._emitted.get(meter)
        if counter is None:
            counter = self._emitted[meter] = self.emitted.labels(meter)
        return counter

    def watch(self, source: Source) -> None:
        """Includes an emitter in the gauges."""
        with self._lock:
            self._sources = (*self._sources, source)

    def forget(self, source: Source) -> None:
        """Removes an emitter from the gauges."""
        with self._lock:
            self._sources = tuple(each for each in self._sources if each is not source)

    def after_fork(self) -> None:
        """Starts anew in a child: the sources, and a thread that held the lock, belong to the parent."""
        self._lock = Lock()
        self._sources = ()


_of_registry: WeakKeyDictionary[CollectorRegistry, EmitterMetrics] = WeakKeyDictionary()
_making = Lock()


def metrics_of(registry: CollectorRegistry) -> EmitterMetrics:
    """Returns the metrics that all emitters on a registry share; makes them for the first one."""
    with _making:
        if registry not in _of_registry:
            _of_registry[registry] = EmitterMetrics(registry)
        return _of_registry[registry]
