"""A release in shares: nobody has the key until every lock is open, and it is known who kept it shut."""

from functools import partial
from typing import Any

import pytest

from crypto import envelope, release, signing
from crypto.authority import Algorithm
from crypto.certificates import Credential
from crypto.encoding import b64u
from crypto.errors import CryptoRefused, ReleaseRefused, ShareRefused
from crypto.locks import (
    Lock,
    LockedShare,
    OpenShare,
    accept_share,
    assemble,
    check_locks,
    check_split_release,
    make_split_release,
    open_share,
)
from crypto.quorum import commitment
from crypto.release import HPKE
from crypto.shares import Share
from tests.support.bidders import Sealed, a_bidder, a_lock, a_sealed_bid, an_officer

HOSTS = [an_officer("主持人甲"), an_officer("主持人乙"), an_officer("主持人丙")]
SUPERVISORS = [an_officer("监督人")]
OFFICERS = [*HOSTS, *SUPERVISORS]
LOCKS = (a_lock("host", 2, *HOSTS), a_lock("supervisor", 1, *SUPERVISORS))
NONCE = "5a" * 32


@pytest.fixture(scope="module")
def sealed() -> Sealed:
    return a_sealed_bid()


@pytest.fixture(scope="module")
def secret(sealed: Sealed) -> bytes:
    return envelope.unlock(envelope.read_header(sealed.file), "A", sealed.bidder.encrypt)


@pytest.fixture(scope="module")
def token(sealed: Sealed, secret: bytes) -> str:
    return released(sealed, secret)


def released(sealed: Sealed, secret: bytes, **changed: Any) -> str:
    fields: dict[str, Any] = {"session": "S-1", "locks": LOCKS, "nonce": NONCE, "signer": sealed.bidder.sign}
    return make_split_release(envelope.read_header(sealed.file), "A", secret, **(fields | changed))


def checked(sealed: Sealed, token: str, **changed: Any) -> tuple[LockedShare, ...]:
    fields: dict[str, Any] = {
        "header": sealed.bid.header,
        "header_sha256": sealed.bid.header_sha256,
        "group": "A",
        "session": "S-1",
        "nonce": NONCE,
        "certificate": sealed.bidder.sign.certificate,
        "locks": LOCKS,
    }
    return check_split_release(token, **(fields | changed))


def opened(shares: tuple[LockedShare, ...], *numbers: int) -> list[OpenShare]:
    return [open_share(shares[number], OFFICERS[number]) for number in numbers]


def refused(act: Any) -> CryptoRefused:
    with pytest.raises(CryptoRefused) as error:
        act()
    return error.value


@pytest.mark.parametrize("who", [(0, 1, 3), (0, 2, 3), (3, 2, 1), (0, 1, 2, 3)])
def test_enough_officers_of_every_lock_open_the_bid(
    sealed: Sealed, token: str, secret: bytes, who: tuple[int, ...]
) -> None:
    shares = checked(sealed, token)
    assert [(each.lock, each.index) for each in shares] == [("host", 1), ("host", 2), ("host", 3), ("supervisor", 1)]
    assert assemble(sealed.bid.header, "A", shares, opened(shares, *who)) == secret


@pytest.mark.parametrize(("who", "lock"), [((0, 3), "host"), ((0, 1, 2), "supervisor"), ((3,), "host"), ((), "host")])
def test_one_lock_that_stays_shut_keeps_the_bid_shut(
    sealed: Sealed, token: str, who: tuple[int, ...], lock: str
) -> None:
    shares = checked(sealed, token)
    error = refused(lambda: assemble(sealed.bid.header, "A", shares, opened(shares, *who)))
    assert isinstance(error, ShareRefused)
    assert (error.code, error.where) == ("too_few_shares", lock)


def test_a_share_opens_for_its_officer_only(sealed: Sealed, token: str) -> None:
    shares = checked(sealed, token)
    assert refused(lambda: open_share(shares[0], HOSTS[1])).code == "wrong_recipient"
    impostor = Credential(key=HOSTS[1].key, certificate=HOSTS[0].certificate)
    assert refused(lambda: open_share(shares[0], impostor)).code == "not_decryptable"


def test_a_lied_about_share_is_named(sealed: Sealed, token: str) -> None:
    shares = checked(sealed, token)
    one, two, three = opened(shares, 0, 1, 3)
    lie = OpenShare(lock="host", index=2, value=bytes(32))
    assert refused(lambda: accept_share(shares[1], bytes(32))).code == "share_mismatch"
    assert refused(lambda: accept_share(shares[1], two.value + b"\x00")).code == "share_mismatch"
    error = refused(lambda: assemble(sealed.bid.header, "A", shares, [one, lie, three]))
    assert isinstance(error, ShareRefused)
    assert (error.code, error.where, error.index) == ("share_mismatch", "host", 2)
    for strange in (
        OpenShare(lock="notary", index=1, value=bytes(32)),
        OpenShare(lock="host", index=4, value=bytes(32)),
    ):
        error = refused(lambda s=strange: assemble(sealed.bid.header, "A", shares, [one, two, three, s]))
        assert error.code == "malformed_shares"
    assert refused(lambda: assemble(sealed.bid.header, "A", shares, [one, one, three])).code == "malformed_shares"


