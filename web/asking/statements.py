"""What a bidder signs with a command, checked before the command is sent: by whom, of which kind, saying what.

Payloads: hall/PROTOCOL.md, Acts that a bidder signs. The certificate is validated again at every act, so one that was
revoked in mid-session ends there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from cryptography import x509

from crypto.certificates import bidder_id, fingerprint
from crypto.signing import sign, verify
from sessions.codec import Command
from sessions.commands import CheckIn, CommitDraw, ConfirmRow, RequestEscrow, SignRecord, WithdrawBid
from sessions.errors import CommandRefused
from sessions.ids import BidderId, Jws, SessionId
from sessions.keys.hallkey import HallKeys
from sessions.outside.certifying import Certifying, check_successor
from sessions.roles import Actor
from sessions.service import Sessions
from web.answers.problems import Problem

Proved = CheckIn | WithdrawBid | CommitDraw | ConfirmRow | RequestEscrow | SignRecord
"""The acts whose proof goes on record, and with it to the archive."""


async def check_act(
    sessions: Sessions,
    session: SessionId,
    command: Command,
    certificates: tuple[x509.Certificate, ...],
    certifying: Certifying,
    now: datetime,
) -> Command:
    """Return the command with the proof of its certificate, if whoever holds the first of them signed just this act.

    Acts that are not signed, or need no proof, come back as they are.

    Raises:
        CryptoRefused: the certificate, or the statement's form, kind, signer or signature.
        NotProved: the certificate is revoked, or its authority must be asked and is silent.
        Problem: ``wrong_statement``: it says something else than the command does; ``other_certificate``: it is not
            the one that signed the bid, nor a successor of it where that may go on.
        CommandRefused: there is nothing yet that could be confirmed or signed.
    """
    if not certificates:
        raise Problem("no_certificate")
    leaf = certificates[0]
    proof = await certifying.check_signer(certificates, at=now)
    if isinstance(command, Proved):
        await _must_be_the_bidders(sessions, session, leaf, certifying, renewed=not isinstance(command, WithdrawBid))
    match command:
        case CheckIn():
            said = verify(command.statement, "checkin", leaf)
            seen = await sessions.events(session)
            _must_be(said, session, bidder=command.bidder, head=said.get("head"))
            if said["head"] not in {record.digest for record in seen}:
                raise Problem("wrong_statement", member="head")
        case WithdrawBid():
            said = verify(command.statement, "withdraw", leaf)
            bid = (await sessions.intake(session)).bids.get(command.bidder)
            # Without a bid the rules refuse, or the same key gets the same answer: a retry must come through here.
            header = said.get("header_sha256") if bid is None else bid.header_sha256
            _must_be(said, session, bidder=command.bidder, header_sha256=header)
        case CommitDraw():
            said = verify(command.statement or "", "draw", leaf)
            mine = {"bidder": bidder_id(leaf), "round": command.round, "commitment": command.commitment}
            _must_be(said, session, **mine)
        case ConfirmRow():
            said = verify(command.statement, "confirm", leaf)
            row = (await sessions.state(session)).bid(command.bidder)
            if row is None or row.quote_sha256 is None:
                raise CommandRefused("not_opened")
            _must_be(said, session, bidder=command.bidder, quote_sha256=row.quote_sha256)
        case RequestEscrow():
            said = verify(command.statement, "escrow", leaf)
            row = (await sessions.state(session)).bid(command.bidder)
            header = said.get("header_sha256") if row is None else row.header_sha256
            _must_be(said, session, bidder=command.bidder, header_sha256=header)
        case SignRecord():
            said = verify(command.statement, "record", leaf)
            _must_be(said, session, **await _record(sessions, session, command.signer))
        case _:
            pass
    return replace(command, proof=proof) if isinstance(command, Proved) else command


async def sign_for_staff(sessions: Sessions, session: SessionId, actor: Actor, keys: HallKeys) -> Jws:
    """Return the hall's signature on the opening record in the name of a member of staff who has just confirmed."""
    payload = {"v": 1, "session": session, **await _record(sessions, session, actor.id)}
    plan = (await sessions.state(session)).plan
    return Jws(sign(payload, "record", keys.of(plan)))


async def _must_be_the_bidders(
    sessions: Sessions, session: SessionId, leaf: x509.Certificate, certifying: Certifying, *, renewed: bool
) -> None:
    """Let in the certificate that signed the bid, and its successor where its own certificate goes to the archive."""
    bid = (await sessions.intake(session)).bids.get(BidderId(bidder_id(leaf)))
    if bid is None or bid.signing_certificate == fingerprint(leaf).hex():
        return
    sealed = await certifying.certificate(bid.signing_certificate) if renewed else None
    if sealed is None:
        raise Problem("other_certificate")
    check_successor(sealed, leaf)


async def _record(sessions: Sessions, session: SessionId, signer: str) -> dict[str, str]:
    drawn = (await sessions.state(session)).drawn
    if drawn is None:
        raise CommandRefused("window_closed")
    return {"signer": signer, "record_sha256": drawn.sha256}


def _must_be(said: Mapping[str, object], session: SessionId, **expected: object) -> None:
    wanted: dict[str, object] = {"v": 1, "session": session, **expected}
    for member in sorted(wanted.keys() | said.keys()):
        if member not in wanted or member not in said or said[member] != wanted[member]:
            raise Problem("wrong_statement", member=member)
