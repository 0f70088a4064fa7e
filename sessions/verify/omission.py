"""What became of a bid, by its bidder's own receipt: in the set, replaced, withdrawn, or dropped?

A bundle can agree with itself and lack a bid. Whoever holds that bid's receipt can show it with this.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from crypto.errors import CryptoRefused
from crypto.receipt import Receipt, log_leaf, tracker, verify_receipt
from crypto.receipt_file import ReceiptFile, read_receipt_file
from crypto.signing import HallPublicKey
from crypto.tlog import Checkpoint, Tree, cosignatures, read_proof
from sessions.archive.bundle import ENTRIES
from sessions.events import BidReceived, BidWithdrawn, Recorded
from sessions.intake.receipts import receipt_of
from sessions.opening import Opening
from sessions.verify.fates import Fate, Verdict
from sessions.verify.logged import ENTRY
from sessions.verify.replay import Replayed
from sessions.verify.watched import policy_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Archived:
    """What the checks found in the bundle; None where one of them did not pass.

    ``withdrawals``: every withdrawal in it was signed by its bidder. ``declared``: the bidders whose bid of the set
    is in it with their own signature.
    """

    files: Mapping[str, bytes] | None
    key: HallPublicKey | None
    session: str | None
    replayed: Replayed | None
    intake: tuple[Recorded, ...] | None
    withdrawals: bool
    declared: frozenset[str]


def weigh(kept: bytes, archived: Archived) -> Verdict:
    """Return what became of the bid of the receipt (a receipt file, or the bare JWS) by this bundle."""
    key, replayed = archived.key, archived.replayed
    if archived.files is None or key is None:
        return Verdict(fate=Fate.UNTOLD, evidence=("the archive's own signature does not hold",))
    try:
        file = _read(kept, key)
    except CryptoRefused as error:
        return Verdict(fate=Fate.FORGED, evidence=(str(error),))
    if file.hall != key:
        told = f"the receipt names hall key {file.hall.kid}, the archive {key.kid}"
        return Verdict(fate=Fate.FOREIGN, evidence=(told,))
    try:
        receipt = verify_receipt(file.token, key)
    except CryptoRefused as error:
        fate = Fate.FOREIGN if error.code == "wrong_signer" else Fate.FORGED
        return Verdict(fate=fate, evidence=(str(error),))
    if receipt.session != archived.session:
        return Verdict(fate=Fate.FOREIGN, evidence=(f"it is for the opening {receipt.session}",))
    signed = f"hall key {key.kid} signed the receipt: bid {_code(receipt)} came in at {receipt.received_at}"
    logged, note = _logged(file, replayed)
    evidence = (signed, note)
    if replayed is None:
        return Verdict(fate=Fate.UNTOLD, evidence=(*evidence, "the archive's opening does not follow the rules"))
    if logged is not None and replayed.opening.frozen is not None and not _continues(logged, archived.files):
        return Verdict(fate=Fate.FORKED, evidence=(*evidence, "the log in the archive is another one"))
    fate, why = _fate(receipt, replayed.opening, archived)
    return Verdict(fate=fate, evidence=(*evidence, why))


def _read(kept: bytes, key: HallPublicKey) -> ReceiptFile:
    if kept.lstrip()[:1] == b"{":
        return read_receipt_file(kept)
    return ReceiptFile(token=kept.decode("ascii", "replace").strip(), hall=key)


def _code(receipt: Receipt) -> str:
    return tracker(receipt.payload())


def _logged(file: ReceiptFile, replayed: Replayed | None) -> tuple[Checkpoint | None, str]:
    """Return the checkpoint in which the receipt stands, and a sentence about it."""
    watch = None if replayed is None else replayed.opening.plan.watch
    try:
        checkpoint = file.checkpoint()
        if checkpoint is None:
            return None, "there is no proof beside it that it was logged"
        said = cosignatures(read_proof(file.proof or "").checkpoint, policy_of(watch).witnesses) if watch else {}
    except CryptoRefused as error:
        return None, f"the proof beside it does not hold and is left aside: {error}"
    outside = f" and {', '.join(said)} cosigned" if said else ""
    stands = f"it stands in the log {checkpoint.origin} of {checkpoint.size} entries, which the hall signed{outside}"
    return checkpoint, stands


def _continues(checkpoint: Checkpoint, files: Mapping[str, bytes]) -> bool:
    """Whether the log in the bundle begins with what the checkpoint covers."""
    data = files.get(ENTRIES, b"")[: ENTRY * checkpoint.size]
    entries = (data[at : at + ENTRY] for at in range(0, len(data), ENTRY))
    return len(data) == ENTRY * checkpoint.size and Tree(entries).root() == checkpoint.root


def _fate(receipt: Receipt, o: Opening, archived: Archived) -> tuple[Fate, str]:
    if o.frozen is None:
        return Fate.NEVER_FROZEN, f"the opening ended as {o.status}"
    counted = receipt.header_sha256 in o.frozen.headers
    if archived.intake is None:
        return Fate.UNTOLD, "the events of intake do not hold"
    if not archived.intake:
        if counted:
            return Fate.COUNTED, "its header is one of those frozen; nothing was opened"
        return Fate.UNTOLD, "its header is not frozen, and why is withheld because the opening was not held"
    received = [(n, r.event) for n, r in enumerate(archived.intake) if isinstance(r.event, BidReceived)]
    entry = log_leaf(receipt)
    at = next((n for n, _ in received if log_leaf(receipt_of(archived.intake[n], o.plan)) == entry), None)
    if at is None:
        if counted or any(event.header_sha256 == receipt.header_sha256 for _, event in received):
            return Fate.ALTERED, "the bid is there, and no event of intake says what the receipt says"
        return Fate.DROPPED, "no event of intake received it, and its header is not among those frozen"
    return _ended(archived.intake[at:], o, archived)


def _ended(events: tuple[Recorded, ...], o: Opening, archived: Archived) -> tuple[Fate, str]:
    """Follow a bidder's bid from its receipt to what became of it at T0."""
    first = events[0].event
    if not isinstance(first, BidReceived) or o.frozen is None:
        raise TypeError("a bid begins with BidReceived")
    standing: BidReceived | None = first
    gone: BidWithdrawn | None = None
    for record in _of(first.bidder, events[1:]):
        match record.event:
            case BidReceived() as later:
                standing, gone = later, None
            case BidWithdrawn() as withdrawn:
                standing, gone = None, withdrawn
            case _:
                pass
    if gone is not None:
        if archived.withdrawals:
            return Fate.WITHDRAWN, f"the withdrawal of {gone.header_sha256} is signed with the bid's own certificate"
        return Fate.DROPPED, "a withdrawal is claimed that its bidder is not shown to have signed"
    if standing is None or standing.header_sha256 not in o.frozen.headers:
        return (
            Fate.DROPPED,
            "it was received, nothing replaced or withdrew it, and its header is not among those frozen",
        )
    if standing.header_sha256 == first.header_sha256:
        return Fate.COUNTED, f"its header {first.header_sha256} is one of the {o.frozen.received} frozen"
    if first.bidder not in archived.declared:
        return Fate.DROPPED, f"{standing.tracker} is said to replace it, but not shown to be signed by this bidder"
    return Fate.REPLACED, f"by {standing.tracker}, which its bidder signed; if that was not you, object"


def _of(bidder: str, events: tuple[Recorded, ...]) -> Iterator[Recorded]:
    return (r for r in events if isinstance(r.event, BidReceived | BidWithdrawn) and r.event.bidder == bidder)
