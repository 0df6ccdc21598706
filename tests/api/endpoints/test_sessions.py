"""/dashboard/session: signing in with a key, the rights of a session, and all ways in which it ends."""

import httpx
import pytest
from redis.asyncio import Redis

from api.callers.session_cookie import COOKIE, SESSION_SECONDS
from api.endpoints.sessions import neighbourhood
from api.settings import ApiSettings
from metering.api_key import key_hash, make_api_key
from tests.api.calling import (
    DAILY,
    NOW,
    PERIODS,
    SESSION,
    USAGE,
    Interposed,
    assert_problem,
    bearer,
    calling,
    settings_of,
    totals,
)
from tests.api.folded import Folded
from tests.support.eventually import eventually_async

UNKNOWN = make_api_key(lambda alphabet: alphabet[11])


async def signed_in(api: httpx.AsyncClient, key: str) -> httpx.Response:
    """Signs in; the client keeps the cookie."""
    answer = await api.post(SESSION, json={"key": key})
    assert answer.status_code == 204, answer.text
    return answer


async def test_a_session_reads_what_its_key_reads(api: httpx.AsyncClient, folded: Folded) -> None:
    """Given a key, signing in sets a cookie that opens the same endpoints, for the stated time."""
    key = await folded.key("acme", label="laptop")
    await folded.use("acme", "sms.send", 5, NOW)
    assert_problem(await api.get(USAGE), 401, "missing_api_key")
    answer = await signed_in(api, key)
    assert answer.headers["cache-control"] == "no-store"
    assert totals(await api.get(USAGE)) == {"sms.send": 5}
    for path in (DAILY, PERIODS):
        assert (await api.get(path)).status_code == 200
    who = await api.get(SESSION)
    assert (who.status_code, who.json()) == (200, {"account": "acme", "label": "laptop"})


async def test_the_cookie_is_out_of_reach(settings: ApiSettings, folded: Folded) -> None:
    """HttpOnly, SameSite=Strict, for the whole site and twelve hours; Secure over https; without a trace of the key."""
    key = await folded.key("acme")
    async with calling(settings) as api:
        plain = (await signed_in(api, key)).headers["set-cookie"]
        secure = (await api.post("https://billing.test/dashboard/session", json={"key": key})).headers["set-cookie"]
    name, *attributes = [part.strip() for part in plain.split(";")]
    assert name.startswith(f"{COOKIE}=")
    assert {part.lower() for part in attributes} == {"httponly", "samesite=strict", "path=/", "max-age=43200"}
    assert "secure" in {part.strip().lower() for part in secure.split(";")}
    assert key not in plain
    assert key_hash(key) not in plain
    assert plain.split(";")[0] != secure.split(";")[0]


async def test_redis_holds_no_session_that_could_be_used(
    api: httpx.AsyncClient, folded: Folded, redis_url: str, redis_prefix: str
) -> None:
    """Given a session, Redis has its hash and its key's hash, for twelve hours, and neither secret."""
    key = await folded.key("acme")
    await signed_in(api, key)
    async with Redis.from_url(redis_url) as client:
        (name,) = [name async for name in client.scan_iter(match=f"{redis_prefix}*api:session:*", count=5000)]
        assert await client.get(name) == key_hash(key).encode()
        assert SESSION_SECONDS - 60 < await client.ttl(name) <= SESSION_SECONDS
    assert api.cookies[COOKIE] not in name.decode()
    assert key not in name.decode()


async def test_signing_out_ends_the_session_on_the_server(api: httpx.AsyncClient, folded: Folded) -> None:
    """Given a copy of the cookie, it opens nothing after the sign-out; signing out twice is harmless."""
    await signed_in(api, await folded.key("acme"))
    copy = {"Cookie": f"{COOKIE}={api.cookies[COOKIE]}"}
    answer = await api.delete(SESSION)
    assert answer.status_code == 204
    assert COOKIE not in api.cookies
    assert_problem(await api.get(USAGE, headers=copy), 401, "invalid_session")
    assert (await api.delete(SESSION)).status_code == 204


