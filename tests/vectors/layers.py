"""Vectors of shares, of bids with the tenderer's and the trustees' slots, and of releases in shares."""

import json
from difflib import SequenceMatcher
from functools import partial
from typing import Any

from crypto import envelope, signing
from crypto.authority import Algorithm
from crypto.certificates import Credential
from crypto.encoding import b64u, canonical
from crypto.header import SlotRole
from crypto.held import assemble_held, open_held
from crypto.locks import check_split_release, make_split_release, open_share
from crypto.quorum import commitment
from crypto.release import HPKE, make_release, new_session_key
from crypto.shares import Share, split
from tests.support.bidders import Sealed, a_bidder, a_lock, a_quorum, a_sealed_bid, an_officer
from tests.support.forge import put_together, take_apart
from tests.vectors.bids import NONCE, key_pem, pem, sealed_case

OFFICERS = ("解密员甲", "解密员乙", "解密员丙")
TRUSTEES = ("保管人甲", "保管人乙")
LOCKS = (("host", 2, ("主持人甲", "主持人乙", "主持人丙")), ("supervisor", 1, ("监督人",)))


def officers() -> list[Credential]:
    algorithms = (Algorithm.P256, Algorithm.RSA3072, Algorithm.P256)
    return [an_officer(name, algorithm) for name, algorithm in zip(OFFICERS, algorithms, strict=True)]


def trustees() -> list[Credential]:
    return [an_officer(name) for name in TRUSTEES]


def layered_bid() -> Sealed:
    return a_sealed_bid(
        b"%PDF technical",
        commercial=(b"%PDF bill",),
        envelopes=2,
        tenderer=a_quorum(2, *officers()),
        escrow=a_quorum(2, *trustees()),
    )


def _key(credential: Credential) -> dict[str, str]:
    return {"certificate": pem(credential.certificate), "key": key_pem(credential)}


def shares_case() -> Any:
    """Sharings of known secrets; the shares are as random as any."""
    sharings = []
    for threshold, count in ((1, 1), (1, 3), (2, 2), (2, 3), (3, 5), (16, 16)):
        secret = bytes(range(32 * threshold, 32 * threshold + 32)) if threshold < 7 else bytes(range(32))
        dealt = split(secret, threshold, count)
        sharings.append(
            {"t": threshold, "n": count, "secret": secret.hex(), "shares": [share.value.hex() for share in dealt]}
        )
    one, two, three = ((share.index, share.value.hex()) for share in split(bytes(32), 2, 3))
    off = f"{int(three[1][:2], 16) ^ 1:02x}{three[1][2:]}"
    refused = {
        "one share twice": ([one, one], 2, "malformed_shares"),
        "another length": ([one, (2, two[1][2:])], 2, "malformed_shares"),
        "number 0": ([one, (0, two[1])], 2, "malformed_shares"),
        "number 17": ([one, (17, two[1])], 2, "malformed_shares"),
        "too few": ([one], 2, "too_few_shares"),
        "none": ([], 1, "too_few_shares"),
        "one too many that is off the curve": ([one, two, (3, off)], 2, "shares_disagree"),
    }
    return {
        "shares": "share i of a sharing stands at place i - 1; of a refused case as [i, value]",
        "sharings": sharings,
        "refused": [
            {"name": name, "shares": given, "t": threshold, "code": code}
            for name, (given, threshold, code) in refused.items()
        ],
    }


def layered_case(sealed: Sealed) -> Any:
    """The bid, who holds shares of it, the shares, and bids that differ in one thing of the layers."""
    header = sealed.bid.header
    seconds, held = {}, {}
    for group in header.groups:
        shares = {
            role.value: [open_held(header, group.id, role, each) for each in holders]
            for role, holders in ((SlotRole.TENDERER, officers()), (SlotRole.ESCROW, trustees()))
        }
        seconds[group.id] = assemble_held(header, group.id, SlotRole.TENDERER, shares["tenderer"])
        held[group.id] = {role: [share.value.hex() for share in dealt] for role, dealt in shares.items()}
    return {
        **sealed_case(sealed, seconds),
        "tenderer": [_key(each) for each in officers()],
        "escrow": [_key(each) for each in trustees()],
        "shares": held,
        "refused": list(_refused(sealed)),
    }


