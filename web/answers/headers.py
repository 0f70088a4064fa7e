"""What every response says about itself to the browser, also a 404, a 304, a redirect and a failure.

Pure ASGI and outermost, so that nothing answers past it. A route that needs another value sets the header itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self' {socket}; media-src 'self' blob:; worker-src 'self'; manifest-src 'self'; "
    "form-action 'self'; base-uri 'none'; "
    "object-src 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
"""Nothing runs, loads or frames but what this origin serves, and no string becomes script (Trusted Types).

``{socket}`` is this origin's WebSocket address, which older engines do not count as ``'self'``.
"""

_DEVICES = ("camera", "microphone", "geolocation", "payment", "usb", "display-capture")
_ON_AIR = frozenset({"camera", "microphone", "display-capture"})
_NO_DEVICES = ", ".join(f"{device}=()" for device in _DEVICES)


def security_headers(origin: str) -> Mapping[str, str]:
    """Return the headers of every response of a hall that is reached at ``origin``."""
    address = urlsplit(origin)
    secure = address.scheme == "https"
    headers = {
        "content-security-policy": _POLICY.format(socket=f"{'wss' if secure else 'ws'}://{address.netloc}"),
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": _NO_DEVICES,
        "cache-control": "no-store",
    }
    if secure:
        headers["strict-transport-security"] = "max-age=31536000; includeSubDomains"
    return headers


def devices_on_air() -> str:
    """Return the `Permissions-Policy` of the one page that may ask for a camera, a microphone and the screen."""
    return ", ".join(f"{device}={'(self)' if device in _ON_AIR else '()'}" for device in _DEVICES)


def policy_with_worker(origin: str) -> str:
    """Return the policy of the page that checks archives in a worker.

    A worker's address counts as script to Trusted Types: one policy, which gives one
    address (web/client/src/verify.ts).
    """
    return security_headers(origin)["content-security-policy"].replace(
        "trusted-types 'none'", "trusted-types kaibiao-worker"
    )


UNDRESSED = "kaibiao.send"
"""The extension under which a stream finds the server's own ``send``: a response that has begun needs nobody else."""


class SecurityHeaders:
    """Add ``security_headers`` to each response, wherever the response does not have the header already."""

    def __init__(self, app: ASGIApp, *, origin: str) -> None:
        self.app = app
        self._headers = [(name.encode(), value.encode()) for name, value in security_headers(origin).items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = list(message.get("headers", ()))
                set_already = {name.lower() for name, _ in own}
                message["headers"] = own + [pair for pair in self._headers if pair[0] not in set_already]
            await send(message)

        scope.setdefault("extensions", {})[UNDRESSED] = send
        await self.app(scope, receive, send_dressed)
