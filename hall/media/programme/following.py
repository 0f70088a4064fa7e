"""What the programme knows of the hall: what any citizen can read at its public door, without a login.

It asks instead of holding a stream, so that it is not counted among those who watch.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final
from urllib.parse import quote

import httpx

from hall.views import patch
from sessions.ids import SessionId
from sessions.wording.readings import checked

ASK_EVERY: Final = 0.25  # seconds: below what a fragment takes anyway
REST: Final = 1.0  # after a failure

Message = Mapping[str, Any]


class PublicDoor:
    """The hall's JSON addresses, as the public reads them."""

    def __init__(self, url: str) -> None:
        self._http = httpx.AsyncClient(base_url=url, timeout=5.0, trust_env=False)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()

    async def openings(self) -> list[dict[str, Any]]:
        """Return the calendar. Raises httpx.HTTPError."""
        found: list[dict[str, Any]] = (await self._get("/api/v1/sessions"))["sessions"]
        return found

    async def readings(self, session: SessionId) -> dict[str, str]:
        """Return how names are to be read: of those that were read out in public. None where it cannot be had now."""
        with contextlib.suppress(httpx.HTTPError, ValueError, KeyError, AttributeError):
            told = (await self._get(f"/api/v1/sessions/{quote(session, safe='')}/readings"))["readings"]
            return {str(name): checked(str(name), str(reading)) for name, reading in told.items()}
        return {}

    async def follow(self, session: SessionId) -> AsyncIterator[tuple[dict[str, Any], list[Message]]]:
        """Yield (view, new facts) for ever; the first has none. What fails is asked again."""
        place = f"/api/v1/sessions/{quote(session, safe='')}"
        view: dict[str, Any] | None = None
        while True:
            rest = ASK_EVERY
            try:
                if view is None:
                    view = (await self._get(place))["view"]
                    yield view, []
                else:
                    facts = (await self._get(f"{place}/events?after={view['n']}"))["events"]
                    for fact in facts:
                        view = patch.apply(view, fact["patch"])
                    if facts:
                        yield view, facts
            except (httpx.HTTPError, ValueError):
                rest = REST
            await asyncio.sleep(rest)

    async def _get(self, path: str) -> Any:
        answer = await self._http.get(path, headers={"Accept": "application/json"})
        answer.raise_for_status()
        return answer.json()
