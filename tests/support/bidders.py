"""Bidders with real certificates and real sealed files, for every test that needs one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from io import BytesIO
from typing import Any

from crypto import authority, envelope
from crypto.authority import Algorithm, Authority
from crypto.certificates import Credential, Usage, bidder_id
from crypto.envelope import SealedBid, Source
from crypto.locks import Lock
from crypto.quorum import Quorum
from crypto.receipt import Receipt

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
DURING = BEGIN + timedelta(days=100)
AFTER = BEGIN + timedelta(days=400)
DEADLINE = "2026-11-21T01:00:00Z"
TENDER, LOT = "ZB-2026-001", "1"
QUOTE: Mapping[str, Any] = {"price": "1280000.00", "duration": "180"}

RECEIPT = Receipt(
    session="S-1",
    tender="T-1",
    lot="1",
    bidder="91330100",
    header_sha256="11" * 32,
    root="22" * 32,
    length=4096,
    declaration_sha256="33" * 32,
    received_at="2026-11-21T00:59:59.999Z",
    leaf_salt="44" * 32,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bidder:
    """One organisation with its double certificates."""

    sign: Credential
    encrypt: Credential

    @property
    def id(self) -> str:
        return bidder_id(self.sign.certificate)


@cache
def the_authority(name: str = "Test Root") -> Authority:
    return authority.create(name, at=BEGIN)


@cache
def a_bidder(name: str = "华东建设有限公司", algorithm: Algorithm = Algorithm.P256) -> Bidder:
    """Return the bidder of this name; the same one for the whole run, because RSA keys are slow to make."""
    identifier = authority.demo_identifier(name)

    def issue(usage: Usage) -> Credential:
        return authority.issue(
            the_authority(), name=name, identifier=identifier, usage=usage, algorithm=algorithm, at=BEGIN
        )

    return Bidder(sign=issue(Usage.SIGN), encrypt=issue(Usage.ENCRYPT))


def an_officer(name: str, algorithm: Algorithm = Algorithm.P256) -> Credential:
    """Return the encryption key and certificate of somebody who holds a share; the same for the whole run."""
    return a_bidder(name, algorithm).encrypt


def a_quorum(threshold: int, *officers: Credential) -> Quorum:
    return Quorum(threshold=threshold, certificates=tuple(each.certificate for each in officers))


def a_lock(name: str, threshold: int, *officers: Credential) -> Lock:
    return Lock(id=name, threshold=threshold, certificates=tuple(each.certificate for each in officers))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A sealed bid with what went into it."""

    data: bytes
    bid: SealedBid
    bidder: Bidder
    files: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def file(self) -> BytesIO:
        return BytesIO(self.data)


def a_sealed_bid(
    *files: bytes,
    bidder: Bidder | None = None,
    quote: Mapping[str, Any] = QUOTE,
    tender: str = TENDER,
    lot: str = LOT,
    deadline: str = DEADLINE,
    envelopes: int = 1,
    commercial: tuple[bytes, ...] = (),
    rescue_salt: bytes | None = None,
    tenderer: Quorum | None = None,
    escrow: Quorum | None = None,
    beside: Sequence[Credential] = (),
) -> Sealed:
    """Seal ``quote`` and ``files`` for real; ``commercial`` files go to group B of a two-envelope bid.

    ``beside``: for whom else a program that betrays its bidder seals it, as if they were the bidder.
    """
    bidder = bidder or a_bidder()
    grouped = [("A", data) for data in files] + [("B", data) for data in commercial]
    out = BytesIO()
    bid = envelope.seal(
        out,
        tender=tender,
        lot=lot,
        deadline=deadline,
        quote=quote,
        files=[
            Source(
                name=f"文件{number}.pdf", media="application/pdf", stream=BytesIO(data), size=len(data), group=group
            )
            for number, (group, data) in enumerate(grouped, 1)
        ],
        signer=bidder.sign,
        encrypt_to=[each.certificate for each in (bidder.encrypt, *beside)],
        envelopes=envelopes,
        rescue_salt=rescue_salt,
        tenderer=tenderer,
        escrow=escrow,
    )
    named = {f"f{number}": data for number, (_, data) in enumerate(grouped, 1)}
    return Sealed(data=out.getvalue(), bid=bid, bidder=bidder, files=named)
