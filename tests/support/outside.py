"""Who speaks from outside in a generated opening: witnesses, authorities of time and certificates, bidders' programs.

All of it is the real thing, made once and used by every opening, because keys and answers are dear.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from crypto import authority, ocsp, responder, timestamping, timestamps
from crypto.certificates import Credential, Usage, parse_certificate
from crypto.digest import sha256, sha256_hex
from crypto.encoding import b64u
from crypto.signing import HallKey, sign
from crypto.tlog import Checkpoint, Tree, WitnessSecret, cosign, sign_checkpoint
from sessions import commands as c
from sessions.barrier.nonces import nonce
from sessions.events import Stream
from sessions.ids import BidderId, Digest, SessionId
from sessions.opening import Opening
from sessions.opening.evidence import Probe
from sessions.opening.points import named
from sessions.outside.receipt_proofs import origin_of
from sessions.plan import AnchorKind, Plan, Watch, WitnessMode, WitnessRule
from sessions.ports import FINAL, INTAKE, RECORDING, Evidence, Kept, Kind, Said, Signed
from sessions.proofs import Act, Grounds, Looked, OnSilence, Proof, State, Tried, proof_of, read, written
from sessions.recording.log import origin_of as recording_of
from sessions.watch.heartbeat import BEAT, acknowledge, beat_payload, probe_text
from tests.support.authorities import URL
from tests.support.bidders import BEGIN, Bidder, Sealed, the_authority
from tests.support.ceremony import SECOND, T0

TIME_BY = ("国家授时中心", "省授时中心")
LONG_AGO = T0 - timedelta(days=30)

Anchorer = tuple[AnchorKind, str]


@cache
def witnesses() -> tuple[WitnessSecret, ...]:
    return tuple(WitnessSecret(f"w{number}.example", HallKey.generate()) for number in (1, 2, 3))


@cache
def time_root(name: str) -> authority.Authority:
    return authority.create(f"Root of {name}", at=LONG_AGO)


@cache
def time_authority(name: str) -> tuple[x509.Certificate, Credential]:
    root = time_root(name)
    return root.certificate, timestamping.issue_authority(root, name=name, at=LONG_AGO)


def everybody() -> tuple[str, ...]:
    return (*(one.name for one in witnesses()), *TIME_BY)


def watched(plan: Plan, chance: random.Random) -> Plan:
    """Return the plan with some witnesses and timestamp authorities, and a rule for when they are silent."""
    held = witnesses()[: chance.randrange(4)]
    watch = Watch(
        origin=f"hall.example/s/{plan.session}",
        witnesses=tuple(str(one.public) for one in held),
        quorum=chance.randrange(len(held) + 1),
        authorities=TIME_BY[: chance.randrange(3)],
    )
    rule = WitnessRule(mode=chance.choice(tuple(WitnessMode)), grace=60 * SECOND, article="bl-35")
    return replace(plan, watch=watch, pack=replace(plan.pack, witness=chance.choice((rule, rule, plan.pack.witness))))


@dataclass(kw_only=True)
class Checkpoints:
    """A CheckpointStore in memory, as far as an archive needs one."""

    proofs: Proofs
    proving: float = 0.5  # how often a stamp has a proof where the opening asks for none
    signed: dict[tuple[str, int], Signed] = field(default_factory=dict)
    given: list[Kept] = field(default_factory=list)

    async def head(self, origin: str) -> Signed | None:
        return max((one for one in self.signed.values() if one.origin == origin), key=lambda s: s.size, default=None)

    async def put(self, signed: Signed, follows: int) -> None:
        self.signed[signed.origin, signed.size] = signed

    async def at(self, origin: str, size: int) -> Signed | None:
        return self.signed.get((origin, size))

    async def kept(self, _: SessionId, of: Stream = Stream.OPENING) -> tuple[Kept, ...]:
        kept = (one for one in self.given if one.stream is of)
        return tuple(sorted(kept, key=lambda one: (one.size, one.kind, one.by)))

    async def convictions(self) -> tuple[tuple[SessionId, str, str], ...]:
        return ()

    def answer(
        self, o: Opening, digests: Sequence[str], point: str, who: tuple[AnchorKind, str], now: datetime
    ) -> Kept:
        """Return what ``who`` says of the log as it is now, and keep it."""
        assert o.plan.watch is not None
        tree = Tree(map(bytes.fromhex, digests))
        stated = Checkpoint(origin=o.plan.watch.origin, size=len(tree), root=tree.root())
        key = (stated.origin, stated.size)
        if key not in self.signed:
            self.signed[key] = Signed(
                origin=stated.origin, size=stated.size, root=stated.root, note=sign_checkpoint(stated, the_hall())
            )
        said = self._proved(o, who, _said(who, self.signed[key].note, stated.text.encode(), now))
        kept = Kept(session=o.plan.session, point=point, kind=who[0], by=who[1], size=stated.size, said=said)
        self.given.append(kept)
        return kept

    def hold_recording(self, o: Opening, tree: Tree, who: Anchorer, now: datetime) -> None:
        """Keep what ``who`` says of the closed recording."""
        assert o.plan.watch is not None
        stated = Checkpoint(origin=recording_of(o.plan.watch), size=len(tree), root=tree.root())
        note = sign_checkpoint(stated, the_hall())
        self.signed[stated.origin, stated.size] = Signed(
            origin=stated.origin, size=stated.size, root=stated.root, note=note
        )
        said = self._proved(o, who, _said(who, note, stated.text.encode(), now))
        self.given.append(
            Kept(session=o.plan.session, point=RECORDING, kind=who[0], by=who[1], size=len(tree), said=said)
        )

    def _proved(self, o: Opening, who: Anchorer, said: Said) -> Said:
        """Add how the authority's certificate stood; an opening without proofs has some all the same."""
        chance = random.Random(said.evidence)
        if who[0] is not AnchorKind.STAMP or not (o.plan.proofs or chance.random() < self.proving):
            return said
        refuses = (o.plan.pack.revocation or {}).get(Act.STAMP) is OnSilence.REFUSE
        return replace(said, proof=self.proofs.look_stamp(who[1], said, chance, sure=refuses))

    def stamp_receipts(self, o: Opening, by: str, tree: Tree, now: datetime) -> None:
        """Keep the stamp of this authority over the log of receipts."""
        assert o.plan.watch is not None
        text = Checkpoint(origin=origin_of(o.plan.watch), size=len(tree), root=tree.root()).text
        said = self._proved(o, (AnchorKind.STAMP, by), _said((AnchorKind.STAMP, by), "", text.encode(), now))
        point = f"{INTAKE}{len(tree)}"
        self.given.append(
            Kept(session=o.plan.session, point=point, kind=AnchorKind.STAMP, by=by, size=len(tree), said=said)
        )


