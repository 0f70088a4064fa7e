"""A real browser on a real socket: Debian's Chromium, driven by Playwright, against the real application."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI
from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright, expect

from crypto import authority
from tests.support.bidders import Bidder
from web.door.gate import HallGate, through
from web.process.descriptors import allowed
from web.serving.server import SERVER

KEY_PASSWORD = "测试 password"
PATIENCE = 60_000
"""Milliseconds that one thing may take to appear: a page that never shows it is wrong, a slow machine is not."""
CHROMIUM = shutil.which("chromium")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


expect.set_options(timeout=PATIENCE)


@asynccontextmanager
async def a_browser() -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield browser
        await browser.close()


@asynccontextmanager
async def served(app: FastAPI, port: int = 0) -> AsyncIterator[str]:
    """Serve ``app``, whose lifespan somebody else runs, as every hall is served; yield its origin.

    On ``port``, or on any free one.
    """
    with socket.socket() as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind(("127.0.0.1", port))
        gate = through(HallGate(app.state.services, descriptors=allowed()))
        server = uvicorn.Server(uvicorn.Config(app, **SERVER | {"lifespan": "off", "http": gate}))
        serving = asyncio.create_task(server.serve(sockets=[door]))
        while not server.started:  # noqa: ASYNC110 - uvicorn has a flag and no event
            await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{door.getsockname()[1]}"
        server.should_exit = True
        server.force_exit = True  # an open stream has no end of its own
        await serving


def complaints(page: Page, kinds: Collection[str] = ("error",)) -> list[str]:
    """Return a list that fills with what the page complains of: errors, and what its policy blocked.

    A sign of life that arrives as the window closes is declined, and the browser says so: nothing is wrong with that.
    """
    heard: list[str] = []
    page.on("pageerror", lambda error: heard.append(str(error)))

    def listen(message: ConsoleMessage) -> None:
        place = message.location.get("url", "")
        if message.type in kinds and not ("409" in message.text and place.endswith("/heartbeats")):
            heard.append(f"{message.text} {place}")

    page.on("console", listen)
    return heard


async def open_certificate(page: Page, form: str, bidder: Bidder, folder: Path) -> None:
    """Choose both key files in ``form`` and open them."""
    files = []
    for name, credential in (("sign", bidder.sign), ("encrypt", bidder.encrypt)):
        file = folder / f"{name}.p12"
        file.write_bytes(authority.to_pkcs12(credential, KEY_PASSWORD, rounds=2048))
        files.append(file)
    await page.set_input_files(f'{form} input[name="files"]', files)
    await page.fill(f'{form} input[name="password"]', KEY_PASSWORD)
    await page.click(f"{form} button.main >> visible=true")


async def said(page: Page, act: str) -> str:
    """Return what came of an act at the seat, once it is over."""
    outcome = page.locator(f'form[data-act="{act}"] [data-outcome]:not([data-value="working"])')
    await outcome.wait_for(state="attached", timeout=PATIENCE)
    await page.wait_for_function(
        "act => document.querySelector(`form[data-act=${act}] [data-outcome]`).textContent !== ''", arg=act
    )
    return str(await outcome.text_content())


async def reached(page: Page, link: str) -> None:
    await page.wait_for_function("link => document.getElementById('link')?.dataset.value === link", arg=link)
