"""The client behind a proxy, and the proxies that are not trusted."""

import httpx
import pytest
from pydantic import ValidationError

from api.forwarded import TrustedProxies
from api.settings import ApiSettings
from metering.api_key import make_api_key
from tests.api.calling import SESSION, assert_problem, calling, settings_of
from tests.api.folded import Folded

CLIENT, PROXY, BALANCER = "203.0.113.7", "10.0.0.2", "10.0.0.1"
UNKNOWN = {"key": make_api_key(lambda alphabet: alphabet[11])}


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "client"),
    [
        ("", CLIENT, ["198.51.100.1"], CLIENT),
        (PROXY, CLIENT, ["198.51.100.1"], CLIENT),
        (PROXY, PROXY, [CLIENT], CLIENT),
        (PROXY, PROXY, ["198.51.100.1", CLIENT], CLIENT),  # the left one is the client's own invention
        (PROXY, PROXY, [], PROXY),
        (f"{PROXY},{BALANCER}", BALANCER, ["198.51.100.1", CLIENT, PROXY], CLIENT),
        (PROXY, PROXY, [CLIENT, BALANCER], BALANCER),  # not named: it is the client, for all that is known
        ("10.0.0.0/8", BALANCER, ["198.51.100.1", CLIENT, PROXY], CLIENT),
        ("10.0.0.0/8", BALANCER, ["10.9.9.9", PROXY], "10.9.9.9"),
        (PROXY, f"::ffff:{PROXY}", [CLIENT], CLIENT),
        ("2001:db8::/32", "2001:db8::5", ["[2001:db9::1]:4711"], "2001:db9::1"),
        (PROXY, PROXY, [f"{CLIENT}:4711"], CLIENT),
        (PROXY, PROXY, ["2001:db9::1"], "2001:db9::1"),
        (PROXY, PROXY, ["unknown"], "unknown"),
        (PROXY, PROXY, [CLIENT, *[PROXY] * 50], PROXY),
        ("1", PROXY, ["198.51.100.1", CLIENT], CLIENT),
        ("2", BALANCER, ["198.51.100.1", CLIENT, PROXY], CLIENT),
        ("2", BALANCER, [CLIENT], CLIENT),
        ("1", CLIENT, [], CLIENT),
        ("0", PROXY, [CLIENT], PROXY),
    ],
)
def test_only_what_our_proxies_wrote_counts(trusted: str, peer: str, forwarded: list[str], client: str) -> None:
    """Read from the right: a proxy appends the address of its own client."""
    assert TrustedProxies.parse(trusted).client(peer, forwarded) == client


@pytest.mark.parametrize("trusted", ["*", "127.0.0.1,*", "0.0.0.0/0", "::/0", "proxy.example", "10.0.0.1/8", "-1"])
def test_a_setting_that_believes_anybody_is_refused(monkeypatch: pytest.MonkeyPatch, trusted: str) -> None:
    """And so is what could never be an address: a proxy that is not recognised makes all its clients one."""
    monkeypatch.setenv("BILLING_TRUSTED_PROXIES", trusted)
    with pytest.raises(ValidationError, match="trusted_proxies"):
        ApiSettings()


def test_the_default_is_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a proxy beside the API is on it."""
    monkeypatch.delenv("BILLING_TRUSTED_PROXIES", raising=False)
    proxies = ApiSettings().trusted_proxies
    assert proxies.trusts("127.0.0.1")
    assert not proxies.trusts(PROXY)


async def attempt(api: httpx.AsyncClient, forwarded: str) -> httpx.Response:
    """Tries to sign in; the test's client is at 127.0.0.1."""
    return await api.post(SESSION, json=UNKNOWN, headers={"X-Forwarded-For": forwarded})


async def test_a_client_does_not_write_its_own_address(settings: ApiSettings, folded: Folded) -> None:
    """Given a new invented address at every attempt, left of the proxy's entry, all of them count as one client."""
    limited = settings_of(settings.redis_url, settings.redis_prefix, sign_in_limit=3, trusted_proxies="127.0.0.1")
    async with calling(limited) as api:
        for number in range(3):
            assert_problem(await attempt(api, f"198.51.100.{number}, {CLIENT}"), 401, "invalid_api_key")
        assert_problem(await attempt(api, f"198.51.100.9, {CLIENT}"), 429, "too_many_attempts")
        assert_problem(await attempt(api, "203.0.113.8"), 401, "invalid_api_key")


async def test_a_proxy_that_is_not_named_is_pointed_out(
    settings: ApiSettings, folded: Folded, caplog: pytest.LogCaptureFixture
) -> None:
    """Given X-Forwarded-For from an unknown peer, it is not believed, and the log names the peer and the setting."""
    limited = settings_of(settings.redis_url, settings.redis_prefix, sign_in_limit=1, trusted_proxies=PROXY)
    async with calling(limited) as api:
        assert_problem(await attempt(api, CLIENT), 401, "invalid_api_key")
        assert_problem(await attempt(api, "203.0.113.8"), 429, "too_many_attempts")
    assert "127.0.0.1 sends X-Forwarded-" in caplog.text
    assert "BILLING_TRUSTED_PROXIES" in caplog.text


@pytest.mark.parametrize(
    ("trusted", "protocol", "secure"),
    [
        ("127.0.0.1", "https", True),
        ("127.0.0.1", "http", False),
        ("127.0.0.1", "gopher", False),
        (PROXY, "https", False),
    ],
)
async def test_the_scheme_is_the_proxy_s_word(
    settings: ApiSettings, folded: Folded, trusted: str, protocol: str, secure: bool
) -> None:
    """Given https before a proxy of ours, the cookie never leaves https."""
    given = settings_of(settings.redis_url, settings.redis_prefix, trusted_proxies=trusted)
    async with calling(given) as api:
        body = {"key": await folded.key("acme")}
        answer = await api.post(SESSION, json=body, headers={"X-Forwarded-Proto": protocol})
    assert ("secure" in answer.headers["set-cookie"].lower()) is secure
