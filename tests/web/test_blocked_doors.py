"""A proxy or an office wall that lets no socket through, and then no stream: the page goes on by the next door."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Route, WebSocketRoute, expect

from tests.support.browsing import a_browser, reached
from tests.support.served import served
from web import assets

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(240)]

PATIENCE = 60_000  # milliseconds


async def test_a_page_whose_sockets_are_blocked_goes_on_by_sse_and_by_segments_when_that_is_blocked_too(
    tmp_path: Path,
) -> None:
    assets.build()
    async with served(tmp_path) as hall, a_browser() as browser:
        house = hall.house
        await house.announce()
        supervisor = await house.staff("supervisor")
        context = await browser.new_context(locale="en-GB")
        context.set_default_timeout(PATIENCE)
        blocked: list[str] = []

        async def no_socket(socket: WebSocketRoute) -> None:
            blocked.append("socket")
            await socket.close(code=1008)

        async def no_stream(route: Route) -> None:
            blocked.append("stream")
            await route.abort()

        await context.route_web_socket("**/live/**", no_socket)
        page = await context.new_page()
        await page.goto(f"{hall.url}/s/{house.session}")
        line = page.locator("#link")
        await expect(line).to_have_attribute("data-door", "sse", timeout=PATIENCE)
        await reached(page, "connected")
        assert "socket" in blocked

        seen = page.locator("#log > li")

        async def hears() -> None:
            before = await seen.count()
            assert (await house.act(supervisor, "Note", text="a note")).status_code == 200
            await expect(seen).to_have_count(before + 1, timeout=PATIENCE)

        await hears()
        await expect(line).to_contain_text("SSE", timeout=PATIENCE)
        await context.route("**/stream?**", no_stream)
        await page.reload()
        await expect(line).to_have_attribute("data-door", "poll", timeout=PATIENCE)
        await reached(page, "connected")
        assert "stream" in blocked
        await hears()
        await expect(line).to_contain_text("polling", timeout=PATIENCE)
