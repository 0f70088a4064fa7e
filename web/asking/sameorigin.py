"""Did a page of this hall ask for this, or another site behind the reader's back (cross-site request forgery)?

Every request that may change something must show one of:

- ``Sec-Fetch-Site: same-origin``, which browsers set and pages cannot (Fetch Metadata);
- an ``Origin`` that is the hall's address, or has its scheme and the host the request itself names (older browsers);
- ``X-Kaibiao: 1``, for programs: a page elsewhere cannot add it without asking first (CORS), and nobody answers.

A cookie belongs to one host, so a page that made its own name lead here (DNS rebinding) brings none along.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def same_origin(method: str, headers: Mapping[str, str], origin: str) -> bool:
    """Return whether the request may have an effect. Header names in lower case."""
    if method in SAFE:
        return True
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    if "origin" in headers:
        return own_origin(headers, origin)
    return headers.get("x-kaibiao") == "1"


def own_origin(headers: Mapping[str, str], origin: str) -> bool:
    """Return whether ``Origin`` is this hall's, or absent: programs send none, and bring no stolen cookie."""
    asked = headers.get("origin")
    if asked is None or asked == origin:
        return True
    page = urlsplit(asked)
    return page.scheme == urlsplit(origin).scheme and page.netloc == headers.get("host")
