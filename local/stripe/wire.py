"""The HTTP protocol that keeps a request's connection in its scope, so that a fault can cut it."""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.auto import AutoHTTPProtocol

from local.stripe.fault_answers import TRANSPORT


class SeverableProtocol(AutoHTTPProtocol):  # type: ignore[misc,valid-type] # uvicorn chooses it when imported
    """Uvicorn's protocol; a request's scope has the connection in its `state`."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Puts the connection into the requests' `state`."""
        super().connection_made(cast("asyncio.Transport", transport))
        self.app_state: dict[str, Any] = {**self.app_state, TRANSPORT: transport}