@cache
def the_hall() -> HallKey:
    return HallKey.generate()


def _said(who: Anchorer, note: str, text: bytes, now: datetime) -> Said:
    kind, name = who
    if kind is AnchorKind.WITNESS:
        secret = next(one for one in witnesses() if one.name == name)
        seconds = int(now.timestamp())
        return Said(evidence=cosign(note, secret, seconds).encode(), at=datetime.fromtimestamp(seconds, UTC))
    root, signer = time_authority(name)
    at, digest = now.replace(microsecond=0), sha256(text)
    reply = timestamping.reply(timestamps.request(digest, 1), signer, at=at, serial=1)
    token, _ = timestamps.read_reply(reply, digest=digest, nonce=1, anchors=[root], asked_at=at, answered_at=at)
    return Said(evidence=token, at=at)


def anchoring(kept: Kept, root: bytes) -> c.RecordAnchor:
    """Return the command that records an answer."""
    return c.RecordAnchor(
        point=kept.point,
        kind=kept.kind,
        by=kept.by,
        size=kept.size,
        root=Digest(root.hex()),
        sha256=Digest(sha256_hex(kept.said.evidence)),
        said_at=kept.said.at,
        proof=kept.said.proof,
    )


def missing(o: Opening, point: str | None = None) -> Iterator[tuple[str, Anchorer]]:
    """Yield point and name of everybody who has not answered yet; all of them for the end."""
    for name, held in [(point, None)] if point == FINAL else [(each.name, each) for each in o.points]:
        for kind in AnchorKind:
            yield from ((str(name), (kind, by)) for by in named(o, kind) if held is None or by not in held.by(kind))


