"""What sealing needs of a tender.json; the hall reads the rest (sessions.announcing.announcement)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from crypto.certificates import parse_certificate
from crypto.encoding import canonical, check_identifier, check_integer, check_moment, parse_strict, unb64u
from crypto.errors import CertificateRefused, EncodingRefused, ShareRefused
from crypto.quorum import Quorum
from sessions.plan import QuoteField, Words
from sessions.quote import KINDS
from web.refused import Refused

_LIMIT = 1_048_576
_URL_SAFE = str.maketrans("+/", "-_")  # certificates come in either base64


@dataclass(frozen=True, slots=True, kw_only=True)
class TenderSheet:
    """The lot a bid is sealed for: what its keys are bound to, and what its quote must hold."""

    id: str
    lot: str
    deadline: str
    envelopes: int
    fields: tuple[QuoteField, ...]
    tenderer: Quorum | None = None
    escrow: Quorum | None = None

    def canonical_quote(self, path: Path) -> bytes:
        """Return the quote in ``path`` in canonical form; a bidder may write it with spaces and line breaks."""
        try:
            return canonical(parse_strict(path.read_bytes()))
        except EncodingRefused as error:
            raise Refused(
                f"{path} is not strict JSON.", 'Write it like {"price": "1280000.00"}: every value a string.'
            ) from error


def read_tender(path: Path) -> TenderSheet:
    """Return what ``path`` announces; members that sealing does not need are left alone."""
    try:
        form = parse_strict(path.read_bytes(), limit=_LIMIT)
        envelopes = form.get("envelopes", 1)
        if envelopes not in (1, 2) or isinstance(envelopes, bool):
            raise ValueError("envelopes is 1 or 2")
        return TenderSheet(
            id=check_identifier(form["id"]),
            lot=check_identifier(form["lot"]),
            deadline=_deadline(form["deadline"]),
            envelopes=envelopes,
            fields=tuple(_field(field) for field in form["quote"]["fields"]),
            tenderer=_quorum(form.get("tenderer_share"), "officers"),
            escrow=_quorum(form.get("escrow"), "trustees"),
        )
    except (
        CertificateRefused,
        EncodingRefused,
        ShareRefused,
        AttributeError,
        KeyError,
        TypeError,
        ValueError,
    ) as error:
        what = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise Refused(
            f"{path} is not a tender file: {what}.", "Fetch it from the announcement, or try `kaibiao example DIR`."
        ) from error


def _deadline(text: str) -> str:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("the deadline names no time zone")
    return check_moment(moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))


def _quorum(form: dict[str, Any] | None, people: str) -> Quorum | None:
    if form is None:
        return None
    certificates = (each["certificate"].translate(_URL_SAFE).rstrip("=") for each in form[people])
    quorum = Quorum(
        threshold=check_integer(form["threshold"], 1),
        certificates=tuple(parse_certificate(unb64u(text)) for text in certificates),
    )
    quorum.check_usage()
    return quorum


def _field(form: dict[str, Any]) -> QuoteField:
    if form["kind"] not in KINDS:
        raise ValueError(f"no such kind of field: {json.dumps(form['kind'])}")
    label = form.get("label", {})
    name = check_identifier(form["id"])
    return QuoteField(
        id=name,
        kind=form["kind"],
        label=Words(zh=str(label.get("zh", name)), en=str(label.get("en", name))),
        required=form.get("required", True) is not False,
        currency=form.get("currency"),
    )
