"""Hash-chained events (FORMAT.md section 8): what makes a record impossible to edit quietly."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from crypto.digest import sha256_hex
from crypto.encoding import canonical, unhex
from crypto.errors import ChainBroken, EncodingRefused

GENESIS: Final = "0" * 64
_MEMBERS: Final = {"stream", "n", "at", "type", "actor", "data", "private", "prev"}


def event_digest(core: Mapping[str, Any]) -> str:
    """Return the hex digest of one event core."""
    return sha256_hex(canonical(core))


def link(prev: str | None, core: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``core`` with ``prev``, the digest of the event before it (None for the first)."""
    return {**core, "prev": GENESIS if prev is None else prev}


def commit_private(salt: str, value: object) -> str:
    """Return the commitment that stands in the chain for a value kept out of it.

    ``salt`` is hex of 16 to 64 random bytes and is kept with the value; without it a short value could be guessed.
    """
    _check_salt(salt)
    return sha256_hex(canonical({"salt": salt, "value": value}))


def disclosed(line: bytes, part: Mapping[str, Any]) -> str:
    """Return the commitment to ``part``, read from its canonical ``line``: ``{"n", "salt", "value"}``.

    What ``commit_private`` would encode stands in the line, to the byte, after the number.
    """
    _check_salt(part["salt"])
    return sha256_hex(b"{" + line[line.index(b",") + 1 :])


def _check_salt(salt: object) -> None:
    if not 16 <= len(unhex(salt)) <= 64:
        raise EncodingRefused("malformed_field", detail="a salt has 16 to 64 bytes")


def verify_chain(
    cores: Iterable[Mapping[str, Any]],
    *,
    after: tuple[int, str] = (0, GENESIS),
    digest: Callable[[Any], str] = event_digest,
) -> str:
    """Return the digest of the last event; raise ``ChainBroken`` with the number of the first bad one.

    ``after`` is number and digest of the event before the first, to check a tail. No events: that digest. ``digest``
    tells a core's digest to whoever knows it already, having read the core from its canonical bytes.
    """
    number, prev = after
    stream: object = None
    for core in cores:
        number += 1
        if set(core) != _MEMBERS or not isinstance(core["data"], Mapping):
            raise ChainBroken("malformed_event", number=number)
        stream = core["stream"] if stream is None else stream
        if core["n"] != number or core["prev"] != prev or core["stream"] != stream:
            raise ChainBroken("broken_chain", number=number)
        try:
            prev = digest(core)
        except EncodingRefused as error:
            raise ChainBroken("malformed_event", number=number) from error
    return prev
