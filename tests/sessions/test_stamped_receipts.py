"""Timestamps of the log of receipts in the archive: over what it held then, and found out when they are not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import cache

import pytest

from crypto.tlog import Checkpoint, Tree
from sessions.archive.bundle import ENTRIES
from sessions.archive.stamped import MOST_RECEIPTS
from sessions.archive.stamped import stamped as stamped_members
from sessions.outside.receipt_proofs import origin_of
from sessions.plan import AnchorKind, IntakeLog, Plan, Watch
from sessions.ports import Kept, Said
from sessions.verify import verify
from sessions.zipped import unpack
from tests.support import outside
from tests.support.audited import by_python, by_typescript
from tests.support.bundles import Files, failed, signed_anew
from tests.support.ceremony import MINUTE, T0, a_plan
from tests.support.generated import SESSION, Making
from tests.support.outside import TIME_BY, the_hall, time_authority

EVERY, LEAVES = 20 * MINUTE, 4
WATCH = Watch(origin="hall.example/s/gx-1", witnesses=(), quorum=0, authorities=TIME_BY)


class _Stamped(Making):
    """An opening with a log of receipts, of which two authorities hold what it was."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.checkpoints.proving = 0.0

    def _plan(self) -> Plan:
        return replace(a_plan("cn-works"), watch=WATCH, intake_log=IntakeLog(every=EVERY, leaves=LEAVES))


@cache
def the_files() -> Files:
    for seed in range(200):
        making = _Stamped(seed).play()
        if making.it.status == "ended" and making.it.t0 == T0:
            files = unpack(asyncio.run(making.bundle()))
            if len({name for name in files if name.startswith("stamps/intake-")}) == 4:
                return files
    raise AssertionError("no seed tells such a story")


def stamped() -> list[str]:
    return sorted(name for name in the_files() if name.startswith("stamps/intake-"))


def size_of(name: str) -> int:
    return int(name.split("-")[1])


def a_token(size: int, *, late: timedelta = timedelta(), origin: str = origin_of(WATCH)) -> bytes:
    """Return a genuine token of the first authority over so many entries, at T0 or so long after."""
    entries = the_files()[ENTRIES]
    tree = Tree(entries[at : at + 32] for at in range(0, 32 * size, 32))
    text = Checkpoint(origin=origin, size=size, root=tree.root()).text.encode()
    return outside._said((AnchorKind.STAMP, TIME_BY[0]), "", text, T0 + late).evidence


def test_what_was_said_of_the_log_of_receipts_is_in_the_bundle_and_holds() -> None:
    report = verify(signed_anew(the_files(), the_hall()))
    assert report.ok
    (told,) = [check.detail for check in report.checks if check.id == "stamps.tokens"]
    assert "4 of them over receipts" in told
    assert size_of(stamped()[0]) % LEAVES == 0


def test_a_bundle_without_them_is_no_worse() -> None:
    files = {name: data for name, data in the_files().items() if name not in stamped()}
    needed = {f"trust/stamps-{name[-5]}.pem" for name in files if name.startswith("stamps/")}
    files = {name: data for name, data in files.items() if not name.startswith("trust/stamps-") or name in needed}
    bundle = signed_anew(files, the_hall())
    assert verify(bundle).ok
    assert by_typescript(bundle) == [by_python(bundle)]


CHANGES: dict[str, Callable[[Files], Files]] = {
    "a byte is another": lambda f: {**f, stamped()[0]: f[stamped()[0]][:-1] + bytes([f[stamped()[0]][-1] ^ 1])},
    "it is another's": lambda f: {**f, stamped()[0]: f[stamped()[1]]},
    "it is of the opening": lambda f: {
        **f,
        f"stamps/intake-{LEAVES}-1.tst": a_token(LEAVES, origin=WATCH.origin),
    },
    "it is of a time before its tick": lambda f: {
        **f,
        f"stamps/intake-{LEAVES}-1.tst": a_token(LEAVES, late=timedelta(days=-2)),
    },
    "it is of the whole log before T0": lambda f: {
        **f,
        f"stamps/intake-{len(f[ENTRIES]) // 32}-1.tst": a_token(len(f[ENTRIES]) // 32, late=-2 * MINUTE),
    },
    "there were not so many": lambda f: {**f, "stamps/intake-99999-1.tst": f[stamped()[0]]},
    "its authority's root is gone": lambda f: {n: d for n, d in f.items() if n != "trust/stamps-1.pem"},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_stamp_that_is_not_what_its_name_says_is_found(change: Callable[[Files], Files]) -> None:
    bundle = signed_anew(change(dict(the_files())), the_hall())
    assert failed(bundle) == {"stamps.tokens"}
    assert by_typescript(bundle) == [by_python(bundle)]


def test_a_genuine_stamp_that_came_later_holds() -> None:
    extra = {f"stamps/intake-{LEAVES}-1.tst": a_token(LEAVES, late=timedelta(days=2))}
    bundle = signed_anew({**the_files(), **extra}, the_hall())
    assert verify(bundle).ok
    assert by_typescript(bundle) == [by_python(bundle)]


def test_a_stamp_of_an_authority_that_was_not_announced_does_not_belong_there() -> None:
    bundle = signed_anew({**the_files(), "stamps/intake-4-3.tst": the_files()[stamped()[0]]}, the_hall())
    assert failed(bundle) == {"bundle.contents", "stamps.tokens"}
    assert by_typescript(bundle) == [by_python(bundle)]


async def test_of_very_many_the_newest_are_handed_out() -> None:
    making = next(one for seed in range(200) if (one := _Stamped(seed).play()).it.frozen is not None)
    token = Said(evidence=b"token", at=T0)
    said = [
        Kept(session=SESSION, point=f"intake-{n}", kind=AnchorKind.STAMP, by=TIME_BY[0], size=n, said=token)
        for n in range(1, 2 * MOST_RECEIPTS)
    ]
    assert making.it.frozen is not None
    frozen = replace(making.it.frozen, intake_log_size=len(said))
    members = await stamped_members(
        replace(making.it, frozen=frozen), (), {TIME_BY[0]: time_authority(TIME_BY[0])[0]}, said, proofs=making.proofs
    )
    sizes = sorted(size_of(name) for name in members if name.startswith("stamps/"))
    assert sizes == list(range(MOST_RECEIPTS, 2 * MOST_RECEIPTS))
