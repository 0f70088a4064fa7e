"""Why a bid was not opened, and what follows in law, computed from recorded evidence alone (归责).

The table is in LIFECYCLE.md. Two rules stand above it: nobody is blamed for what a fault of the hall may have caused,
and evidence that speaks against itself decides nothing.

电子招标投标办法 art. 31: not decrypted for the bidder's own reason, the bid counts as revoked (撤销); for any other
reason, as withdrawn (撤回). What the evidence does not decide is left to two persons, never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sessions.opening.evidence import RELEASED as RELEASED_SAID
from sessions.opening.state import Bid, BidState, Opening
from sessions.proofs import State
from sessions.shape import rfc3339

UNKNOWN = "unknown"
REVOKED = "revoked"
WITHDRAWN = "withdrawn"
PENDING = "pending"

CAUSES: Mapping[str, str] = {
    "B1": REVOKED,  # absent, or there and never tried
    "B2": REVOKED,  # wrong certificate or key
    "B3": REVOKED,  # certificate expired or re-issued
    "B4": REVOKED,  # PIN or password
    "B5": REVOKED,  # offline while others reached the hall
    "B6": REVOKED,  # corrupt at source
    "P1": WITHDRAWN,  # hall fault
    "P2": WITHDRAWN,  # storage
    "P3": WITHDRAWN,  # certificate service down
    "P4": WITHDRAWN,  # not served in time
    "P5": WITHDRAWN,  # the tenderer's key missing
    "X1": WITHDRAWN,  # network backbone
    "X2": WITHDRAWN,  # force majeure
}
"""Every cause that may stand in a record, and its consequence."""

BY_CLIENT: Mapping[str, str] = {
    "wrong_key": "B2",
    "wrong_recipient": "B2",
    "wrong_certificate": "B2",
    "slot_not_openable": "B2",
    "commitment_mismatch": "B2",
    "certificate_expired": "B3",
    "certificate_changed": "B3",
    "wrong_password": "B4",
    "locked": "B4",
}
"""What a bidder's own client may report. Nothing here puts the blame on anybody else."""

BY_ATTEMPT: Mapping[str, str] = {
    **BY_CLIENT,
    "bad_signature": "B2",
    "wrong_signer": "B2",
    "other_subject": "B2",  # a certificate of another organisation than the one that signed the bid
    "wrong_bid": "B2",
    "expired": "B3",
    "not_yet_valid": "B3",
    "revoked": "B3",
    "hall_error": "P1",
    "revocation_unknown": "P1",  # the hall asks for evidence and was not told where to find it
    "revocation_unavailable": "P3",
    "answered_late": "P4",
}
"""The code of the last attempt, and the cause it shows. Codes of crypto/FORMAT.md that are not here show none."""

UNREADABLE: Mapping[str, str] = {
    "key_mismatch": "B2",  # every share is the one committed to, and what they make is not the sealed key
    "tenderer_missing": "P5",
    "commitment_mismatch": "B6",
    "damaged_part": "B6",
    "malformed_quote": "B6",
    "malformed_names": "B6",
    "stored_bytes_changed": "P2",
    "hall_error": "P1",
}
"""Why a bid whose key was accepted could still not be read."""

STORAGE = frozenset({"stored_bytes_changed", "not_a_sealed_bid", "malformed_header", "wrong_sizes", "wrong_header",
                     "malformed_declaration", "bad_signature", "malformed_slot", "wrong_segments"})  # fmt: skip
"""Seal checks that intake had passed: if one fails now, the stored bytes are no longer those of the receipt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The cause, the consequence and the facts both were computed from."""

    cause: str
    consequence: str
    evidence: Mapping[str, str]


def attribute(o: Opening, bid: Bid, code: str | None) -> Finding:
    """Return why ``bid`` was not opened. ``code``: why a released bid could not be read, if it was that."""
    cause = _cause(o, bid, code)
    if cause == "B3" and bid.authority not in (None, State.GOOD):
        # Had its authority answered when the bid was taken, its bidder could have sealed anew before the deadline.
        cause = "P3"
    consequence = PENDING if cause == UNKNOWN else CAUSES[cause]
    return Finding(cause=cause, consequence=consequence, evidence=_evidence(o, bid, code))


def _cause(o: Opening, bid: Bid, code: str | None) -> str:
    if bid.seal in STORAGE:
        return "P2"
    if bid.state is BidState.RELEASED:
        return UNREADABLE.get(code or "", UNKNOWN)
    last = bid.attempts[-1] if bid.attempts else None
    seen = bid.gathered
    if last is not None and last.code is not None:
        cause = BY_ATTEMPT.get(last.code, UNKNOWN)
        # While the hall was down nobody could try again, and more tries might have succeeded.
        return UNKNOWN if CAUSES.get(cause) == REVOKED and seen is not None and _fault(seen) else cause
    if seen is not None:
        return _unheard(bid, seen)
    if last is None and bid.checked_in_at is None:
        return "B1"
    return "B5" if _released_by_others(o, bid) else UNKNOWN


def _unheard(bid: Bid, seen: Mapping[str, str]) -> str:
    """The cause where no try failed: from who was heard when. ``seen`` holds the figures of opening.evidence."""
    fault, gap = _fault(seen), int(seen["gap_s"])
    if fault:  # the hall stood still and that was not made up for
        return UNKNOWN if int(seen["others_heard_while_down"]) else "P1"
    if seen["key_state"] == RELEASED_SAID:
        return UNKNOWN  # its program says that the key is in, and the hall has none
    if int(seen["slow_answers"]):
        return "P4"
    if seen["key_state"] in BY_CLIENT:
        return BY_CLIENT[seen["key_state"]]  # its own signed word, without a try
    if seen["last_heard_at"] and int(seen["silent_s"]) <= gap:
        return "B1" if not bid.attempts else UNKNOWN  # connected to the end, and never tried
    if not seen["last_heard_at"] and bid.checked_in_at is None:
        return "B1" if int(seen["others_heard"]) else UNKNOWN
    return "B5" if int(seen["longest_unheard_s"]) <= gap else UNKNOWN


def _fault(seen: Mapping[str, str]) -> int:
    """Seconds for which the hall stood still beyond what the window got back for it."""
    return max(0, int(seen["hall_down_s"]) - int(seen["made_up_s"]))


def _released_by_others(o: Opening, bid: Bid) -> int:
    return sum(other.state in (BidState.RELEASED, BidState.OPENED) for other in o.bids if other.bidder != bid.bidder)


def _evidence(o: Opening, bid: Bid, code: str | None) -> dict[str, str]:
    facts = {
        "checked_in_at": rfc3339(bid.checked_in_at) if bid.checked_in_at else "",
        "attempts": str(len(bid.attempts)),
        "others_released": str(_released_by_others(o, bid)),
        "seal": bid.seal or "",
    }
    if bid.attempts:
        last = bid.attempts[-1]
        facts |= {"last_attempt_at": rfc3339(last.at), "last_attempt_code": last.code or "accepted"}
        facts |= {"release_sha256": last.release_sha256} if last.release_sha256 else {}
    facts |= bid.gathered or {}
    facts |= {"authority": bid.authority.value} if bid.authority else {}
    return facts | ({"open_code": code} if code else {})