def _splices(old: bytes, new: bytes) -> list[list[Any]]:
    """What to put in place of what, from the end of the file to its beginning, so that offsets stay."""
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    changes = [step for step in matcher.get_opcodes() if step[0] != "equal"]
    return [[i, j, new[k:m].hex()] for _, i, j, k, m in reversed(changes)]


def _refused(sealed: Sealed) -> Any:
    pieces = take_apart(sealed.data)
    own = sealed.bidder.encrypt.certificate
    holders = [each.certificate for each in (*officers(), *trustees())]
    stranger = a_bidder("另一家有限公司").encrypt.certificate

    def signed(name: str, code: str, change: Any, certificates: Any = (own, *holders)) -> Any:
        header = json.loads(canonical(pieces.header))
        change(header["groups"][0])
        made = put_together(header, pieces.body, sealed.bidder.sign, certificates)
        return {"name": name, "code": code, "base": "sealed-layers", "splices": _splices(sealed.data, made)}

    form = partial(signed, code="malformed_header")
    yield form("slots and no kct", change=lambda g: g.update(kct=None))
    yield form("kct and no slots", change=lambda g: g.update(slots=[g["slots"][0], *g["slots"][4:]]))
    yield form("kct of another length", change=lambda g: g.update(kct="00" * 31))
    yield form("a share without its commitment", change=lambda g: g["slots"][1].pop("kcs"))
    yield form("a bidder's slot with a number", change=lambda g: g["slots"][0].update(i=1))
    yield form("share 0", change=lambda g: g["slots"][1].update(i=0))
    yield form("share 1 twice", change=lambda g: g["slots"][2].update(i=1))
    yield form("another threshold in one slot", change=lambda g: g["slots"][2].update(t=3))
    yield form("more needed than there are", change=lambda g: [slot.update(t=4) for slot in g["slots"][1:4]])
    yield form("a share missing", change=lambda g: g["slots"].pop(3))
    yield form("shares in another order", change=lambda g: g["slots"].insert(1, g["slots"].pop(2)))
    yield form("escrow before tenderer", change=lambda g: g.update(slots=[g["slots"][n] for n in (0, 4, 5, 1, 2, 3)]))
    yield form("the bidder last", change=lambda g: g["slots"].append(g["slots"].pop(0)))
    yield form("no bidder's slot", change=lambda g: g["slots"].pop(0))
    yield form("an unknown role", change=lambda g: g["slots"][1].update(role="host"))
    yield form(
        "two shares for one certificate",
        change=lambda g: g["slots"][3].update({name: g["slots"][1][name] for name in ("cert", "data")}),
    )
    yield signed("a holder's certificate is not carried", "wrong_certificate", lambda g: None, (own, *holders[:-1]))
    yield signed("a stranger's is", "wrong_certificate", lambda g: None, (own, *holders, stranger))
    yield signed(
        "a holder's slot is for another",
        "wrong_recipient",
        lambda g: g["slots"][1].update(data=g["slots"][3]["data"]),
    )
    yield signed("a holder's slot is no CMS", "malformed_slot", lambda g: g["slots"][4].update(data="MAA"))


