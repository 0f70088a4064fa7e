"""Whose certificate is behind an act, whether it is good at that moment, and the evidence of it, kept.

The bell that rings before every signed act: the path is validated, its authority asked, and what it said is put away
under its digest before the act is recorded, so that the archive can show it and anyone can check it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from crypto.certificates import Usage, bidder_id, bidder_name, fingerprint, parse_certificate
from crypto.crls import parse_list
from crypto.digest import sha256_hex
from crypto.encoding import b64u, unb64u
from crypto.errors import CertificateRefused, Revoked
from crypto.paths import Trust, issuers, standing
from crypto.timestamps import carried, signer_of
from sessions.ids import Digest
from sessions.ports import Answered, ProofStore, Revocation
from sessions.proofs import UNAVAILABLE_CODE, Grounds, Looked, Proof, State, Tried, proof_of, read, written

Asked = tuple[x509.Certificate, Usage]


class NotProved(CertificateRefused):
    """A certificate that cannot stand behind an act now; ``proof`` names the evidence of that, which is kept."""

    def __init__(self, code: str, proof: Proof, *, detail: str = "") -> None:
        super().__init__(code, detail=detail)
        self.proof = proof


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """What was found of one certificate, with the bytes that the evidence names by their digests."""

    looked: Looked
    tried: tuple[Tried, ...]
    items: Mapping[Digest, bytes]


class Nobody:
    """A Revocation (sessions.ports) that asks nobody: only lists in the operator's folder are known."""

    async def ask(self, subject: x509.Certificate, issuer: x509.Certificate, at: datetime) -> Answered:
        """See Revocation."""
        return Answered()


class Certifying:
    """Checks certificates at acts. All methods belong to one event loop; the slow part runs in threads."""

    def __init__(
        self, trust: Callable[[], Trust], *, revocation: Revocation | None = None, proofs: ProofStore
    ) -> None:
        self._trust = trust
        self._revocation = revocation or Nobody()
        self._proofs = proofs

    async def check(
        self, certificates: Sequence[Asked], *, at: datetime, offered: Sequence[x509.Certificate] = ()
    ) -> Proof:
        """Return the proof that these stood at ``at``, the signing certificate first; the evidence is kept.

        What silence leads to is for the rules of the session (sessions.proofs.accept). Where the operator requires
        evidence for everything, silence is refused here.

        Raises:
            CertificateRefused: a certificate is none of ours, with the codes of ``crypto.paths.standing``.
            NotProved: ``revoked``, ``revocation_unavailable``, ``revocation_unknown``, each with its evidence.
        """
        return await self._proved(certificates, self._trust(), at, offered)

    async def _proved(
        self, certificates: Sequence[Asked], trust: Trust, at: datetime, offered: Sequence[x509.Certificate]
    ) -> Proof:
        looks = [await self._look(certificate, usage, trust, at, offered) for certificate, usage in certificates]
        found = Grounds(
            v=1,
            at=at,
            looked=tuple(look.looked for look in looks),
            tried=tuple(dict.fromkeys(tried for look in looks for tried in look.tried)),
        )
        digest, document = written(found)
        items = {name: data for look in looks for name, data in look.items.items()}
        await self._proofs.keep({**items, digest: document})
        proof = proof_of(found)
        if proof.state is State.REVOKED:
            raise NotProved("revoked", proof)
        if trust.required and proof.state is not State.GOOD:
            silent = proof.state is State.UNAVAILABLE
            raise NotProved(UNAVAILABLE_CODE if silent else "revocation_unknown", proof)
        return proof

    async def check_signer(self, certificates: Sequence[x509.Certificate], *, at: datetime) -> Proof:
        """Return the proof for the signing certificate that leads ``certificates``; the others are its issuers."""
        leaf, *offered = certificates
        return await self.check([(leaf, Usage.SIGN)], at=at, offered=offered)

    async def check_stamp(self, token: bytes, anchor: x509.Certificate, *, at: datetime) -> Proof:
        """Return the proof for the certificate under a verified timestamp token, at the moment that the token names.

        ``anchor`` is the root this authority was announced with, the only one that counts for it. What silence leads
        to is for the rules of the session.

        Raises:
            CertificateRefused: its path does not hold, with the codes of ``crypto.paths.standing``.
            NotProved: ``revoked``, with its evidence.
        """
        signer = signer_of(token)
        trust = replace(self._trust(), anchors=(anchor,), intermediates=(), required=False)
        return await self._proved([(signer, Usage.STAMP)], trust, at, carried(token))

    async def again(self, proof: Proof) -> Proof | None:
        """Return how the certificates of a proof stood at its moment by what their authorities say now.

        None where nothing can be said: the evidence is gone, or the hall believes other authorities today.
        """
        document = (await self._proofs.get([proof.evidence])).get(proof.evidence)
        if document is None:
            return None
        grounds = read(document)
        names = [name for each in grounds.looked for name in (each.certificate, *each.chain)]
        files = await self._proofs.get(names)
        if not files.keys() >= set(names):
            return None
        known = {name: parse_certificate(files[name]) for name in names}
        asked = [(known[each.certificate], each.usage) for each in grounds.looked]
        above = [known[name] for name in dict.fromkeys(name for each in grounds.looked for name in each.chain)]
        try:
            return await self._proved(asked, replace(self._trust(), required=False), grounds.at, above)
        except NotProved as revoked:
            return revoked.proof
        except CertificateRefused:
            return None

    async def certificate(self, digest: str) -> x509.Certificate | None:
        """Return a certificate that stood behind an act, by its SHA-256; None if no act had it."""
        found = await self._proofs.get([Digest(digest)])
        return parse_certificate(found[Digest(digest)]) if found else None

    async def held(self, proof: Proof | None) -> tuple[Asked, ...]:
        """Return the certificates that a proof is about, each with its usage."""
        if proof is None:
            return ()
        document = (await self._proofs.get([proof.evidence])).get(proof.evidence)
        looked = () if document is None else read(document).looked
        files = await self._proofs.get([each.certificate for each in looked])
        there = [each for each in looked if each.certificate in files]
        return tuple((parse_certificate(files[each.certificate]), each.usage) for each in there)

    async def _look(
        self,
        certificate: x509.Certificate,
        usage: Usage,
        trust: Trust,
        at: datetime,
        offered: Sequence[x509.Certificate],
    ) -> _Look:
        bare = replace(trust, crls=(), ocsps=(), required=False)
        chain = (
            await asyncio.to_thread(standing, certificate, usage=usage, trust=bare, at=at, offered=offered)
        ).chain
        asked = [await self._revocation.ask(subject, issuer, at) for subject, issuer in pairwise(chain)]
        names = {each.issuer.public_bytes() for each in chain}
        told = [each.public_bytes(Encoding.DER) for each in trust.crls if each.issuer.public_bytes() in names]
        told = list(dict.fromkeys((*told, *(data for answered in asked for data in answered.crls))))
        ocsps = tuple(dict.fromkeys(data for answered in asked for data in answered.ocsps))
        known = replace(bare, crls=tuple(map(parse_list, told)), ocsps=ocsps)
        silent = any(answered.tried for answered in asked)
        state = await asyncio.to_thread(_state, certificate, usage, known, at, offered, silent=silent)
        files = [each.public_bytes(Encoding.DER) for each in chain]
        looked = Looked(
            certificate=_digest(files[0]),
            usage=usage,
            state=state,
            chain=tuple(map(_digest, files[1:])),
            ocsps=tuple(map(b64u, ocsps)),
            crls=tuple(map(_digest, told)),
        )
        tried = tuple(tried for answered in asked for tried in answered.tried)
        return _Look(looked=looked, tried=tried, items={_digest(data): data for data in (*files, *told)})