def forged(sealed: Sealed, token: str, values: dict[int, bytes]) -> str:
    """A genuine, signed release with other values in some shares: sealed and committed to like the rest."""
    payload = signing.peek(token)[1]
    header = sealed.bid.header
    for number, value in values.items():
        stated = payload["shares"][number]
        share = Share(stated["i"], value)
        info = checked(sealed, token)[number].info
        stated["kcs"] = commitment(header.suite, header.context("A"), stated["lock"], share).hex()
        stated["hpke"] = b64u(HPKE.encrypt(value, OFFICERS[number].certificate.public_key(), info))  # type: ignore[arg-type]
    return signing.sign(payload, "release", sealed.bidder.sign)


@pytest.mark.parametrize(("values", "who"), [({3: bytes(32)}, (0, 1, 3)), ({2: bytes(32)}, (0, 1, 2, 3))])
def test_right_shares_of_a_wrong_key_prove_who_cheated(
    sealed: Sealed, token: str, values: dict[int, bytes], who: tuple[int, ...]
) -> None:
    """The first gives another key; the second is one share too many that lies off the curve of the others."""
    cheat = forged(sealed, token, values)
    shares = checked(sealed, cheat)
    error = refused(lambda: assemble(sealed.bid.header, "A", shares, opened(shares, *who)))
    assert isinstance(error, ReleaseRefused)
    assert error.code == "commitment_mismatch"


def test_an_officer_sees_that_its_share_is_not_the_committed_one(sealed: Sealed, token: str) -> None:
    payload = signing.peek(token)[1]
    info = checked(sealed, token)[0].info
    payload["shares"][0]["hpke"] = b64u(HPKE.encrypt(bytes(32), HOSTS[0].certificate.public_key(), info))  # type: ignore[arg-type]
    shares = checked(sealed, signing.sign(payload, "release", sealed.bidder.sign))
    error = refused(lambda: open_share(shares[0], HOSTS[0]))
    assert isinstance(error, ShareRefused)
    assert (error.code, error.where, error.index) == ("share_mismatch", "host", 1)


def test_a_share_of_another_place_does_not_open(sealed: Sealed, secret: bytes, token: str) -> None:
    for other in (released(sealed, secret, session="S-2"), released(sealed, secret, nonce="00" * 32)):
        payload = signing.peek(token)[1]
        payload["shares"][0]["hpke"] = signing.peek(other)[1]["shares"][0]["hpke"]
        shares = checked(sealed, signing.sign(payload, "release", sealed.bidder.sign))
        assert refused(lambda s=shares: open_share(s[0], HOSTS[0])).code == "not_decryptable"


