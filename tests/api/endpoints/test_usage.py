"""GET /api/billing/usage: the exact body, its headers, and reads while the state changes."""

import asyncio

import httpx

from api.settings import ApiSettings
from metering.account import Account
from metering.api_key import ApiKeyRecord, key_hash
from tests.api.calling import NOW, USAGE, Interposed, assert_problem, bearer, calling, totals, unix
from tests.api.folded import Folded


async def test_the_body_is_exactly_the_six_meters_and_the_message(api: httpx.AsyncClient, folded: Folded) -> None:
    """Given usage of some meters, the body has every meter in catalogue order and no other key."""
    key = await folded.key("acme")
    await folded.use("acme", "sms.send", 1000, unix("2026-06-02T08:00:00"))
    await folded.use("acme", "voice.ai", 7, unix("2026-06-10T23:59:59"))
    await folded.use("acme", "sms.send", 250, NOW)

    answer = await api.get(USAGE, headers=bearer(key))

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.text == (
        '{"usage":['
        '{"meter":"sms.send","displayName":"SMS Sent","total":1250},'
        '{"meter":"sms.receive","displayName":"SMS Received","total":0},'
        '{"meter":"voice.outbound","displayName":"Outbound Calls","total":0},'
        '{"meter":"voice.inbound","displayName":"Inbound Calls","total":0},'
        '{"meter":"voice.ai","displayName":"AI-Powered Calls","total":7},'
        '{"meter":"did.monthly","displayName":"Monthly DID Fee","total":0}'
        '],"message":"Usage for current billing period"}'
    )


async def test_an_account_without_usage_has_six_zeros(api: httpx.AsyncClient, folded: Folded) -> None:
    """Given a key and nothing else, the answer is complete and zero."""
    answer = await api.get(USAGE, headers=bearer(await folded.key("quiet")))
    assert [each["total"] for each in answer.json()["usage"]] == [0] * 6


async def test_accounts_see_only_their_own_usage(api: httpx.AsyncClient, folded: Folded) -> None:
    """Given accounts on several shards, each key shows its own account."""
    keys = {}
    for number in range(1, 9):
        keys[number] = await folded.key(f"account-{number}")
        await folded.use(f"account-{number}", "sms.send", number, NOW)
    answers = {number: await api.get(USAGE, headers=bearer(key)) for number, key in keys.items()}
    assert {number: totals(answer) for number, answer in answers.items()} == {
        number: {"sms.send": number} for number in keys
    }


async def test_freshness_stands_in_the_headers(api: httpx.AsyncClient, folded: Folded) -> None:
    """X-Usage-As-Of is the last moment the shard was caught up; the answer may be kept but must be asked for again."""
    answer = await api.get(USAGE, headers=bearer(await folded.key("acme")))
    assert answer.headers["x-usage-as-of"] == "2026-06-20T12:00:00.123Z"
    assert answer.headers["cache-control"] == "private, no-cache"


async def test_the_etag_changes_with_the_totals_only(api: httpx.AsyncClient, folded: Folded) -> None:
    """Given the same totals at a later time the tag stays; given one more unit it is another."""
    key = await folded.key("acme")
    first = await api.get(USAGE, headers=bearer(key))
    await folded.ready(as_of_ms=NOW * 1000 + 5_000)
    later = await api.get(USAGE, headers=bearer(key))
    await folded.use("acme", "sms.send", 1, NOW)
    more = await api.get(USAGE, headers=bearer(key))

    assert first.headers["etag"].startswith('"')
    assert later.headers["x-usage-as-of"] != first.headers["x-usage-as-of"]
    assert later.headers["etag"] == first.headers["etag"]
    assert more.headers["etag"] != first.headers["etag"]


