"""A public page is handed over again for a second, to those who would get the very same, and until the next fact."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from hall.limits import LIMITS
from tests.support.fake_clock import FakeClock
from web.bench.alone import SESSION, Alone
from web.door.porch import BRIEF, Porch

PAGE = f"/s/{SESSION}"


class Behind:
    """An application that counts who comes through, and answers with the count."""

    def __init__(self) -> None:
        self.asked = 0
        self.more: list[tuple[bytes, bytes]] = []
        self.brief = BRIEF

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked += 1
        headers = [(b"cache-control", self.brief), (b"etag", b'"%d"' % self.asked), *self.more]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"%d" % self.asked})


class Standing:
    """A porch with everything around it."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.hub = Alone(LIMITS)
        self.behind = Behind()
        self.porch = Porch(self.behind, hub=self.hub, now=self.clock.now)

    async def get(self, path: str = PAGE, method: str = "GET", **headers: str) -> str:
        transport = httpx.ASGITransport(self.porch)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with httpx.AsyncClient(transport=transport, base_url="http://hall") as client:
            answer = await client.request(method, path, headers=named)
        assert method == "HEAD" or answer.headers["etag"] == f'"{answer.text}"'
        return answer.text


@pytest.fixture
async def standing() -> Standing:
    made = Standing()
    await made.hub.warm(SESSION)
    return made


async def test_who_asks_next_gets_the_same_page_within_a_second(standing: Standing) -> None:
    assert [await standing.get(), await standing.get()] == ["1", "1"]
    standing.clock.advance(timedelta(seconds=0.9))
    assert await standing.get() == "1"
    standing.clock.advance(timedelta(seconds=0.1))
    assert await standing.get() == "2"


async def test_a_new_fact_ends_it_at_once(standing: Standing) -> None:
    assert await standing.get() == "1"
    await standing.hub.publish(b"{}", 1)
    assert [await standing.get(), await standing.get()] == ["2", "2"]


async def test_a_clock_that_was_set_back_ends_it_too(standing: Standing) -> None:
    assert await standing.get() == "1"
    standing.clock.advance(timedelta(seconds=-60))
    assert await standing.get() == "2"


@pytest.mark.parametrize("name", ["accept_language", "accept_encoding", "if_none_match"])
async def test_who_would_get_another_page_does(name: str, standing: Standing) -> None:
    assert [await standing.get(**{name: "a"}), await standing.get(**{name: "b"})] == ["1", "2"]
    assert [await standing.get(**{name: "a"}), await standing.get(**{name: "b"})] == ["1", "2"]


@pytest.mark.parametrize(
    ("path", "method", "headers"),
    [
        (PAGE, "GET", {"cookie": "theme=dark"}),
        (PAGE, "POST", {}),
        (PAGE, "HEAD", {}),
        (PAGE + "?lang=en", "GET", {}),
        (PAGE + "/record", "GET", {}),
        ("/", "GET", {}),
        ("/s/unknown", "GET", {}),
    ],
)
async def test_everything_else_goes_through(
    path: str, method: str, headers: dict[str, str], standing: Standing
) -> None:
    await standing.get(path, method, **headers)
    await standing.get(path, method, **headers)
    assert standing.behind.asked == 2


async def test_an_answer_that_is_not_for_all_is_not_kept(standing: Standing) -> None:
    standing.behind.more = [(b"set-cookie", b"lang=en")]
    assert [await standing.get(), await standing.get()] == ["1", "2"]
    standing.behind.more, standing.behind.brief = [], b"no-store"
    assert [await standing.get(), await standing.get()] == ["3", "4"]


async def test_many_kinds_of_readers_fill_no_memory(standing: Standing) -> None:
    for number in range(300):
        await standing.get(accept_language=str(number))
    assert len(standing.porch._answers) <= 64
