"""What a tender file says of locks: which there are, how many of whose officers remove each, and their certificates.

A lock is only as good as the certificate it is sealed to, so the certificates are part of the announcement: the hall
cannot put another one in their place afterwards without breaking the chain (crypto/FORMAT.md, The locks).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from crypto.certificates import Usage, check_leaf, parse_certificate
from crypto.encoding import b64u
from crypto.errors import CertificateRefused
from sessions.errors import PlanRefused
from sessions.ids import AccountId
from sessions.plan import ESCROW, TENDERER, Barrier, Lock, Officer, RulePack, Seat, Words
from sessions.roles import Role

MEMBERS = ("locks", "tenderer_share", "escrow")
MOST_LOCKS = 4  # and of officers: what crypto.locks and crypto.shares take
MOST_OFFICERS = 16

_ID = re.compile(r"[a-z][a-z0-9-]{0,31}")
_LONGEST = 32_768

TITLES: Mapping[str, Words] = {
    "host": Words(zh="主持方的锁", en="the host's lock"),
    "supervisor": Words(zh="监督方的锁", en="the supervisor's lock"),
    TENDERER: Words(zh="招标人的锁", en="the tenderer's lock"),
    ESCROW: Words(zh="托管人的锁", en="the trustees' lock"),
}

_FITTING: Mapping[str, frozenset[Role]] = {
    "host": frozenset({Role.HOST, Role.DEPUTY}),
    "supervisor": frozenset({Role.SUPERVISOR}),
}
"""Whose lock it is by its name; a lock of another name may have any of the staff."""


def read_locks(tender: Mapping[str, Any], seats: tuple[Seat, ...], pack: RulePack) -> dict[str, Any]:
    """Return the plan's ``locks``, ``tenderer_share`` and ``escrow``; raise PlanRefused naming field and rule."""
    reading = _Reading(seats, pack)
    locks = tuple(reading.locks(tender.get("locks")))
    if not locks and pack.barrier.mode is Barrier.SPLIT:
        raise PlanRefused("locks_missing", "locks")
    share, escrow = tender.get("tenderer_share"), tender.get("escrow")
    return {
        "locks": locks,
        "tenderer_share": None if share is None else reading.lock(TENDERER, share, "tenderer_share", "officers"),
        "escrow": None if escrow is None else reading.lock(ESCROW, escrow, "escrow", "trustees"),
    }


def lock_members(plan_locks: tuple[Lock, ...], share: Lock | None, escrow: Lock | None) -> dict[str, Any]:
    """Return the members of a tender file that say it again; none where there are no locks."""
    form: dict[str, Any] = {}
    if plan_locks:
        form["locks"] = [
            {"id": lock.id, "title": {"zh": lock.title.zh, "en": lock.title.en}, **_said(lock, "officers")}
            for lock in plan_locks
        ]
    if share is not None:
        form["tenderer_share"] = _said(share, "officers")
    if escrow is not None:
        form["escrow"] = _said(escrow, "trustees")
    return form


def _said(lock: Lock, people: str) -> dict[str, Any]:
    officers = [{"account": one.account, "name": one.name, "certificate": one.certificate} for one in lock.officers]
    return {"threshold": lock.threshold, people: officers}


