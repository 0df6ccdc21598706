"""/metrics: requests and their latencies, by route and status, with bounded labels."""

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.api.calling import USAGE, bearer
from tests.api.folded import Folded


async def samples(api: httpx.AsyncClient) -> dict[tuple[str, ...], float]:
    """The counts: (name, method, route[, status]) → value."""
    answer = await api.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, *(sample.labels[label] for label in ("method", "route", "status") if label in sample.labels)): (
            sample.value
        )
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        if sample.name in {"billing_api_requests_total", "billing_api_request_seconds_count"}
    }


async def test_requests_are_counted_by_route_and_status(api: httpx.AsyncClient, folded: Folded) -> None:
    """Given answers and refusals, each is counted under its route; latencies are of all of them."""
    key = await folded.key("acme")
    for headers in (bearer(key), bearer(key), {}):
        await api.get(USAGE, headers=headers)
    counted = await samples(api)
    assert counted["billing_api_requests_total", "GET", USAGE, "200"] == 2
    assert counted["billing_api_requests_total", "GET", USAGE, "401"] == 1
    assert counted["billing_api_request_seconds_count", "GET", USAGE] == 3


async def test_callers_do_not_choose_labels(api: httpx.AsyncClient) -> None:
    """Given invented paths and methods, they share one label."""
    for number in range(3):
        await api.request(f"M{number}", f"/invented/{number}")
        await api.request(f"M{number}", USAGE)
    counted = await samples(api)
    assert counted["billing_api_requests_total", "other", "unmatched", "404"] == 3
    assert counted["billing_api_requests_total", "other", USAGE, "405"] == 3