async def test_revoking_the_key_ends_its_sessions(api: httpx.AsyncClient, folded: Folded) -> None:
    """Given a revoked key, its session ends with it, and another key's session does not."""
    key, other = await folded.key("acme"), await folded.key("acme")
    await signed_in(api, other)
    staying = {"Cookie": f"{COOKIE}={api.cookies[COOKIE]}"}
    await signed_in(api, key)
    await folded.revoke(key)
    assert_problem(await api.get(USAGE), 401, "invalid_session")
    api.cookies.clear()
    assert (await api.get(USAGE, headers=staying)).status_code == 200


async def test_a_session_expires(api: httpx.AsyncClient, folded: Folded, redis_url: str, redis_prefix: str) -> None:
    """Given a session whose time is up, it is one that has ended."""
    await signed_in(api, await folded.key("acme"))
    async with Redis.from_url(redis_url) as client:
        (name,) = [name async for name in client.scan_iter(match=f"{redis_prefix}*api:session:*", count=5000)]
        await client.pexpire(name, 1)

        async def gone() -> bool:
            return not await client.exists(name)

        await eventually_async(gone)
    assert_problem(await api.get(USAGE), 401, "invalid_session")


@pytest.mark.parametrize("value", ["0." + "A" * 43, "3." + "_" * 43])
async def test_an_invented_session(api: httpx.AsyncClient, folded: Folded, value: str) -> None:
    """Given an invented cookie of the right shape, the answer is the same as for an ended session."""
    assert_problem(await api.get(USAGE, headers={"Cookie": f"{COOKIE}={value}"}), 401, "invalid_session")


@pytest.mark.parametrize("value", ["", "x", "9." + "A" * 43, "-1." + "A" * 43, "0." + "A" * 44, "0." + "*" * 43])
async def test_what_is_no_session(api: httpx.AsyncClient, folded: Folded, value: str) -> None:
    """Given a cookie of another shape, or for a shard that does not exist, it is ignored."""
    assert_problem(await api.get(USAGE, headers={"Cookie": f"{COOKIE}={value}"}), 401, "missing_api_key")


async def test_a_key_counts_for_more_than_a_session(api: httpx.AsyncClient, folded: Folded) -> None:
    """Given both, the key decides: a script must not depend on a browser's session."""
    await folded.use("acme", "sms.send", 1, NOW)
    await folded.use("other", "sms.send", 2, NOW)
    await signed_in(api, await folded.key("acme"))
    assert totals(await api.get(USAGE, headers=bearer(await folded.key("other")))) == {"sms.send": 2}
    assert_problem(await api.get(USAGE, headers=bearer(UNKNOWN)), 401, "invalid_api_key")


async def test_a_session_takes_two_round_trips(settings: ApiSettings, folded: Folded) -> None:
    """Like a key: the session and its key are looked up in one."""
    store = Interposed(folded.ledger.store)
    async with calling(settings, store=store) as api:
        await signed_in(api, await folded.key("acme"))
        store.ran.clear()
        await api.get(USAGE)
    assert store.ran == ["find_caller", "read_usage"]


@pytest.mark.parametrize(
    ("key", "status", "code"),
    [
        (UNKNOWN, 401, "invalid_api_key"),
        (UNKNOWN[:-1], 401, "malformed_api_key"),
        ("", 401, "missing_api_key"),
        (5, 422, "validation_error"),
        (None, 422, "validation_error"),
    ],
)
async def test_a_key_that_opens_nothing(
    api: httpx.AsyncClient, folded: Folded, key: object, status: int, code: str
) -> None:
    """Given no valid key, there is a problem and no cookie."""
    answer = await api.post(SESSION, json={"key": key})
    assert_problem(answer, status, code)
    assert "set-cookie" not in answer.headers


