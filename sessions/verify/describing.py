"""Say what a bundle holds, without checking it: for ``kaibiao explain``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from crypto.encoding import parse_canonical
from crypto.errors import CryptoRefused
from crypto.explain import Line
from crypto.signing import peek
from sessions.archive.bundle import MANIFEST, SIGNATURE
from sessions.recording.bundle import is_film
from sessions.verify.events import lines
from sessions.verify.report import Failed
from sessions.zipped import opened, unpack

_LIMIT = 64 * 1024 * 1024


def describe(bundle: Path | bytes) -> list[Line]:
    """Return what ``bundle`` says of itself, unverified; raise ``sessions.zipped.NotOurs`` for another file.

    A member that is missing or malformed is left out: ``verify`` says what is wrong with it.
    """
    if isinstance(bundle, Path) and not bundle.is_file():  # a pipe
        bundle = bundle.read_bytes()
    files: Any = unpack(bundle) if isinstance(bundle, bytes) else opened(bundle, is_film)
    told = [Line("what", "archive of a bid opening; nothing verified, see `kaibiao verify`")]
    for part in (_plan, _log, _record, _signer):
        try:
            told += part(files)
        except (KeyError, TypeError, ValueError, IndexError, CryptoRefused, Failed):
            continue
    members = Counter(name.partition("/")[0] if "/" in name else "pages and papers" for name in files)
    told += [Line(f"files in {name}", str(count)) for name, count in sorted(members.items())]
    return told


def _plan(files: dict[str, bytes]) -> Iterator[Line]:
    plan: Any = parse_canonical(files["plan.json"], limit=_LIMIT)
    tender = plan["tender"]
    yield Line("session", plan["session"] + (" (rehearsal)" if plan["rehearsal"] else ""))
    yield Line("tender", f"{tender['id']} lot {tender['lot']}: {tender['title']['zh']} / {tender['title']['en']}")
    yield Line("tenderer", f"{tender['tenderer']['zh']} / {tender['tenderer']['en']}")
    yield Line("rules", f"{plan['pack']['id']} {plan['pack']['version']}")


def _log(files: dict[str, bytes]) -> Iterator[Line]:
    found = list(lines(files["events/opening.jsonl"]))
    yield Line("events", f"{len(found)}, {found[0]['at']} to {found[-1]['at']}")
    yield Line("ended with", found[-1]["type"])


def _record(files: dict[str, bytes]) -> Iterator[Line]:
    record: Any = parse_canonical(files["record.json"], limit=_LIMIT)
    sealed = record["sealed_set"]
    yield Line("opening time", record["t0"])
    if sealed:
        yield Line("bids received", str(sealed["received"]))
    for row in record["rows"]:
        figures = ", ".join(f"{amount['figures']} {amount['currency']}" for amount in row["amounts"].values())
        yield Line(f"row {row['row']}", f"{row['name']}: {figures or row['cause'] or row['state']}")


def _signer(files: dict[str, bytes]) -> Iterator[Line]:
    protected, _ = peek(files[SIGNATURE].decode("ascii"))
    yield Line("hall key", str(protected.get("kid")))
    yield Line("manifest", f"{len(parse_canonical(files[MANIFEST], limit=_LIMIT)['files'])} files")