def _state(
    certificate: x509.Certificate,
    usage: Usage,
    trust: Trust,
    at: datetime,
    offered: Sequence[x509.Certificate],
    *,
    silent: bool,
) -> State:
    try:
        known = standing(certificate, usage=usage, trust=trust, at=at, offered=offered).known
    except Revoked:
        return State.REVOKED
    if known:
        return State.GOOD
    return State.UNAVAILABLE if silent else State.UNASKED


def recheck(looked: Looked, items: Mapping[Digest, bytes], anchors: Trust, at: datetime) -> x509.Certificate:
    """Return the certificate, after coming to the same verdict from the evidence alone.

    ``items``: certificates and lists by SHA-256; ``anchors``: whom to believe, without any revocation of its own.

    Raises:
        CertificateRefused: the verdict is another one; ``wrong_evidence`` says so where no other code does.
    """
    needed = (looked.certificate, *looked.chain, *looked.crls)
    if any(name not in items or _digest(items[name]) != name for name in needed):
        raise CertificateRefused("wrong_evidence", detail="a file is missing, or another")
    certificate, *above = (parse_certificate(items[name]) for name in (looked.certificate, *looked.chain))
    trust = replace(
        anchors,
        intermediates=tuple(above),
        crls=tuple(parse_list(items[name]) for name in looked.crls),
        ocsps=tuple(map(unb64u, looked.ocsps)),
        required=False,
    )
    if issuers(certificate, trust=trust, at=at)[1:] != tuple(above):
        raise CertificateRefused("wrong_evidence", detail="another chain")
    state = _state(certificate, looked.usage, trust, at, (), silent=looked.state is State.UNAVAILABLE)
    if state is not looked.state:
        raise CertificateRefused("wrong_evidence", detail=f"{looked.state} is said, {state} is found")
    return certificate


def check_successor(old: x509.Certificate, new: x509.Certificate) -> None:
    """Raise unless ``new`` may go on for ``old``: the same organisation, under a certificate issued no earlier.

    Both are to be validated by the caller, each at its own moment. The same number of the same kind, the same name
    and the same country; the issuer may be another one, as long as the hall believes it. What was sealed to the
    encryption certificate of before opens with its key alone: a new one opens nothing.
    """
    if old == new:
        return
    mine, before = _subject(new), _subject(old)
    if mine != before or new.not_valid_before_utc < old.not_valid_before_utc:
        raise CertificateRefused("other_subject", detail=fingerprint(new).hex())


def _subject(certificate: x509.Certificate) -> tuple[object, ...]:
    kinds = [
        tuple(each.value for each in certificate.subject.get_attributes_for_oid(oid))
        for oid in (
            NameOID.ORGANIZATION_IDENTIFIER,
            NameOID.COUNTRY_NAME,
            NameOID.ORGANIZATION_NAME,
        )
    ]
    return (bidder_id(certificate), bidder_name(certificate), *kinds)


def _digest(data: bytes) -> Digest:
    return Digest(sha256_hex(data))
