"""Whether this hall has picture and sound, and where a page finds them."""

from __future__ import annotations

from urllib.parse import quote

from hall.media.port.processes import installed
from sessions.ids import SessionId
from web.settings import Settings


def on_air(settings: Settings) -> bool:
    """Return whether this hall has picture and sound."""
    return settings.media == "on" or (settings.media == "auto" and installed())


def paths(settings: Settings, session: SessionId) -> dict[str, str | None] | None:
    """Return where the programme of ``session`` is watched, for a page; None where there is none."""
    if not on_air(settings):
        return None
    place = f"/media/{quote(session, safe='')}"
    # What the programme sends to the edge is H.264: a hall that is set to VP8 has WebRTC for its seats alone.
    whep = f"{place}/whep" if settings.media_video == "h264" else None
    return {"whep": whep, "ws": f"{place}/ws", "hls": f"{place}/hls/master.m3u8"}
