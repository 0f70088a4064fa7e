"""A bidder's signed signs of life, the hall's signed acknowledgements, and the files both leave (ARCHIVE.md).

A beat is a statement of kind ``heartbeat`` by the bidder's signing certificate, an acknowledgement one of kind
``heard`` by the hall key (crypto/FORMAT.md section 7). What may stand in them is here; whose they are, the caller
checks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from cryptography import x509

from crypto.digest import sha256_hex
from crypto.encoding import canonical, check_identifier, check_integer, exactly, parse_canonical, unhex
from crypto.errors import EncodingRefused, StatementRefused
from crypto.signing import HallKey, HallPublicKey, sign, verify
from sessions.ids import BidderId, Digest, Jws
from sessions.opening.attribution import BY_CLIENT
from sessions.opening.evidence import RELEASED, Beat, Probe
from sessions.ports import Evidence
from sessions.shape import Misshapen, moment, rfc3339

BEAT = "heartbeat"
HEARD = "heard"
LONGEST = 4096
"""Characters of one beat."""

KEY_STATES = frozenset({"none", "ready", RELEASED, *BY_CLIENT})
"""``none``: no key is opened; ``ready``: it is, and fits its certificate; otherwise what went wrong with it."""

_MEMBERS = ("v", "session", "bidder", "nonce", "n", "at", "key", "seen", "lost", "rtt_ms", "ack")
_HEARD = ("v", "session", "bidder", "nonce", "n", "beat_sha256", "received_at", "answered_at", "head")


def beat_payload(
    *,
    session: str,
    bidder: str,
    nonce: str,
    n: int,
    at: datetime,
    key: str,
    seen: int,
    lost: int,
    rtt_ms: Sequence[int],
    ack: str | None,
) -> dict[str, Any]:
    """Return what a bidder's program signs. ``ack`` is the digest of the last acknowledgement it keeps."""
    return {
        "v": 1,
        "session": session,
        "bidder": bidder,
        "nonce": nonce,
        "n": n,
        "at": rfc3339(at),
        "key": key,
        "seen": seen,
        "lost": lost,
        "rtt_ms": list(rtt_ms),
        "ack": ack,
    }


def read_beat(token: str, certificate: x509.Certificate, *, session: str, bidder: str, nonce: str) -> dict[str, Any]:
    """Return the payload of a beat of this bidder in this window, every member checked.

    Raises:
        StatementRefused: ``too_large``, the codes of ``verify``, or ``malformed_token``.
    """
    if len(token) > LONGEST:
        raise StatementRefused("too_large")
    payload = verify(token, BEAT, certificate)
    try:
        said = exactly(payload, _MEMBERS)
        check_integer(said["v"], 1, 1)
        check_integer(said["n"], 1)
        check_integer(said["seen"])
        check_integer(said["lost"], 0, 1_000_000)
        moment(said["at"])
        trips = said["rtt_ms"]
        if not isinstance(trips, list) or len(trips) > 8:
            raise EncodingRefused("malformed_field", detail="rtt_ms")
        for trip in trips:
            check_integer(trip, 0, 3_600_000)
        if said["ack"] is not None:
            unhex(said["ack"], 32)
        check_identifier(said["session"])
    except (EncodingRefused, Misshapen) as error:
        raise StatementRefused("malformed_token") from error
    ours = (session, bidder, nonce)
    if (said["session"], said["bidder"], said["nonce"]) != ours or said["key"] not in KEY_STATES:
        raise StatementRefused("malformed_token")
    return payload


def acknowledge(
    token: str, payload: dict[str, Any], *, received_at: datetime, answered_at: datetime, head: Digest, hall: HallKey
) -> Jws:
    """Return the hall's acknowledgement of a beat that ``read_beat`` took."""
    said = {name: payload[name] for name in ("session", "bidder", "nonce", "n")}
    heard = {
        "v": 1,
        **said,
        "beat_sha256": sha256_hex(token.encode()),
        "received_at": rfc3339(received_at),
        "answered_at": rfc3339(answered_at),
        "head": head,
    }
    return Jws(sign(heard, HEARD, hall))


def read_heard(token: str, hall: HallPublicKey) -> dict[str, Any]:
    """Return the payload of an acknowledgement by this hall; raise StatementRefused."""
    payload = verify(token, HEARD, hall)
    try:
        said = exactly(payload, _HEARD)
        check_integer(said["v"], 1, 1)
        moment(said["received_at"])
        moment(said["answered_at"])
    except (EncodingRefused, Misshapen) as error:
        raise StatementRefused("malformed_token") from error
    return payload


def as_beat(said: dict[str, Any], heard: dict[str, Any]) -> Beat:
    """Return the figures in a beat and its acknowledgement, both read."""
    return Beat(
        bidder=BidderId(said["bidder"]),
        number=said["n"],
        made_at=moment(said["at"]),
        heard_at=moment(heard["received_at"]),
        answered_at=moment(heard["answered_at"]),
        key=said["key"],
        lost=said["lost"],
    )


# -- the files ------------------------------------------------------------------------------------------------


def beats_file(pieces: Iterable[Evidence]) -> bytes:
    """Return a bidder's beats with their acknowledgements, one a line."""
    return _lines({"ack": piece.answer, "beat": piece.statement} for piece in pieces)


def reach_file(pieces: Iterable[tuple[int, Evidence]]) -> bytes:
    """Return beats of several bidders, each with the row it belongs to, one a line."""
    return _lines({"ack": piece.answer, "beat": piece.statement, "row": row} for row, piece in pieces)


def probes_file(pieces: Iterable[Evidence]) -> bytes:
    """Return the hall's own signs of life, one a line."""
    return b"".join(piece.statement.encode() + b"\n" for piece in pieces)


def probe_text(probe: Probe) -> str:
    """Return one sign of life of the hall as it is kept."""
    return canonical({"at": rfc3339(probe.at), "took_ms": probe.took_ms, "run": probe.run}).decode()


def read_probes(data: bytes) -> tuple[Probe, ...]:
    """Return the hall's signs of life in a file; raise EncodingRefused or Misshapen."""
    return tuple(
        Probe(
            at=moment(said["at"]),
            took_ms=check_integer(said["took_ms"]),
            run=check_identifier(said["run"]),
        )
        for said in (exactly(line, ("at", "took_ms", "run")) for line in _read(data))
    )


def read_beats(data: bytes) -> Iterator[tuple[str, str]]:
    """Yield beat and acknowledgement of each line of a bidder's file, neither verified."""
    for line in _read(data):
        said = exactly(line, ("ack", "beat"))
        yield said["beat"], said["ack"]


def read_reach(data: bytes) -> Iterator[tuple[int, str, str]]:
    """Yield row, beat and acknowledgement of each line of the common file, not verified."""
    for line in _read(data):
        said = exactly(line, ("ack", "beat", "row"))
        yield check_integer(said["row"], 1), said["beat"], said["ack"]


def _lines(values: Iterable[object]) -> bytes:
    return b"".join(canonical(value) + b"\n" for value in values)


def _read(data: bytes) -> Iterator[Any]:
    if data and not data.endswith(b"\n"):
        raise EncodingRefused("malformed_json")
    for line in data.split(b"\n")[:-1]:
        yield parse_canonical(line, limit=4 * LONGEST)