# -- certificates ------------------------------------------------------------------------------------------------


@cache
def _responder() -> Credential:
    return responder.appoint(the_authority(), at=BEGIN, days=3000)


@cache
def _ocsp(certificate: x509.Certificate, *, revoked: bool = False) -> bytes:
    return responder.answer(
        ocsp.ask(certificate, the_authority().certificate, nonce=bytes(32)),
        authority=the_authority().certificate,
        responder=_responder(),
        issued={certificate.serial_number},
        revoked={certificate.serial_number: LONG_AGO} if revoked else {},
        at=T0 - timedelta(days=1),
        life=timedelta(days=9),
    )


@cache
def _of_time(name: str) -> tuple[bytes, bytes]:
    """An answer and a list about the signer of a timestamp authority."""
    root, signer = time_authority(name)
    said = responder.answer(
        ocsp.ask(signer.certificate, root, nonce=bytes(32)),
        authority=root,
        responder=responder.appoint(time_root(name), at=LONG_AGO, days=3000),
        issued={signer.certificate.serial_number},
        revoked={},
        at=T0 - timedelta(days=1),
        life=timedelta(days=9),
    )
    listed = authority.revocation_list(time_root(name), {}, at=T0 - timedelta(days=1), days=9)
    return said, listed.public_bytes(Encoding.DER)


@cache
def _list() -> bytes:
    made = authority.revocation_list(the_authority(), {}, at=T0 - timedelta(days=1), days=9)
    return made.public_bytes(Encoding.DER)


@dataclass(kw_only=True)
class Proofs:
    """A ProofStore in memory that fills itself: what was found of a certificate at each act."""

    items: dict[Digest, bytes] = field(default_factory=dict)

    async def get(self, digests: Sequence[Digest]) -> Mapping[Digest, bytes]:
        return {digest: self.items[digest] for digest in digests if digest in self.items}

    def look(self, bidder: Bidder, at: datetime, chance: random.Random, *, encrypting: bool = False) -> Proof:
        found = chance.choices(("answer", "list", "nobody", "silence", "revoked"), (6, 3, 2, 1.5, 0.3))[0]
        pairs = [(bidder.sign.certificate, Usage.SIGN)]
        pairs += [(bidder.encrypt.certificate, Usage.ENCRYPT)] if encrypting else []
        tried = {"answer": "answered", "revoked": "answered", "silence": "timeout"}.get(found)
        grounds = Grounds(
            v=1,
            at=at,
            looked=tuple(self._looked(certificate, usage, found) for certificate, usage in pairs),
            tried=(Tried(url=URL, at=at, outcome=tried),) if tried else (),
        )
        digest, document = written(grounds)
        self.items[digest] = document
        return proof_of(grounds)

    def again(self, proof: Proof) -> Proof:
        """What is said of the certificates of this proof when they are asked about once more."""
        found = random.Random(proof.evidence).choice(("answer", "answer", "list", "silence", "revoked"))
        before = read(self.items[proof.evidence])
        outcome = {"answer": "answered", "revoked": "answered", "silence": "timeout"}.get(found)
        grounds = replace(
            before,
            looked=tuple(
                self._looked(parse_certificate(self.items[each.certificate]), each.usage, found)
                for each in before.looked
            ),
            tried=(Tried(url=URL, at=T0, outcome=outcome),) if outcome else (),
        )
        digest, document = written(grounds)
        self.items[digest] = document
        return proof_of(grounds)

    def look_stamp(self, by: str, said: Said, chance: random.Random, *, sure: bool = False) -> Proof:
        """What was found of the certificate of this timestamp authority; ``sure``: something was."""
        found = chance.choice(("answer", "list") if sure else ("answer", "list", "nobody", "silence"))
        root, signer = time_authority(by)
        told, listed = _of_time(by)
        chain = [each.public_bytes(Encoding.DER) for each in (signer.certificate, root)]
        names = [Digest(sha256_hex(each)) for each in (*chain, listed)]
        outcome = {"answer": "answered", "silence": "timeout"}.get(found)
        looked = Looked(
            certificate=names[0],
            usage=Usage.STAMP,
            state={"nobody": State.UNASKED, "silence": State.UNAVAILABLE}.get(found, State.GOOD),
            chain=(names[1],),
            ocsps=(b64u(told),) if found == "answer" else (),
            crls=(names[2],) if found == "list" else (),
        )
        tried = (Tried(url=URL, at=said.at, outcome=outcome),) if outcome else ()
        grounds = Grounds(v=1, at=said.at, looked=(looked,), tried=tried)
        digest, document = written(grounds)
        self.items |= dict(zip(names, (*chain, listed), strict=True)) | {digest: document}
        return proof_of(grounds)

    def _looked(self, certificate: x509.Certificate, usage: Usage, found: str) -> Looked:
        states = {"nobody": State.UNASKED, "silence": State.UNAVAILABLE, "revoked": State.REVOKED}
        answers = [_ocsp(certificate, revoked=found == "revoked")] if found in ("answer", "revoked") else []
        names = [certificate.public_bytes(Encoding.DER), the_authority().certificate.public_bytes(Encoding.DER)]
        lists = [_list()] if found == "list" else []
        self.items |= {Digest(sha256_hex(data)): data for data in (*names, *lists)}
        return Looked(
            certificate=Digest(sha256_hex(names[0])),
            usage=usage,
            state=states.get(found, State.GOOD),
            chain=(Digest(sha256_hex(names[1])),),
            ocsps=tuple(map(b64u, answers)),
            crls=tuple(Digest(sha256_hex(data)) for data in lists),
        )


