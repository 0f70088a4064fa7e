"""Shares that lie in the slots of a sealed bid: the tenderer's of ``K_t``, the trustees' of ``K_b`` (section 13).

Everything here is for those who hold a share, and for whoever puts shares together at the opening.
"""

from collections.abc import Sequence

from crypto.certificates import Credential, fingerprint
from crypto.errors import SealedBidRefused, ShareRefused, SlotRefused
from crypto.header import Header, Slot, SlotRole
from crypto.keys import GroupKey
from crypto.quorum import Place, Quorum, commitment, recover
from crypto.shares import Share, split
from crypto.suites import Suite


def deal(suite: Suite, context: bytes, role: SlotRole, secret: bytes, quorum: Quorum) -> list[Slot]:
    """Return one slot for each of ``quorum``, holding its share of ``secret``. For sealing."""
    count = len(quorum.certificates)
    return [
        Slot(
            role=role,
            cert=fingerprint(certificate),
            data=suite.wrap(certificate, share.value),
            place=Place(
                where=role.where,
                index=share.index,
                threshold=quorum.threshold,
                count=count,
                kcs=commitment(suite, context, role.where, share),
            ),
        )
        for certificate, share in zip(quorum.certificates, split(secret, quorum.threshold, count), strict=True)
    ]


def open_held(header: Header, group: str, role: SlotRole, credential: Credential) -> Share:
    """Return the share in the slot of ``credential``, checked against its commitment.

    Raises:
        SlotRefused: ``wrong_recipient`` if there is no such slot, ``slot_not_openable``.
        ShareRefused: ``share_mismatch``: the bidder sealed another share than it committed to.
    """
    mine = fingerprint(credential.certificate)
    for slot in header.group(group).slots_of(role):
        if slot.cert == mine and slot.place:
            value = header.suite.unwrap(slot.data, credential.key, credential.certificate)
            return slot.place.require(header.suite, header.context(group), value)
    raise SlotRefused("wrong_recipient")


def check_held(header: Header, group: str, role: SlotRole, credential: Credential) -> Place:
    """Try one's own share before the deadline: return its place if it opens and matches, and nothing of its content.

    This shows that the slot is no rubbish. It does not show that the shares belong together: nobody can, before they
    come together. Share and answer stay on the holder's machine.
    """
    share = open_held(header, group, role, credential)
    return next(place for place in _places(header, group, role) if place.index == share.index)


def accept_held(header: Header, group: str, role: SlotRole, share: Share) -> None:
    """Raise ``share_mismatch`` unless ``share`` is the one the header commits to; needs no key."""
    place = next((place for place in _places(header, group, role) if place.index == share.index), None)
    if place is None:
        raise ShareRefused("malformed_shares", detail="a share of no such number")
    place.require(header.suite, header.context(group), share.value)


def assemble_held(header: Header, group: str, role: SlotRole, shares: Sequence[Share]) -> bytes:
    """Return ``K_t`` (role tenderer) or ``K_b`` (escrow) from enough shares, checked against the header.

    Raises:
        ShareRefused: ``share_mismatch``, ``too_few_shares``, ``malformed_shares``.
        SealedBidRefused: ``commitment_mismatch``: every share is the committed one, and together they are not the
            committed key. Only the bidder can have made that, and anybody who has the shares can see it.
    """
    stated, context = header.group(group), header.context(group)
    try:
        secret = recover(header.suite, context, _places(header, group, role), shares)
    except ShareRefused as error:
        if error.code == "shares_disagree":
            raise SealedBidRefused("commitment_mismatch") from error
        raise
    match role:
        case SlotRole.TENDERER:
            key = GroupKey(suite=header.suite, context=context, secret=bytes(32), second=secret)
            expected, found = stated.kct, key.second_commitment
        case _:
            expected, found = stated.kcb, GroupKey(suite=header.suite, context=context, secret=secret).commitment
    if expected is None or expected != found:
        raise SealedBidRefused("commitment_mismatch")
    return secret


def _places(header: Header, group: str, role: SlotRole) -> list[Place]:
    return [slot.place for slot in header.group(group).slots_of(role) if slot.place]
