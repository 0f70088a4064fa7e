"""What bidders say about the opening, and the answers they get. No objection can be muted, dropped or overlooked."""

from __future__ import annotations

from sessions.commands import AnswerObjection, ConfirmRow, DisputeRow, NoObjection, Object
from sessions.errors import CommandRefused
from sessions.events import NoneDeclared, ObjectionAnswered, ObjectionRaised, RowConfirmed
from sessions.ids import BidderId
from sessions.opening.draft import Draft
from sessions.opening.state import Bid, BidState, Objection
from sessions.proofs import Act
from sessions.texts import given

LONGEST_TITLE = 200


def confirm(draft: Draft, command: ConfirmRow) -> None:
    """Confirm that what was read out is what was sealed."""
    bid = _opened(draft, command.bidder)
    if bid.confirmed_at is None:
        draft.accept(Act.CONFIRM, command.proof)
        draft.put(RowConfirmed(bidder=bid.bidder, statement=command.statement, proof=command.proof))


def dispute(draft: Draft, command: DisputeRow) -> None:
    """Say that the row is wrong: an objection like any other, that must be answered."""
    bid = _opened(draft, command.bidder)
    if bid.disputed and any(item.open and item.kind == "row" for item in _of(draft, bid.bidder)):
        return
    _raise(draft, bid.bidder, "row", "", given(command.text, "text"))


def raise_objection(draft: Draft, command: Object) -> None:
    """Object (招标投标法实施条例 art. 44), or ask that somebody step aside (Order 87 art. 42)."""
    title = given(command.title, "title", LONGEST_TITLE)
    text = given(command.text, "text")
    kind = "recusal" if command.recusal else "objection"
    for item in _of(draft, command.bidder):
        if item.open and (item.kind, item.title, item.text) == (kind, title, text):
            return
    _raise(draft, command.bidder, kind, title, text)


def declare_none(draft: Draft, command: NoObjection) -> None:
    """Declare that there is none; an objection raised later takes the declaration back."""
    if any(item.open for item in _of(draft, command.bidder)):
        raise CommandRefused("own_objection_open")
    bid = draft.opening.bid(command.bidder)
    if bid is not None and not bid.none_declared:
        draft.put(NoneDeclared(bidder=command.bidder))


def answer(draft: Draft, command: AnswerObjection) -> None:
    """Answer on the spot, on the record."""
    item = next((item for item in draft.opening.objections if item.number == command.number), None)
    if item is None:
        raise CommandRefused("no_such_objection", number=command.number)
    if not item.open:
        raise CommandRefused("already_answered", number=command.number)
    draft.put(ObjectionAnswered(number=item.number, private={"text": given(command.text, "text")}))


def _raise(draft: Draft, bidder: BidderId, kind: str, title: str, text: str) -> None:
    number = len(draft.opening.objections) + 1
    draft.put(ObjectionRaised(number=number, bidder=bidder, kind=kind, title=title, private={"text": text}))


def _of(draft: Draft, bidder: BidderId) -> list[Objection]:
    return [item for item in draft.opening.objections if item.bidder == bidder]


def _opened(draft: Draft, bidder: BidderId) -> Bid:
    bid = draft.opening.bid(bidder)
    if bid is None or bid.state is not BidState.OPENED:
        raise CommandRefused("not_opened")
    return bid
