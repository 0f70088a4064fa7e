"""A handful of bundles, good and bad, frozen with what every check came to: ``python -m tests.support.corpus``.

Whatever is changed later in either verifier, what these files come to must stay: what is there is left as it is, and
only what is missing is made. Salts, keys and signatures are different each time.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from sessions.opening import Opening
from sessions.zipped import unpack
from tests.support.audited import Verdict, by_python
from tests.support.bundles import signed_anew
from tests.support.generated import Making, the_hall
from tests.support.hallkey import hall_key
from tests.support.mutations import mutated
from tests.support.recorded import a_recorded_bundle
from tests.support.tampering import TAMPERINGS, changing, dropped, flipped, noted_without_gaps

FOLDER = Path(__file__).parents[1] / "vectors" / "bundles"
VERDICTS = FOLDER / "verdicts.json"
LIES = (
    "an event is dropped and the rest chained anew",
    "another price is read out",
    "a header is exchanged",
    "a receipt is exchanged",
    "the record is altered",
    "no authority is given",
)
OF_THE_FLOOR = {
    "the floor is given by nobody": dropped("FloorGranted"),
    "the floor ends for another reason": changing("FloorEnded", why="stage"),
}


def _ended(o: Opening) -> bool:
    return o.status == "ended" and len(o.bids) >= 3


STORIES: dict[str, Callable[[Opening], bool]] = {
    "ended": lambda o: _ended(o) and not o.plan.locks and any(bid.quote for bid in o.bids),
    "behind locks": lambda o: _ended(o) and bool(o.plan.locks) and any(bid.quote for bid in o.bids),
    "with a draw": lambda o: _ended(o) and o.draw is not None and o.draw.drawn is not None,
    "with a floor taken": lambda o: _ended(o) and bool(o.turns) and o.turns[0].why == "finished",
    "with bids not opened": lambda o: _ended(o) and any(bid.cause for bid in o.bids),
    "too few bids": lambda o: o.status == "failed",
    "aborted before the opening time": lambda o: o.status == "aborted" and o.frozen is None,
    "aborted in the middle": lambda o: o.status == "aborted" and o.listed,
}


def read() -> dict[str, tuple[bytes, Verdict]]:
    """Return every bundle by its name, with its verdicts."""
    verdicts: dict[str, Verdict] = json.loads(VERDICTS.read_text(encoding="utf-8"))
    return {name: (gzip.decompress(_file(name).read_bytes()), verdict) for name, verdict in verdicts.items()}


def _file(name: str) -> Path:
    plain = "".join(letter for letter in name if letter.isalnum() or letter == " ")
    return FOLDER / f"{plain.replace(' ', '-')}.zip.gz"


def _made() -> Iterator[tuple[str, bytes]]:
    found: dict[str, bytes] = {}
    seed = 0
    while len(found) < len(STORIES):
        seed += 1
        making = Making(seed, acts=16).play()
        for name, fits in STORIES.items():
            if name not in found and fits(making.it) and len(making.it.bids) <= 5:
                found[name] = asyncio.run(making.bundle())
                break
    yield from found.items()
    honest, other = found["ended"], found["with bids not opened"]
    for lie, change, _ in TAMPERINGS:
        if lie in LIES:
            yield lie, signed_anew(change(unpack(honest)), the_hall())
    for lie, change in OF_THE_FLOOR.items():
        yield lie, signed_anew(change(unpack(found["with a floor taken"])), the_hall())
    kinds: set[str] = set()
    for seed in range(400):
        kind, changed = mutated(honest, other, the_hall(), random.Random(seed))
        if "signed" not in kind and "log" not in kind:
            continue  # what nobody signed falls at the first checks
        if kind not in kinds and any(outcome == "failed" for outcome in by_python(changed).values()):
            kinds.add(kind)
            yield kind, changed


def _recorded() -> Iterator[tuple[str, bytes]]:
    """An opening that was recorded, in two parts; with another fragment; and with the gap between them hidden."""
    with TemporaryDirectory() as folder:
        honest = asyncio.run(a_recorded_bundle(Path(folder)))
        key = hall_key(Path(folder))
    name = "recording/programme-2.mp4"
    files = unpack(honest)
    yield "recorded", honest
    yield "a fragment is exchanged", signed_anew({**files, name: flipped(files[name], len(files[name]) - 5000)}, key)
    with TemporaryDirectory() as folder:  # held by nobody outside, so that this is all that is wrong with it
        files = unpack(asyncio.run(a_recorded_bundle(Path(folder), held=False)))
        yield "a gap is hidden", signed_anew(noted_without_gaps(files), hall_key(Path(folder)))


def write() -> None:
    """Make what the corpus has not got yet."""
    verdicts = json.loads(VERDICTS.read_text(encoding="utf-8")) if VERDICTS.exists() else {}
    for name, bundle in (*_made(), *_recorded()):
        if name not in verdicts:
            _file(name).write_bytes(gzip.compress(bundle, 9, mtime=0))
            verdicts[name] = by_python(bundle)
    VERDICTS.write_text(json.dumps(verdicts, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write()