# -- signs of life -------------------------------------------------------------------------------------------------


def signs_of_life(
    o: Opening, window: Digest, bids: Sequence[Sealed], head: Digest, chance: random.Random
) -> tuple[Evidence, ...]:
    """Return some beats of these bidders during the decrypt window, acknowledged, and the hall's own signs."""
    run, barrier = o.run, o.barrier
    assert run is not None
    assert barrier is not None
    pieces: list[Evidence] = []
    length = (barrier.at - run.entered_at).total_seconds()
    for sealed in bids:
        who, steps = BidderId(sealed.bidder.id), sorted(chance.random() for _ in range(chance.randrange(4)))
        for n, part in enumerate(steps, start=1):
            at = run.entered_at + timedelta(milliseconds=int(1000 * length * part))
            payload = beat_payload(
                session=o.plan.session,
                bidder=who,
                nonce=nonce(window, who),
                n=n,
                at=at,
                key=chance.choice(("ready", "released", "locked", "none")),
                seen=1,
                lost=chance.choice((0, 0, 2)),
                rtt_ms=[12],
                ack=None,
            )
            beat = sign(payload, BEAT, sealed.bidder.sign)
            answered = at + timedelta(milliseconds=chance.choice((1, 40, 9000)))
            ack = acknowledge(beat, payload, received_at=at, answered_at=answered, head=head, hall=the_hall())
            pieces.append(_piece(o, who, Kind.BEAT, n, at, beat, ack))
    for n in range(1, chance.randrange(1, 5)):
        at = run.entered_at + timedelta(milliseconds=int(1000 * length * n / 5))
        probe = Probe(at=at, took_ms=chance.choice((1, 30, 9000)), run="r1")
        pieces.append(_piece(o, BidderId(""), Kind.PROBE, n, at, probe_text(probe), ""))
    return tuple(sorted(pieces, key=lambda piece: piece.at))


def _piece(o: Opening, who: BidderId, kind: Kind, number: int, at: datetime, statement: str, answer: str) -> Evidence:
    return Evidence(
        session=o.plan.session, bidder=who, kind=kind, number=number, at=at, statement=statement, answer=answer
    )
