"""Whom a reader trusts, against whom the archive names; and what it rests on that no archive can show of itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cryptography import x509

from crypto.certificates import fingerprint, parse_certificate
from crypto.errors import CryptoRefused
from crypto.tlog import cosignatures, read_policy
from sessions.events import BidNotOpened, BidOpened, SetFrozen, SheetRescued
from sessions.plan import Words
from sessions.verify.replay import Replayed
from sessions.verify.report import Found, require
from sessions.verify.watched import Notes

Files = Mapping[str, bytes]
RESULTS = (BidOpened, BidNotOpened, SheetRescued)


def witnessed(policy: bytes, replayed: Replayed, notes: Notes) -> Found:
    """The reader's own witnesses hold the log, however few the announcement was content with.

    Its end; and, where there are results, a checkpoint from when the set was frozen and nothing was opened yet.
    """
    _, wanted = read_policy(policy.decode("utf-8"))
    require(bool(notes), "no witness of yours holds this opening: it was announced without a log")
    records = replayed.log.records
    ended = wanted.require(notes[len(records)])
    results = [record.number for record in records if isinstance(record.event, RESULTS)]
    frozen = next((record.number for record in records if isinstance(record.event, SetFrozen)), 0)
    if results:
        between = [notes[size] for size in notes if frozen <= size < results[0]]
        held = max((len(cosignatures(note, wanted.witnesses)) for note in between), default=0)
        require(held >= wanted.quorum, f"{held} of your witnesses held the set before the bids were opened")
    return Found(True, f"{', '.join(sorted(ended))}; {wanted.quorum} asked for")


def authorities(known: bytes, files: Files) -> Found:
    """Every authority that the archive trusts, for certificates or timestamps, is one that the reader trusts."""
    held = {fingerprint(certificate) for certificate in x509.load_pem_x509_certificates(known)}
    named = {name: parse_certificate(files[name]) for name in sorted(files) if _is_anchor(name)}
    strange = [name for name, certificate in named.items() if fingerprint(certificate) not in held]
    require(not strange, f"{', '.join(strange)} is none of the authorities you trust")
    return Found(True, f"{len(named)} of them")


def taken(files: Files, replayed: Replayed | None) -> tuple[Words, ...]:
    """Return what the checks took from the archive itself; nothing if it cannot be read."""
    try:
        return tuple(_taken(files, replayed))
    except (CryptoRefused, ValueError):
        return ()


def _taken(files: Files, replayed: Replayed | None) -> Iterator[Words]:
    """Yield what the checks took from the archive itself, for the reader to compare with what others publish."""
    anchors = [parse_certificate(files[name]) for name in sorted(files) if _is_anchor(name)]
    if anchors:
        prints = ", ".join(dict.fromkeys(fingerprint(each).hex() for each in anchors))
        yield Words(zh=f"证书与时间戳的根机构：{prints}", en=f"roots of certificates and timestamps: {prints}")
    if replayed is None:
        return
    plan = replayed.opening.plan
    rules = f"{plan.pack.id} {plan.pack.version}, {plan.pack.digest}"
    yield Words(zh=f"公告的规则：{rules}", en=f"the rules announced: {rules}")
    if plan.watch is None or not plan.watch.witnesses:
        yield Words(zh="没有外部见证方", en="nobody outside witnessed the log")
        return
    keys, quorum = ", ".join(plan.watch.witnesses), plan.watch.quorum
    yield Words(zh=f"公告的见证方（法定 {quorum}）：{keys}", en=f"the witnesses announced, quorum {quorum}: {keys}")


def _is_anchor(name: str) -> bool:
    return name.startswith(("trust/anchor-", "trust/stamps-"))
