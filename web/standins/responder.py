"""A responder on this machine for demonstrations and tests: OCSP over HTTP (RFC 6960 appendix A), and the list."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable
from functools import partial
from typing import Self

from crypto.responder import MAX_REQUEST

_SECONDS = 10


class Responder:
    """Serves in a thread of its own while the ``with`` block lasts. On the loopback address only."""

    def __init__(self, answer: Callable[[bytes], bytes], listed: Callable[[], bytes], *, port: int = 0) -> None:
        """``answer`` gives the DER answer to a DER request, ``listed`` the DER list of this moment."""

        class Handler(http.server.BaseHTTPRequestHandler):
            timeout = _SECONDS

            def do_POST(self) -> None:
                """Answer a request."""
                size = self.headers.get("Content-Length", "")
                if self.path != "/ocsp" or not size.isdigit() or int(size) > MAX_REQUEST:
                    self.send_error(400)
                    return
                self._give(answer(self.rfile.read(int(size))), "application/ocsp-response")

            def do_GET(self) -> None:
                """Give the list."""
                if self.path == "/crl":
                    self._give(listed(), "application/pkix-crl")
                else:
                    self.send_error(404)

            def log_message(self, *_: object) -> None:
                """Say nothing: whoever asks logs what came of it."""

            def _give(self, body: bytes, media: str) -> None:
                self.send_response(200)
                self.send_header("Content-Type", media)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        serve = partial(self._server.serve_forever, poll_interval=0.05)  # how long an end is waited for
        self._thread = threading.Thread(target=serve, name="responder", daemon=True)

    @property
    def url(self) -> str:
        """Where it answers, without a path: ``/ocsp`` and ``/crl`` follow."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def wait(self) -> None:
        """Return when it has stopped."""
        self._thread.join()