async def test_signing_in_waits_for_the_keys(api: httpx.AsyncClient, unready: Folded) -> None:
    """Given a shard that is being folded, a valid key gets 503, and not "unknown"."""
    assert_problem(await api.post(SESSION, json={"key": await unready.key("acme")}), 503, "not_ready")


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b"[" * 4000])
async def test_a_body_that_is_no_object(api: httpx.AsyncClient, folded: Folded, body: bytes) -> None:
    """Given anything else than an object with a key, the problem says what to send."""
    answer = await api.post(SESSION, content=body, headers={"Content-Type": "application/json"})
    assert_problem(answer, 422, "validation_error")
    form = await api.post(SESSION, data={"another": "field"})
    assert_problem(form, 422, "validation_error")


async def test_a_body_of_another_type_or_size(api: httpx.AsyncClient, folded: Folded) -> None:
    """Given a type that a form or a script does not send, or more bytes than a key needs, it is not read."""
    answer = await api.post(SESSION, content=b"x", headers={"Content-Type": "text/plain"})
    assert_problem(answer, 415, "unsupported_media_type")
    assert_problem(await api.post(SESSION, json={"key": "x" * 5000}), 413, "body_too_large")


async def test_a_form_is_led_back_to_the_page(api: httpx.AsyncClient, folded: Folded) -> None:
    """Given a page without scripts, its form leads to the dashboard, with a code where it failed, never with a key."""
    key = await folded.key("acme")
    wrong = await api.post(SESSION, data={"key": UNKNOWN})
    right = await api.post(SESSION, data={"key": f" {key}\n"})
    assert (wrong.status_code, wrong.headers["location"]) == (303, "/dashboard?problem=invalid_api_key")
    assert "set-cookie" not in wrong.headers
    assert (right.status_code, right.headers["location"]) == (303, "/dashboard")
    assert (await api.get(USAGE)).status_code == 200


HOST = "billing.test"


@pytest.mark.parametrize("method", ["POST", "DELETE"])
@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),
        ({"Origin": f"http://{HOST}"}, True),
        ({"Origin": "null"}, False),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": f"https://evil.example/{HOST}"}, False),
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, True),
        ({"Sec-Fetch-Site": "same-site", "Origin": f"http://{HOST}"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "none"}, False),
    ],
)
async def test_only_our_own_pages_sign_in_and_out(
    api: httpx.AsyncClient, folded: Folded, method: str, headers: dict[str, str], allowed: bool
) -> None:
    """Given a request that a page of another site made, it is refused, and a session there may be lives on."""
    await signed_in(api, await folded.key("acme"))
    body = {"key": await folded.key("evil")} if method == "POST" else None
    answer = await api.request(method, SESSION, json=body, headers=headers)
    if allowed:
        assert answer.status_code == 204, answer.text
        return
    assert_problem(answer, 403, "cross_site_request")
    assert "set-cookie" not in answer.headers
    assert (await api.get(SESSION)).json()["account"] == "acme"


async def test_attempts_are_limited_by_address(settings: ApiSettings, folded: Folded) -> None:
    """Given too many attempts, even a valid key has to wait; the answer says for how long."""
    limited = settings_of(settings.redis_url, settings.redis_prefix, sign_in_limit=3)
    async with calling(limited) as api:
        for _ in range(3):
            assert_problem(await api.post(SESSION, json={"key": UNKNOWN}), 401, "invalid_api_key")
        answer = await api.post(SESSION, json={"key": await folded.key("acme")})
    assert_problem(answer, 429, "too_many_attempts")
    assert 1 <= int(answer.headers["retry-after"]) <= 300


@pytest.mark.parametrize(
    ("address", "same"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::1%eth0", "2001:db8:1:2::"),
        ("", "unknown"),
        ("{p1}", "unknown"),
    ],
)
def test_one_client_is_one_network(address: str, same: str) -> None:
    """Given an IPv6 address, its /64 counts, since one client has all of it; what is no address is one client."""
    assert neighbourhood(address) == same
