"""Problems of the request itself, and internal errors."""

from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from api.app import create_app
from api.settings import ApiSettings
from ledger.script import Script
from metering.api_key import make_api_key
from tests.api.calling import SESSION, USAGE, assert_problem, bearer, calling, client_of, settings_of

KEY = make_api_key(lambda alphabet: alphabet[0])


class Faulty:
    """A store with a bug."""

    async def run(self, script: Script, keys: Sequence[str], args: Sequence[str | bytes | int]) -> Any:
        """Fails with something that no caller should read."""
        raise LookupError("internal-secret")


@pytest.mark.parametrize("path", ["/", "/api/billing", "/api/billing/usage/", "/redoc", "/API/billing/usage"])
async def test_an_unknown_address(api: httpx.AsyncClient, path: str) -> None:
    """Given no endpoint at the address, the answer is a problem and no redirect."""
    assert_problem(await api.get(path), 404, "not_found")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_another_method(api: httpx.AsyncClient, method: str) -> None:
    """Given a method that the endpoint does not take, the answer names those that it does."""
    answer = await api.request(method, USAGE)
    assert_problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, HEAD"


async def test_an_address_with_several_methods(api: httpx.AsyncClient) -> None:
    """Given one that takes others, the answer names all of them."""
    answer = await api.put(SESSION)
    assert_problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "DELETE, GET, HEAD, POST"


async def test_an_invalid_parameter(settings: ApiSettings) -> None:
    """Given an endpoint with a typed parameter, the problem names the parameter and what is wrong with it."""
    app = create_app(settings)

    @app.get("/typed")
    async def typed(number: int) -> int:
        return number

    async with client_of(app) as api:
        answer = await api.get("/typed", params={"number": "one"})
    assert_problem(answer, 422, "validation_error")
    assert answer.json()["detail"] == "number can't be read."


async def test_an_internal_error(settings: ApiSettings, caplog: pytest.LogCaptureFixture) -> None:
    """Given a bug, the log has the whole traceback, the caller sees nothing of it, and a page may read the problem."""
    origin = "https://app.example.com"
    with_cors = settings_of(settings.redis_url, settings.redis_prefix, cors_origins=origin)
    async with calling(with_cors, store=Faulty()) as api:
        answer = await api.get(USAGE, headers=bearer(KEY) | {"Origin": origin})
    assert_problem(answer, 500, "internal_error")
    assert "secret" not in answer.text
    assert answer.headers["access-control-allow-origin"] == origin
    assert "Traceback" in caplog.text
    assert "LookupError: internal-secret" in caplog.text
