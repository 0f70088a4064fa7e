"""What the witnesses hold of the openings in a database, where it is more than the database does."""

from __future__ import annotations

from collections.abc import Sequence

from crypto.signing import HallPublicKey
from sessions.backup.checking import INTAKE, RECORDING, Kept, ahead
from sessions.keys.hallkey import kid_in
from sessions.ports import Summary
from web.outside.witnessing import client, read_witnesses, remote
from web.settings import Settings

LOGS = {"": "", INTAKE: ", log of receipts", RECORDING: ", recording"}


async def newer_outside(
    settings: Settings, kept: Kept, summaries: Sequence[Summary], keys: Sequence[HallPublicKey]
) -> list[str]:
    """Ask every witness of each opening how far it saw it, and return what is missing or other here.

    Whoever serves a restored backup signs its logs a second time; a witness that has seen the first would hold it
    against the hall for ever. A witness that is silent says nothing.
    """
    watching = read_witnesses(settings, authorities=())
    newer: list[str] = []
    async with client() as http:
        asked = remote(watching.witnesses, http)
        for one in summaries:
            watch = one.plan.get("watch")
            key = next((each for each in keys if kid_in(one.plan) in (None, each.kid)), None)
            if not isinstance(watch, dict) or key is None:
                continue
            for witness in [asked[vkey] for vkey in watch["witnesses"] if vkey in asked]:
                for suffix, log in LOGS.items():
                    origin = f"{watch['origin']}{suffix}"
                    note = await witness.seen(origin)
                    if note and (said := await ahead(kept, one.session, note, key, origin)):
                        newer.append(f"{one.session}{log}: the witness {witness.name} {said}")
    return newer