def test_what_can_be_known_early_is_refused_early(sealed: Sealed, secret: bytes, token: str) -> None:
    check = partial(checked, sealed)
    other = a_sealed_bid(b"another")
    swapped = (a_lock("supervisor", 1, *SUPERVISORS), a_lock("host", 2, *HOSTS))
    assert refused(lambda: check(released(sealed, secret, session="S-2"))).code == "wrong_session"
    assert refused(lambda: check(token, session="S-2")).code == "wrong_session"
    assert refused(lambda: check(token, header_sha256=other.bid.header_sha256)).code == "wrong_bid"
    assert refused(lambda: check(token, nonce="00" * 32)).code == "stale_nonce"
    assert (
        refused(lambda: check(token, certificate=a_bidder("另一家有限公司").sign.certificate)).code == "wrong_signer"
    )
    for locks in (
        swapped,
        LOCKS[:1],
        (*LOCKS, a_lock("notary", 1, an_officer("公证员"))),
        (a_lock("host", 1, *HOSTS), LOCKS[1]),
        (a_lock("host", 2, *HOSTS[:2]), LOCKS[1]),
        (a_lock("host", 2, HOSTS[1], HOSTS[0], HOSTS[2]), LOCKS[1]),
        (a_lock("room", 2, *HOSTS), LOCKS[1]),
    ):
        assert refused(lambda k=locks: check(token, locks=k)).code == "wrong_locks"
        assert refused(lambda k=locks: check(released(sealed, secret, locks=k))).code == "wrong_locks"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda p: p.update(kcb="00" * 32), "commitment_mismatch"),
        (lambda p: p.update(group="B"), "wrong_bid"),
        (lambda p: p.update(group="C"), "malformed_release"),
        (lambda p: p.update(hpke="AA"), "malformed_release"),
        (lambda p: p.update(v=3), "malformed_release"),
        (lambda p: p.update(shares={}), "malformed_release"),
        (lambda p: p.update(shares=[]), "wrong_locks"),
        (lambda p: p["shares"].pop(), "wrong_locks"),
        (lambda p: p["shares"].reverse(), "wrong_locks"),
        (lambda p: p["shares"].append(p["shares"][0]), "wrong_locks"),
        (lambda p: p["shares"][0].update(i=2), "wrong_locks"),
        (lambda p: p["shares"][0].update(i=0), "malformed_release"),
        (lambda p: p["shares"][0].update(t=4), "malformed_release"),
        (lambda p: p["shares"][0].update(n=17), "malformed_release"),
        (lambda p: p["shares"][0].update(lock="Host"), "malformed_release"),
        (lambda p: p["shares"][0].update(lock=1), "malformed_release"),
        (lambda p: p["shares"][0].update(cert="00" * 32), "wrong_locks"),
        (lambda p: p["shares"][0].update(kcs="00"), "malformed_release"),
        (lambda p: p["shares"][0].update(hpke="AAAA"), "malformed_release"),
        (lambda p: p["shares"][0].update(x=1), "malformed_release"),
        (lambda p: p["shares"][0].pop("kcs"), "malformed_release"),
    ],
)
def test_a_release_in_another_form_is_refused(sealed: Sealed, token: str, change: Any, code: str) -> None:
    payload = signing.peek(token)[1]
    change(payload)
    assert refused(lambda: checked(sealed, signing.sign(payload, "release", sealed.bidder.sign))).code == code


def test_one_kind_of_release_is_never_taken_for_the_other(sealed: Sealed, secret: bytes, token: str) -> None:
    key = release.new_session_key()
    to_server = release.make_release(
        envelope.read_header(sealed.file),
        "A",
        secret,
        session="S-1",
        session_key=key.public_key(),
        nonce=NONCE,
        signer=sealed.bidder.sign,
    )
    assert refused(lambda: checked(sealed, to_server)).code == "wrong_release_mode"

    def take_as_server() -> bytes:
        return release.open_release(
            token,
            header=sealed.bid.header,
            header_sha256=sealed.bid.header_sha256,
            group="A",
            session="S-1",
            session_key=key,
            nonce=NONCE,
            certificate=sealed.bidder.sign.certificate,
        )

    assert refused(take_as_server).code == "wrong_release_mode"


def test_a_wrong_key_does_not_leave_the_bidder(sealed: Sealed) -> None:
    assert refused(lambda: released(sealed, bytes(32))).code == "commitment_mismatch"


def test_one_lock_alone_holds_the_whole_key_in_shares(sealed: Sealed, secret: bytes) -> None:
    locks = (a_lock("host", 3, *HOSTS),)
    shares = checked(sealed, released(sealed, secret, locks=locks), locks=locks)
    assert assemble(sealed.bid.header, "A", shares, opened(shares, 0, 1, 2)) == secret


def test_locks_that_cannot_be_are_refused() -> None:
    for locks in (
        (),
        (LOCKS[0], LOCKS[0]),
        (LOCKS[1], a_lock("host", 1, *SUPERVISORS)),
        tuple(a_lock(f"lock-{number}", 1, an_officer(f"人{number}")) for number in range(5)),
    ):
        assert refused(lambda k=locks: check_locks(k)).code == "malformed_shares"
    check_locks(LOCKS)
    assert refused(lambda: a_lock("Host", 1, *HOSTS)).code == "malformed_shares"
    assert refused(lambda: a_lock("host", 4, *HOSTS)).code == "malformed_shares"
    assert refused(lambda: a_lock("host", 1, an_officer("RSA 人", Algorithm.RSA3072))).code == "weak_key"
    signs = (a_bidder().sign.certificate,)
    assert refused(lambda: Lock(id="host", threshold=1, certificates=signs)).code == "wrong_key_usage"


def test_the_most_officers_there_may_be_fit_in_one_statement(sealed: Sealed, secret: bytes) -> None:
    """Four locks of sixteen: 64 shares are well below the 64 KiB of a statement."""
    many = [[an_officer(f"第{lock}组{number}号") for number in range(16)] for lock in range(4)]
    locks = tuple(a_lock(f"lock-{'x' * 26}{number}"[:32], 16, *own) for number, own in enumerate(many))
    assert len(released(sealed, secret, locks=locks)) < signing.MAX_TOKEN
