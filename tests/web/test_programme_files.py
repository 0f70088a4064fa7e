"""The programme as files at the hall's own door: everything that is listed, and nothing else on this machine."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from hall.media.mp4.boxes import cut
from hall.media.port.places import Places
from hall.media.programme.package import Folder
from sessions.ids import SessionId
from tests.support.house import a_house
from tests.support.muxed import muxed

INIT, FRAGMENTS = cut(muxed(60, gop=10))


async def test_a_player_finds_all_that_the_master_playlist_names_and_nothing_beside_it(tmp_path: Path) -> None:
    async with a_house(tmp_path, media="on") as house:
        for variant in ("full", "low", "sound"):
            folder = Places(house.services.settings.data_dir).hls(SessionId("s-1"), variant)
            files = Folder(folder, datetime(2026, 11, 22, tzinfo=UTC), first=variant == "full")
            files.begin(INIT)
            for fragment in FRAGMENTS:
                files.take(fragment)
        client = house.client()
        place = "/media/s-1/hls"
        names = named((await client.get(f"{place}/master.m3u8")).text)
        assert len(names) == 3
        for name in names:
            listed = await client.get(f"{place}/{name}")
            assert listed.headers["cache-control"] == "public, max-age=1"
            segment = await client.get(f"{place}/{name}".replace("index.m3u8", named(listed.text)[0]))
            assert segment.headers["content-type"] == "video/iso.segment"
            assert "immutable" in segment.headers["cache-control"]
        for other in ("low/master.m3u8", "low/../index.m3u8", "high/index.m3u8", "low/", "low", "../s-1/index.m3u8"):
            answer = await client.get(f"{place}/{other.replace('..', '%2e%2e')}")
            assert answer.status_code == 404, other


def named(playlist: str) -> list[str]:
    return [line for line in playlist.splitlines() if not line.startswith("#")]