async def test_a_known_etag_is_answered_without_a_body(api: httpx.AsyncClient, folded: Folded) -> None:
    """If-None-Match takes a tag, a weak tag, a list of tags, or a star."""
    headers = bearer(await folded.key("acme"))
    tag = (await api.get(USAGE, headers=headers)).headers["etag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        answer = await api.get(USAGE, headers={**headers, "If-None-Match": known})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
        assert answer.headers["x-usage-as-of"]
        assert answer.headers["cache-control"] == "private, no-cache"
    assert (await api.get(USAGE, headers={**headers, "If-None-Match": '"other"'})).status_code == 200


async def test_a_request_takes_two_round_trips(settings: ApiSettings, folded: Folded) -> None:
    """Given an account with a record, the first request learns it; every later one asks for the key and the usage."""
    store = Interposed(folded.ledger.store)
    headers = bearer(await folded.key("acme"))
    await folded.account("acme", Account(anchor=unix("2026-01-15T09:00:00")))
    async with calling(settings, store=store) as api:
        await api.get(USAGE, headers=headers)
        assert store.ran == ["find_caller", "read_usage", "read_usage"]
        store.ran.clear()
        await api.get(USAGE, headers=headers)
        assert sorted(store.ran) == ["find_caller", "read_usage"]


async def test_a_guess_is_given_to_nobody(settings: ApiSettings, folded: Folded) -> None:
    """Given a key that is revoked, or moves to another account, totals that were read ahead are never shown."""
    key = await folded.key("acme")
    await folded.use("acme", "sms.send", 1, NOW)
    await folded.use("other", "sms.send", 2, NOW)
    async with calling(settings) as api:
        assert totals(await api.get(USAGE, headers=bearer(key))) == {"sms.send": 1}
        await folded.tell_key(key_hash(key), ApiKeyRecord(account="other", created=0).to_json())
        for _ in range(2):
            assert totals(await api.get(USAGE, headers=bearer(key))) == {"sms.send": 2}
        await folded.revoke(key)
        for _ in range(2):
            assert_problem(await api.get(USAGE, headers=bearer(key)), 401, "invalid_api_key")


async def test_a_record_that_changes_between_the_trips_is_followed(settings: ApiSettings, folded: Folded) -> None:
    """Given an anchor that moves after the key was found, the totals are those of the new period."""
    key = await folded.key("acme")
    await folded.account("acme", Account(anchor=unix("2026-01-01T00:00:00")))
    await folded.use("acme", "sms.send", 3, unix("2026-06-10T12:00:00"))
    await folded.use("acme", "sms.send", 4, unix("2026-06-16T12:00:00"))
    moves = [Account(anchor=unix("2026-01-15T00:00:00"))]

    async def move_anchor(script: str) -> None:
        if script == "read_usage" and moves:
            await folded.account("acme", moves.pop())

    async with calling(settings) as api:
        assert totals(await api.get(USAGE, headers=bearer(key))) == {"sms.send": 7}
    async with calling(settings, store=Interposed(folded.ledger.store, move_anchor)) as api:
        assert totals(await api.get(USAGE, headers=bearer(key))) == {"sms.send": 4}


async def test_a_record_that_never_stays_the_same_ends_in_a_503(settings: ApiSettings, folded: Folded) -> None:
    """Given a record that changes before every read, the request gives up instead of going on for ever."""
    key = await folded.key("acme")
    anchors = iter(range(1_000))

    async def move_anchor(script: str) -> None:
        if script == "read_usage":
            await folded.account("acme", Account(anchor=next(anchors)))

    async with calling(settings, store=Interposed(folded.ledger.store, move_anchor)) as api:
        assert_problem(await api.get(USAGE, headers=bearer(key)), 503, "not_ready")


async def test_a_burst_waits_for_its_turn(api: httpx.AsyncClient, folded: Folded) -> None:
    """Given more requests at once than Redis connections, all are answered."""
    headers = bearer(await folded.key("acme"))
    answers = await asyncio.gather(*(api.get(USAGE, headers=headers) for _ in range(250)))
    assert {answer.status_code for answer in answers} == {200}
