"""redis under testcontainers, with the settings of the embedded one."""

import redis
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer

from local.servers.redis import SETTINGS
from tests.support.eventually import eventually
from tests.support.servers import REDIS_IMAGE

PORT = 6379
START_SECONDS = 30

# The containers are stopped by the fixtures that start them: no need for another image that does so.
testcontainers_config.ryuk_disabled = True


class RedisContainer(DockerContainer):
    """One Redis server."""

    def __init__(self) -> None:
        super().__init__(REDIS_IMAGE)
        self.with_exposed_ports(PORT)
        settings = {**SETTINGS, "bind": "0.0.0.0", "protected-mode": "no"}  # noqa: S104 - inside the container
        command = ["redis-server"]
        for name, value in settings.items():
            command += [f"--{name}", value]
        self.with_command(command)

    @property
    def url(self) -> str:
        """The URL for clients outside of the container."""
        return f"redis://{self.get_container_host_ip()}:{self.get_exposed_port(PORT)}/0"

    def start(self) -> "RedisContainer":
        """Start the container and wait until it answers."""
        super().start()
        with redis.Redis.from_url(self.url) as client:
            eventually(lambda: _answers(client), START_SECONDS, "Redis in its container")
        return self


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False
