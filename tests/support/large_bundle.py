"""Makes a bundle of more than 100 MB, checks it, and says how much memory that took: as a program of its own."""

from __future__ import annotations

import asyncio
import json
import random
import resource
import sys
from pathlib import Path

from hall.media.mp4.boxes import Fragment
from sessions.verify import describe, verify
from tests.support.ceremony import MINUTE
from tests.support.film import kept
from tests.support.recorded import CHECKIN, a_recorded_room
from tests.support.shell import SESSION
from web.downloads.bundles import Bundles

FRAGMENTS, LENGTH = 120, 1 << 20


def most() -> int:
    """Return the most memory that this process ever had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


async def made(folder: Path, file: Path) -> int:
    """Write the bundle as who downloads it has it; return what memory that took."""
    media = random.Random(1).randbytes(LENGTH)  # nobody who keeps or checks it looks inside
    pieces = [Fragment(data=media, keyframe=n == 0, decode_ms=500 * n, duration_ms=500) for n in range(FRAGMENTS)]
    async with a_recorded_room(folder, held=False) as room:
        await room.check_in_begins()
        room.films(CHECKIN, film=(kept()[0], pieces))
        await room.until(FRAGMENTS)
        room.clock.advance(2 * MINUTE)
        await room.ends()
        bundles = Bundles(
            sessions=room.hall.sessions,
            notary=room.notary,
            tail=room.tail,
            archive=room.archive,
            blobs=room.archive._blobs,
            folder=folder,
        )
        before = most()
        bundle = await bundles.bundle(SESSION)
        with file.open("wb") as out:
            async for piece in bundles.pieces(bundle):
                out.write(piece)
        return most() - before


def main() -> None:
    folder = Path(sys.argv[1])
    file = folder / "session.zip"
    making, before = asyncio.run(made(folder / "hall", file)), most()
    report, told = verify(file), describe(file)
    checks = {check.id: check.detail for check in report.checks if not check.passed or check.id == "recording.files"}
    size = file.stat().st_size
    took = {"making": making, "checking": most() - before}
    sys.stdout.write(json.dumps({"size": size, "took": took, "told": len(told), "checks": checks}))


if __name__ == "__main__":
    main()