class _Reading:
    """One tender file being read: nobody holds two locks, and no key serves two people, certified as it may be."""

    def __init__(self, seats: tuple[Seat, ...], pack: RulePack) -> None:
        self._roles = {seat.account: seat.role for seat in seats}
        self._rule = pack.barrier
        self._accounts: set[str] = set()
        self._keys: set[bytes] = set()

    def locks(self, form: object) -> Iterator[Lock]:
        if form is None:
            return
        fewest = self._rule.fewest_locks
        if not isinstance(form, list) or not fewest <= len(form) <= MOST_LOCKS:
            raise PlanRefused("out_of_range", "locks", shortest=fewest, longest=MOST_LOCKS)
        names: set[str] = set()
        for index, one in enumerate(form):
            where = f"locks[{index}]"
            members = _object(one, where, {"id", "threshold", "officers"}, {"title"})
            name = members["id"]
            if not isinstance(name, str) or not _ID.fullmatch(name) or name in {*names, TENDERER, ESCROW}:
                raise PlanRefused("malformed", f"{where}.id")
            names.add(name)
            yield self.lock(name, {key: members[key] for key in members if key != "id"}, where, "officers")

    def lock(self, name: str, form: object, where: str, people: str) -> Lock:
        members = _object(form, where, {"threshold", people}, {"title"})
        said, threshold = members[people], members["threshold"]
        if not isinstance(said, list) or not 1 <= len(said) <= self._rule.most_officers:
            raise PlanRefused("out_of_range", f"{where}.{people}", shortest=1, longest=self._rule.most_officers)
        if type(threshold) is not int or not 1 <= threshold <= len(said):
            raise PlanRefused("out_of_range", f"{where}.threshold", shortest=1, longest=len(said))
        return Lock(
            id=name,
            title=_title(members.get("title"), name, f"{where}.title"),
            threshold=threshold,
            officers=tuple(self._officer(name, one, f"{where}.{people}[{n}]") for n, one in enumerate(said)),
        )

    def _officer(self, lock: str, form: object, where: str) -> Officer:
        members = _object(form, where, {"account", "name", "certificate"})
        account, name = members["account"], members["name"]
        if not isinstance(account, str) or account not in self._roles:
            raise PlanRefused("no_such_seat", f"{where}.account")
        role = self._roles[AccountId(account)]
        if role not in _FITTING.get(lock, frozenset(Role)):
            raise PlanRefused("wrong_seat", f"{where}.account", role=role.value)
        if account in self._accounts:
            raise PlanRefused("two_locks", f"{where}.account")
        if not isinstance(name, str) or not name.strip() or len(name) > 400:
            raise PlanRefused("malformed", f"{where}.name")
        certificate = _certificate(members["certificate"], f"{where}.certificate")
        if (key := key_of(certificate)) in self._keys:
            raise PlanRefused("two_locks", f"{where}.certificate")
        self._accounts.add(account)
        self._keys.add(key)
        encoded = b64u(certificate.public_bytes(Encoding.DER))
        return Officer(account=AccountId(account), name=name, certificate=encoded)


def key_of(certificate: x509.Certificate) -> bytes:
    """Return the public key: one person may have it in several certificates, as after a renewal."""
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _certificate(text: object, where: str) -> x509.Certificate:
    """Return the certificate, given as DER in base64, if shares can be sealed to it: P-256, for encryption."""
    try:
        if not isinstance(text, str) or len(text) > _LONGEST:
            raise ValueError("not a certificate")
        plain = text.replace("-", "+").replace("_", "/").rstrip("=")
        data = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
        certificate = parse_certificate(data)
        check_leaf(certificate, Usage.ENCRYPT)
    except CertificateRefused as error:
        raise PlanRefused("unfit_certificate", where, reason=error.code) from error
    except (ValueError, binascii.Error) as error:
        raise PlanRefused("malformed", where) from error
    if not _on_p256(certificate):
        raise PlanRefused("unfit_certificate", where, reason="weak_key")
    return certificate


def _on_p256(certificate: x509.Certificate) -> bool:
    key = certificate.public_key()
    return isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)


def _title(form: object, name: str, where: str) -> Words:
    if form is None:
        return TITLES.get(name) or Words(zh=name, en=name)
    members = _object(form, where, {"zh", "en"})
    for language, text in members.items():
        if not isinstance(text, str) or not text.strip() or len(text) > 400:
            raise PlanRefused("malformed", f"{where}.{language}")
    return Words(zh=members["zh"], en=members["en"])


def _object(form: object, where: str, known: set[str], optional: set[str] | None = None) -> Mapping[str, Any]:
    if not isinstance(form, Mapping):
        raise PlanRefused("malformed", where)
    for name in sorted(form.keys() - known - (optional or set())):
        raise PlanRefused("unknown_field", f"{where}.{name}")
    for name in sorted(known - form.keys()):
        raise PlanRefused("missing", f"{where}.{name}")
    return form
