"""The client's crypto in a real browser: under the strict page policy, with keys that survive a reload."""

from __future__ import annotations

import functools
import http.server
import shutil
import threading
from base64 import b64decode, b64encode
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

from crypto import authority, envelope
from tests.support.bidders import DEADLINE, a_bidder
from web import assets

pytestmark = pytest.mark.browser

CHROMIUM = shutil.which("chromium")
PASSWORD = "测试 password"
POLICY = (
    "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)


class Handler(http.server.SimpleHTTPRequestHandler):
    """The built scripts, an empty page, and the policy our pages have."""

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", POLICY)
        super().end_headers()

    def do_GET(self) -> None:
        if self.path != "/":
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>empty</title>")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    assets.build()
    handler = functools.partial(Handler, directory=str(assets.BUILT))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture
def page(origin: str) -> Iterator[Page]:
    if CHROMIUM is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        page = browser.new_page()
        page.goto(origin)
        yield page
        browser.close()


def keys() -> dict[str, Any]:
    bidder = a_bidder()
    files = [authority.to_pkcs12(each, PASSWORD, rounds=2048) for each in (bidder.sign, bidder.encrypt)]
    return {"files": [b64encode(each).decode() for each in files], "password": PASSWORD}


KEEP = """async ({ files, password }) => {
  const [{ fromBase64 }, { openPkcs12 }, { identityOf }, { keep, kept }] = await Promise.all(
    ["bytes", "pkcs12", "identity", "keystore"].map((name) => import(`/${name}.js`)));
  const opened = await Promise.all(files.map((file) => openPkcs12(fromBase64(file), password)));
  await keep("me", identityOf(opened.flat()));
  return kept();
}"""

USE = """async () => {
  const [{ recall }, { rehearse }] = await Promise.all(["keystore", "identity"].map((name) => import(`/${name}.js`)));
  const { sign, encrypt } = await recall("me");
  await rehearse(sign);
  await rehearse(encrypt);
  const exported = await crypto.subtle.exportKey("pkcs8", sign.key).then(() => true, () => false);
  return { exported };
}"""

FORGET = """async () => {
  const { forget, recall, kept } = await import("/keystore.js");
  await forget("me");
  return [await recall("me"), await kept()];
}"""

SEAL = """async ({ files, password, deadline, size }) => {
  const names = ["bytes", "pkcs12", "identity", "envelope", "sinks"];
  const [{ base64, fromBase64 }, { openPkcs12 }, { identityOf }, { sealBid }, sinks] =
    await Promise.all(names.map((name) => import(`/${name}.js`)));
  const opened = await Promise.all(files.map((file) => openPkcs12(fromBase64(file), password)));
  const content = new Blob([new Uint8Array(size).fill(7)]);
  const { file } = await sealBid({
    tender: "ZB-2026-001", lot: "1", deadline, groups: ["A"], quote: { price: "1.00" },
    files: [{ name: "a.bin", content, group: "A" }],
    identity: identityOf(opened.flat()), sink: await sinks.privateFileSink("bid.sbid"),
  });
  const bytes = base64(new Uint8Array(await file.arrayBuffer()));
  const stored = (await sinks.privateFile("bid.sbid")).size;
  await sinks.removePrivateFile("bid.sbid");
  return { bytes, stored, left: await sinks.privateFile("bid.sbid") };
}"""


def test_keys_outlive_a_reload_without_ever_being_readable_and_are_forgotten_on_request(page: Page) -> None:
    assert page.evaluate(KEEP, keys()) == ["me"]
    page.reload()
    assert page.evaluate(USE) == {"exported": False}
    assert page.evaluate(FORGET) == [None, []]
    page.reload()
    assert page.evaluate("async () => (await import('/keystore.js')).recall('me')") is None


def test_a_bid_sealed_in_a_browser_into_a_private_file_opens_here(page: Page) -> None:
    sealed = page.evaluate(SEAL, {**keys(), "deadline": DEADLINE, "size": 5_000_000})
    data = b64decode(sealed["bytes"])
    assert sealed["stored"] == len(data)
    assert sealed["left"] is None
    found = envelope.check_sealed(BytesIO(data)).container
    opened = envelope.open_group(BytesIO(data), found, "A", envelope.unlock(found, "A", a_bidder().encrypt))
    assert opened.quote() == {"price": "1.00"}
    reader = opened.part("f1")
    assert reader.read(0, reader.plain_len) == b"\x07" * 5_000_000
