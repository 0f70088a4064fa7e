"""The bundle as bytes: its members, the manifest that lists them, the key that signed it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from crypto.digest import sha256_hex
from crypto.encoding import exactly, parse_canonical
from crypto.endorsements import read_keys
from crypto.errors import CryptoRefused
from crypto.signing import HallPublicKey
from crypto.signing import verify as verify_statement
from sessions import zipped
from sessions.archive.bundle import KEYS, KIND, MANIFEST, SIGNATURE
from sessions.keys.hallkey import kid_in
from sessions.recording.bundle import is_film
from sessions.verify.report import Found, require
from sessions.zipped import MOST_BYTES, unpack

Files = Mapping[str, bytes]

LINES = 64 * 1024 * 1024


def opened(bundle: Path | bytes) -> Found:
    """Return the members of the one form that a bundle has."""
    if isinstance(bundle, Path):
        require(bundle.stat().st_size <= MOST_BYTES, f"more than {MOST_BYTES} bytes")
        if bundle.is_file():  # not a pipe
            kept = zipped.opened(bundle, is_film)
            return Found(kept, f"{len(kept)} files, {bundle.stat().st_size} bytes")
        bundle = bundle.read_bytes()
    files = unpack(bundle)
    return Found(files, f"{len(files)} files, {len(bundle)} bytes")


def manifest(files: Files) -> Found:
    """The manifest lists just the files that are there, each by its digest and size."""
    stated = exactly(parse_canonical(files[MANIFEST], limit=LINES), ("v", "session", "files"))
    require(stated["v"] == 1 and isinstance(stated["session"], str), "not a manifest of version 1")
    listed = stated["files"]
    require(listed.keys() == files.keys() - {MANIFEST, SIGNATURE}, "it does not list just the files that are there")
    for name, said in listed.items():
        is_listed(name, files[name], said)
    return Found(stated, f"{len(listed)} files")


def is_listed(name: str, data: zipped.Member, said: object) -> None:
    """Raise unless ``data`` is the file that a manifest says so much of."""
    here = {"sha256": zipped.digest(data), "size": len(data)}
    require(said == here, f"{name} is not the file that the manifest lists")


def signature(files: Files, stated: Mapping[str, Any]) -> Found:
    """The hall's key, which the plan names, signed the manifest."""
    key = HallPublicKey.from_document(parse_canonical(files["hall-key.json"]))
    payload = verify_statement(files[SIGNATURE].decode("ascii"), KIND, key)
    is_over(payload, stated["session"], files[MANIFEST])
    announced = _announced(files)
    require(announced in (None, key.kid), f"the opening was announced under hall key {announced}, this is {key.kid}")
    if KEYS in files:
        listed = read_keys(files[KEYS])
        require(listed[-1] == key and len(listed) > 1, "the list of keys does not lead to the one that signed")
    return Found(key, f"hall key {key.kid}")


def is_over(payload: object, session: str, data: bytes) -> None:
    """Raise unless the statement ``payload`` is over this manifest."""
    require(payload == {"v": 1, "session": session, "manifest_sha256": sha256_hex(data)}, "it is over something else")


def _announced(files: Files) -> str | None:
    """Return which key plan.json names, if it can be read; what it is worth, plan.announced says."""
    with suppress(CryptoRefused, KeyError):
        plan = parse_canonical(files["plan.json"], limit=LINES)
        return kid_in(plan) if isinstance(plan, dict) else None
    return None


def known(files: Files, key: HallPublicKey, trusted: bytes) -> Found:
    """The key that signed is one that the reader trusts, or follows from one."""
    held = read_keys(trusted)
    listed = read_keys(files[KEYS]) if KEYS in files else (key,)
    # What the list says of keys before the one that is trusted proves nothing, and does not matter.
    ways = [one for one in listed if one in held]
    require(bool(ways), f"hall key {key.kid} is not one you trust ({_kids(held)}), and none of them endorses it")
    return Found(True, f"{ways[-1].kid} is known" + ("" if ways[-1] == key else f", and endorses {key.kid}"))


def _kids(keys: Iterable[HallPublicKey]) -> str:
    return ", ".join(key.kid for key in keys)
