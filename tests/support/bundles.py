"""Bundles to check and to tamper with. The worst adversary is the hall itself: it holds the key and can sign anew."""

from __future__ import annotations

import json
import tempfile
from asyncio import run
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from crypto.chain import commit_private, event_digest, link
from crypto.digest import sha256_hex
from crypto.encoding import canonical, parse_canonical
from crypto.signing import HallKey, sign
from sessions.archive.bundle import KIND, MANIFEST, SIGNATURE
from sessions.archive.record_html import record_html
from sessions.events import RecordDrawn, SessionEnded
from sessions.opening import Opening, evolve
from sessions.opening.record import record as drawn_record
from sessions.opening.record import record_digest
from sessions.plan_json import plan_from_json
from sessions.verify import Report, verify
from sessions.verify.events import read
from sessions.zipped import pack, unpack
from tests.support.finished import a_bundle
from tests.support.hallkey import hall_key

Files = dict[str, bytes]
PRIVATE = "events/opening.private.jsonl"


@cache
def the_bundle(bidders: int = 5, envelopes: int = 1) -> tuple[bytes, HallKey]:
    """Return the bundle of one opening and the hall's key; played once for the whole run."""
    with tempfile.TemporaryDirectory() as folder:
        return run(a_bundle(Path(folder), bidders=bidders, envelopes=envelopes)), hall_key(Path(folder))


def the_files() -> Files:
    return unpack(the_bundle()[0])


def signed_anew(files: Mapping[str, bytes], key: HallKey | None = None) -> bytes:
    """Return a bundle of ``files`` with a genuine manifest: what a dishonest hall would publish."""
    key = key or the_bundle()[1]
    session = json.loads(files["plan.json"])["session"]
    held = {name: data for name, data in files.items() if name not in (MANIFEST, SIGNATURE)}
    stated = {name: {"sha256": sha256_hex(data), "size": len(data)} for name, data in held.items()}
    manifest = canonical({"v": 1, "session": session, "files": stated})
    payload = {"v": 1, "session": session, "manifest_sha256": sha256_hex(manifest)}
    return pack({**held, MANIFEST: manifest, SIGNATURE: sign(payload, KIND, key).encode()})


def failed(bundle: bytes) -> set[str]:
    """Return the ids of the checks that failed; those skipped because of them are left out."""
    report: Report = verify(bundle)
    assert report.ok == (not report.failed)
    return {check.id for check in report.failed}


def events(files: Mapping[str, bytes], stream: str = "opening") -> list[dict[str, Any]]:
    return [parse_canonical(line, limit=10**7) for line in files[f"events/{stream}.jsonl"].splitlines()]


def with_events(files: Mapping[str, bytes], cores: list[dict[str, Any]], stream: str = "opening") -> Files:
    return {**files, f"events/{stream}.jsonl": b"".join(canonical(core) + b"\n" for core in cores)}


def rechained(cores: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the events numbered and linked anew, as only the hall could pretend they had been from the start."""
    prev, chained = None, []
    for number, core in enumerate(cores, start=1):
        chained.append(link(prev, {**core, "n": number}))
        prev = event_digest(chained[-1])
    return chained


def retold(
    files: Mapping[str, bytes], change: Callable[[list[dict[str, Any]]], None], stream: str = "opening"
) -> Files:
    """Return the bundle's files with ``change`` made to the events of a stream, all numbered and chained anew."""
    cores = events(files, stream)
    change(cores)
    cores = rechained(cores)
    told = with_events(files, cores, stream)
    return _renumbered(told, cores) if stream == "opening" else told


def _renumbered(files: Files, cores: list[dict[str, Any]]) -> Files:
    """Let the private parts follow their events to their new numbers."""
    numbers = {core["private"]: core["n"] for core in cores if core["private"]}
    shown = (parse_canonical(line, limit=10**7) for line in files[PRIVATE].splitlines())
    moved = [{**part, "n": numbers.get(commit_private(part["salt"], part["value"]), part["n"])} for part in shown]
    return {**files, PRIVATE: b"".join(canonical(part) + b"\n" for part in moved)}


def redrawn(files: Files) -> Files:
    """Return the files with the record drawn anew from the events, wherever the hall can do so by itself."""
    cores = events(files)
    plan = plan_from_json(cores[0]["data"]["plan"])
    shown = {part["n"]: part for part in (parse_canonical(line, limit=10**7) for line in files[PRIVATE].splitlines())}
    opening: Opening | None = None
    for core, told in zip(cores, read(cores, shown, plan).records, strict=True):
        record = told
        if isinstance(told.event, RecordDrawn | SessionEnded):
            assert opening is not None
            core["data"]["record_sha256"] = record_digest(opening)
            record = replace(told, event=replace(told.event, record_sha256=record_digest(opening)))
        opening = evolve(opening, record)
    assert opening is not None
    document = drawn_record(opening)
    cores = rechained(cores)
    page = record_html(document, opening, event_digest(cores[-1]))
    return {**with_events(files, cores), "record.json": canonical(document), "record.html": page.encode()}


def named(cores: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    return next(core for core in cores if core["type"] == kind)