def split_release_case(sealed: Sealed) -> Any:
    """A release in shares, what its officers open, and releases with one thing wrong."""
    found = envelope.read_header(sealed.file)
    secret = envelope.unlock(found, "A", sealed.bidder.encrypt)
    keys = {name: an_officer(name) for _, _, names in LOCKS for name in names}
    locks = tuple(a_lock(name, threshold, *(keys[each] for each in names)) for name, threshold, names in LOCKS)
    make = partial(make_split_release, found, "A", secret, locks=locks, signer=sealed.bidder.sign)
    token = make(session="S-1", nonce=NONCE)
    shares = check_split_release(
        token,
        header=found.header,
        header_sha256=found.header_sha256,
        group="A",
        session="S-1",
        nonce=NONCE,
        certificate=sealed.bidder.sign.certificate,
        locks=locks,
    )
    opened = [open_share(share, key) for share, key in zip(shares, keys.values(), strict=True)]
    sign = partial(signing.sign, kind="release", signer=sealed.bidder.sign)

    def changed(change: Any) -> str:
        payload = signing.peek(token)[1]
        change(payload)
        return sign(payload)

    def dealt(payload: Any, number: int, value: bytes, *, committed: bool) -> None:
        stated, key = payload["shares"][number], list(keys.values())[number].certificate.public_key()
        stated["hpke"] = b64u(HPKE.encrypt(value, key, shares[number].info))  # type: ignore[arg-type]
        if committed:
            share = Share(stated["i"], value)
            stated["kcs"] = commitment(found.header.suite, found.header.context("A"), stated["lock"], share).hex()

    to_server = make_release(
        found,
        "A",
        secret,
        session="S-1",
        session_key=new_session_key().public_key(),
        nonce=NONCE,
        signer=sealed.bidder.sign,
    )
    another_opening = signing.peek(make(session="S-2", nonce=NONCE))[1]["shares"][0]["hpke"]
    early = {
        "to the server": (to_server, "wrong_release_mode"),
        "another session": (make(session="S-2", nonce=NONCE), "wrong_session"),
        "an old challenge": (make(session="S-1", nonce="00" * 32), "stale_nonce"),
        "another stated commitment": (changed(lambda p: p.update(kcb="00" * 32)), "commitment_mismatch"),
        "another group": (changed(lambda p: p.update(group="B")), "wrong_bid"),
        "a share missing": (changed(lambda p: p["shares"].pop()), "wrong_locks"),
        "shares in another order": (changed(lambda p: p["shares"].reverse()), "wrong_locks"),
        "another certificate": (changed(lambda p: p["shares"][0].update(cert="00" * 32)), "wrong_locks"),
        "another threshold": (changed(lambda p: p["shares"][0].update(t=1)), "wrong_locks"),
        "share 17": (changed(lambda p: p["shares"][0].update(i=17)), "malformed_release"),
        "a member too many": (changed(lambda p: p["shares"][0].update(x=1)), "malformed_release"),
        "an id in capitals": (changed(lambda p: p["shares"][0].update(lock="HOST")), "malformed_release"),
    }
    late = {
        "share of another opening": (
            changed(lambda p: p["shares"][0].update(hpke=another_opening)),
            "not_decryptable",
        ),
        "another share than committed to": (
            changed(lambda p: dealt(p, 0, bytes(32), committed=False)),
            "share_mismatch",
        ),
        "a piece of another key": (changed(lambda p: dealt(p, 3, bytes(32), committed=True)), "commitment_mismatch"),
        "one share off the curve": (changed(lambda p: dealt(p, 1, bytes(32), committed=True)), "commitment_mismatch"),
    }
    return {
        "bid": "sealed-layers",
        "session": "S-1",
        "group": "A",
        "nonce": NONCE,
        "locks": [
            {"id": name, "threshold": threshold, "officers": [{"name": each, **_key(keys[each])} for each in names]}
            for name, threshold, names in LOCKS
        ],
        "token": token,
        "infos": [share.info.hex() for share in shares],
        "shares": [share.value.hex() for share in opened],
        "K_b": secret.hex(),
        "refused": [{"name": name, "token": made, "code": code} for name, (made, code) in early.items()],
        "refused_late": [{"name": name, "token": made, "code": code} for name, (made, code) in late.items()],
    }
