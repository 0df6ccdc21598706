"""Whether Kafka can be talked to, and if not, why: the clients only say that they can't."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from aiokafka import errors
from aiokafka.conn import AIOKafkaConnection, create_conn
from aiokafka.protocol.metadata import MetadataRequest

from runtime.kafka import CONNECT_MS, connection_options, sync_options
from runtime.kafka_faults import Address, KafkaRefusedError, KafkaUnreachableError, fault_met
from runtime.settings import KafkaSettings

DEFAULT_PORT = 9092
AGAIN_SECONDS = 0.2


T = TypeVar("T")


def connected(client: Callable[..., T], settings: KafkaSettings, **options: Any) -> T:
    """One of kafka-python's clients, once it is known that Kafka can be talked to.

    Raises:
        KafkaUnreachableError, TlsFilesError: as `check_kafka`.
        KafkaError: the client meets something else.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        wait_for_kafka(settings)
    else:
        with ThreadPoolExecutor(1) as apart:  # a thread has at most one running loop; the process waits for this thread
            apart.submit(wait_for_kafka, settings).result()
    return client(**sync_options(settings), **options)


def wait_for_kafka(settings: KafkaSettings) -> None:
    """As `check_kafka`, for somebody who waits for a command: a broker that is just being started again is waited for.

    Raises:
        KafkaUnreachableError, TlsFilesError: as `check_kafka`.
    """
    deadline = time.monotonic() + CONNECT_MS / 1000
    while True:
        try:
            return asyncio.run(check_kafka(settings))
        except KafkaRefusedError:
            raise
        except KafkaUnreachableError:
            if time.monotonic() >= deadline:
                raise
        time.sleep(AGAIN_SECONDS)


async def check_kafka(settings: KafkaSettings) -> None:
    """Returns once one of the servers has answered as it would any client.

    Raises:
        KafkaRefusedError: one of them does not take how it was talked to, and no other has answered.
        KafkaUnreachableError: none can be reached.
        TlsFilesError: the certificates can't be used.
    """
    faults: list[KafkaUnreachableError] = []
    for server in settings.kafka_bootstrap_servers.split(","):
        address = _parse(server)
        try:
            brokers = await _ask(settings, address)
        except (errors.KafkaError, OSError, EOFError) as error:
            faults.append(fault_met(settings, address, error))
            continue
        await _check_advertised(settings, address, brokers)
        return
    raise next((fault for fault in faults if isinstance(fault, KafkaRefusedError)), faults[0])


async def _ask(settings: KafkaSettings, address: Address) -> list[Address]:
    """Where the brokers say that they are."""
    connection = await _connect(settings, address)
    try:
        answer = await connection.send(MetadataRequest([]))
    finally:
        connection.close()
    return [Address(broker[1], broker[2]) for broker in answer.brokers]


async def _connect(settings: KafkaSettings, address: Address) -> AIOKafkaConnection:
    options = connection_options(settings)
    del options["bootstrap_servers"]
    return await create_conn(*address, request_timeout_ms=CONNECT_MS, **options)


async def _check_advertised(settings: KafkaSettings, asked: Address, brokers: list[Address]) -> None:
    """Clients go on at the addresses that the brokers name, wherever they began."""
    fault: KafkaUnreachableError | None = None
    for broker in brokers:
        if broker == asked:
            return
        try:
            (await _connect(settings, broker)).close()
        except (errors.KafkaError, OSError, EOFError) as error:
            fault = fault_met(settings, broker, error)
        else:
            return
    if fault is not None:
        raise KafkaUnreachableError(
            f"Kafka at {asked} names {', '.join(map(str, brokers))} as its brokers' addresses, and: {fault}; "
            "check the brokers' advertised.listeners"
        )


def _parse(server: str) -> Address:
    host, _, port = server.rpartition(":") if not server.endswith("]") else (server, "", "")
    if not host:
        host, port = server, ""
    return Address(host.strip("[]"), int(port or DEFAULT_PORT))
