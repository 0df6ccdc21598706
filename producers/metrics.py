"""What an emitter tells Prometheus.

As long as a process lives, emitted = acknowledged + in flight + waiting in the spool, less what it found in the
spool when it started.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge


class EmitterMetrics:
    """The metrics of one emitter, registered on the service's own registry: one emitter per registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.emitted = Counter(
            "usage_emitter_events_emitted", "Events that emit() accepted.", ["meter"], registry=registry
        )
        self.acknowledged = Counter(
            "usage_emitter_events_acknowledged", "Events that Kafka acknowledged.", registry=registry
        )
        self.spooled = Counter("usage_emitter_events_spooled", "Events written to the disk spool.", registry=registry)
        self.in_flight = Gauge(
            "usage_emitter_in_flight_events", "Events in memory that Kafka has yet to acknowledge.", registry=registry
        )
        self.spool_events = Gauge(
            "usage_emitter_spool_events", "Events that wait in the disk spool.", registry=registry
        )
        self.spool_bytes = Gauge("usage_emitter_spool_bytes", "Bytes that wait in the disk spool.", registry=registry)
        self.connected = Gauge(
            "usage_emitter_connected", "1 while events go to Kafka directly, 0 while to the spool.", registry=registry
        )
