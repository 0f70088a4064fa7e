"""Every response, whatever its route and status, carries the headers that keep a browser to this hall."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from tests.support.house import House, a_house
from web.answers.headers import security_headers

WANTED = {
    "content-security-policy": r"default-src 'none'; script-src 'self'; .*; frame-ancestors 'none'; .*types 'none'",
    "x-content-type-options": r"nosniff",
    "referrer-policy": r"same-origin",
    "cross-origin-opener-policy": r"same-origin",
    "cross-origin-resource-policy": r"same-origin",
    "permissions-policy": r".*camera=\(\).*",
    "cache-control": r".+",
}


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with a_house(tmp_path_factory.mktemp("house")) as house:
        await house.announce()

        @house.app.get("/test/fault")
        async def fault() -> None:
            raise RuntimeError("the price is 1280000.00")

        yield house


# method, path, headers, status
ANSWERS: list[tuple[str, str, dict[str, str], int]] = [
    ("GET", "/healthz", {}, 200),
    ("HEAD", "/healthz", {}, 200),
    ("GET", "/readyz", {}, 200),
    ("GET", "/robots.txt", {}, 200),
    ("GET", "/api/v1/time", {}, 200),
    ("GET", "/api/v1/me", {}, 200),
    ("GET", "/api/v1/me/logins", {}, 401),
    ("GET", "/api/v1/sessions", {}, 200),
    ("GET", "/api/v1/sessions/zb-1", {}, 200),
    ("GET", "/api/v1/sessions/zb-1/tender.json", {}, 200),
    ("GET", "/api/v1/sessions/zb-1/events", {}, 200),
    ("GET", "/api/v1/sessions/zb-1/events?after=9", {}, 400),
    ("GET", "/api/v1/sessions/zb-1/stream?after=x", {}, 400),
    ("GET", "/api/v1/sessions/zb-1/challenge", {}, 401),
    ("GET", "/api/v1/sessions/zb-1/uploads/mine", {}, 401),
    ("GET", "/api/v1/sessions/gone", {}, 404),
    ("GET", "/api/openapi.json", {}, 200),
    ("GET", "/api/docs", {"accept": "text/html"}, 200),
    ("GET", "/login/ticket/none", {"accept": "text/html"}, 403),
    ("GET", "/nowhere", {"accept": "text/html"}, 404),
    ("GET", "/nowhere", {}, 404),
    ("GET", "/%00", {}, 404),
    ("GET", "/..%2f..%2fetc%2fpasswd", {}, 404),
    ("GET", "/static/0/none.js", {}, 404),
    ("DELETE", "/api/v1/time", {}, 405),
    ("TRACE", "/api/v1/time", {}, 405),
    ("POST", "/api/v1/sessions/zb-1/commands", {}, 401),
    ("POST", "/api/v1/sessions/zb-1/commands", {"x-kaibiao": "0"}, 403),
    ("POST", "/api/v1/login/certificate", {"content-type": "application/json"}, 400),
    ("POST", "/api/v1/login/certificate", {"content-type": "text/plain"}, 415),
    ("POST", "/logout", {}, 303),
    ("OPTIONS", "/api/v1/sessions/zb-1/uploads", {}, 204),
    ("GET", "/test/fault", {}, 500),
    ("GET", "/test/fault", {"accept": "text/html"}, 500),
]


def check(answer: httpx.Response) -> None:
    for name, pattern in WANTED.items():
        assert len(answer.headers.get_list(name)) == 1, f"{name} in {answer.headers}"
        assert re.fullmatch(pattern, answer.headers[name]), f"{name}: {answer.headers[name]}"
    assert "server" not in answer.headers
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(("method", "path", "headers", "status"), ANSWERS, ids=lambda value: str(value))
async def test_every_answer_carries_the_headers(
    house: House, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    async with house.client() as anyone:
        answer = await anyone.request(method, path, headers=headers)
    assert answer.status_code == status, answer.text
    check(answer)


async def test_what_has_not_changed_carries_the_headers_too(house: House) -> None:
    async with house.client() as anyone:
        for path in ("/api/v1/sessions", "/api/v1/sessions/zb-1", "/api/v1/sessions/zb-1/tender.json"):
            etag = (await anyone.get(path)).headers["etag"]
            again = await anyone.get(path, headers={"if-none-match": etag})
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["etag"] == etag
            check(again)


async def test_what_only_one_person_may_see_is_kept_by_nobody(house: House) -> None:
    host = await house.staff("host")
    async with house.client() as anyone:
        assert (await host.get("/api/v1/sessions/zb-1")).headers["cache-control"] == "no-store"
        assert (await anyone.get("/api/v1/sessions/zb-1")).headers["cache-control"] == "public, max-age=1"
        for client in (host, anyone):
            assert (await client.get("/api/v1/sessions/zb-1")).headers["vary"] == "cookie"


async def test_a_fault_tells_a_number_and_nothing_of_what_it_was_about(house: House) -> None:
    async with house.client() as anyone:
        answer = await anyone.get("/test/fault")
        page = await anyone.get("/test/fault", headers={"accept": "text/html"})
    assert answer.json()["code"] == "fault"
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}", answer.json()["incident"])
    for text in (answer.text, page.text):
        assert "1280000" not in text
        assert "RuntimeError" not in text
        assert "Traceback" not in text


async def test_a_refusal_says_what_to_do_next_in_both_languages(house: House) -> None:
    host = await house.staff("host")
    answer = await house.act(host, "Advance", step="decrypt")
    problem = answer.json()
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["code"] == "not_live"
    assert problem["type"].endswith("/refusals/not_live")
    assert all(problem[part][language] for part in ("title", "next_step") for language in ("zh", "en"))


async def test_over_tls_browsers_are_told_to_stay_there() -> None:
    headers = security_headers("https://hall.example.org")
    assert headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"
    assert "wss://hall.example.org;" in headers["content-security-policy"]


async def test_on_this_machine_there_is_no_tls_to_stay_on() -> None:
    assert "strict-transport-security" not in security_headers("http://127.0.0.1:8080")


async def test_a_route_may_say_more_for_itself(house: House) -> None:
    async with house.client() as anyone:
        answer = await anyone.get(house.services.statics.url("css/kaibiao.css"))
    assert answer.headers["cache-control"].endswith("immutable")
