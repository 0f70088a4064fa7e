"""Vectors of sealed bids with one thing wrong, and the code each is refused with."""

import hashlib
import json
from collections.abc import Callable
from functools import partial
from itertools import takewhile
from typing import Any

from crypto import envelope, recipients
from crypto.certificates import fingerprint
from crypto.encoding import b64u, canonical
from crypto.keys import GroupKey
from tests.support.bidders import Sealed, a_bidder
from tests.support.forge import close, declare, front, put_together, take_apart
from tests.vectors.primitives import seal_chunks


def _common(a: bytes, b: bytes) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(a, b, strict=False)))


def malformed_cases(base: Sealed) -> Any:
    """Files with one thing wrong: as a splice of ``sealed-ec``, or whole where it was signed that way."""
    data, pieces = base.data, take_apart(base.data)
    found = envelope.read_header(base.file)
    size, total = len(data), found.total_len
    signer, slot_certificate = base.bidder.sign, base.bidder.encrypt.certificate
    sign = partial(put_together, signer=signer, certificates=[slot_certificate])
    other = a_bidder("另一家有限公司")
    cases: list[dict[str, Any]] = []

    def splice(name: str, code: str, start: int, end: int, new: bytes = b"") -> None:
        cases.append({"name": name, "code": code, "base": "sealed-ec", "splices": [[start, end, new.hex()]]})

    def whole(name: str, code: str, changed: bytes) -> None:
        cases.append({"name": name, "code": code, "file": b64u(changed)})

    def header(name: str, code: str, change: Callable[[dict[str, Any]], object]) -> None:
        copy = json.loads(canonical(pieces.header))
        change(copy)
        old, new = found.header_bytes, canonical(copy)
        same = _common(old, new)
        tail = _common(old[same:][::-1], new[same:][::-1])
        middle = [16 + same, 16 + len(old) - tail, new[same : len(new) - tail].hex()]
        splices = [middle, [8, 12, len(new).to_bytes(4, "big").hex()]]
        cases.append({"name": name, "code": code, "base": "sealed-ec", "splices": splices})

    splice("empty", "not_a_sealed_bid", 0, size)
    splice("a PDF", "not_a_sealed_bid", 0, 8, b"%PDF-1.7")
    splice("15 bytes", "not_a_sealed_bid", 15, size)
    splice("version 0", "unsupported_version", 4, 5, b"\x00")
    splice("version 2", "unsupported_version", 4, 5, b"\x02")
    splice("version 255", "unsupported_version", 4, 5, b"\xff")
    splice("carriage return lost on the way", "not_a_sealed_bid", 5, 6)
    splice("reserved bytes", "malformed_header", 15, 16, b"\x01")
    splice("header length 0", "malformed_header", 8, 12, bytes(4))
    splice("header length over 1 MiB", "too_large", 8, 12, bytes.fromhex("00100001"))
    splice("header length past the end", "wrong_sizes", 8, 12, bytes.fromhex("00100000"))
    splice("header not JSON", "malformed_header", 16, 17, b"[")
    splice("cut in the header", "wrong_sizes", 40, size)
    splice("cut in the body", "wrong_sizes", total - 1, size)
    splice("last byte missing", "wrong_sizes", size - 1, size)
    splice("a byte appended", "wrong_sizes", size, size, b"\x00")
    splice("a byte inserted in the body", "wrong_sizes", total, total, b"\x00")
    splice("declaration length", "wrong_sizes", size - 12, size - 8, bytes.fromhex("00000001"))
    splice("end mark", "wrong_sizes", size - 1, size, b"2")
    splice("first declaration byte", "malformed_declaration", total, total + 1, b"\x31")
    splice("last body byte", "wrong_segments", total - 1, total, bytes([data[total - 1] ^ 1]))
    splice("last signature byte", "bad_signature", size - 13, size - 12, bytes([data[size - 13] ^ 1]))

    header("unknown suite", "unsupported_suite", lambda h: h.update(suite="INTL-2"))
    header("suite SM-1", "unsupported_suite", lambda h: h.update(suite="SM-1"))
    header("v is 2", "malformed_header", lambda h: h.update(v=2))
    header("v is true", "malformed_header", lambda h: h.update(v=True))
    header("an unknown member", "malformed_header", lambda h: h.update(note=""))
    header("a missing member", "malformed_header", lambda h: h.pop("lot"))
    header("a second key layer", "malformed_header", lambda h: h["groups"][0].update(kct="00" * 32))
    header("upper-case hex", "malformed_header", lambda h: h.update(env="AB" * 16))
    header("deadline without Z", "malformed_header", lambda h: h.update(deadline="2026-11-21T01:00:00"))
    header("deadline on 30 February", "malformed_header", lambda h: h.update(deadline="2026-02-30T01:00:00Z"))
    header("empty lot", "malformed_header", lambda h: h.update(lot=""))
    header("line feed in the tender", "malformed_header", lambda h: h.update(tender="a\nb"))
    header("129 characters", "malformed_header", lambda h: h.update(tender="标" * 129))
    header("no slot", "malformed_header", lambda h: h["groups"][0].update(slots=[]))
    header("an escrow slot", "malformed_header", lambda h: h["groups"][0]["slots"][0].update(role="escrow"))
    header("slot with padding", "malformed_header", lambda h: h["groups"][0]["slots"][0].update(data="AA=="))
    header("group C", "malformed_header", lambda h: h["groups"][0].update(id="C"))
    header("no parts", "malformed_header", lambda h: h.update(parts=[]))
    header("part id with a slash", "malformed_header", lambda h: h["parts"][1].update(id="../x"))
    header("two parts of one name", "malformed_header", lambda h: h["parts"][1].update(id="quote"))
    header("no quote", "malformed_header", lambda h: h["parts"][0].update(id="f9"))
    header("quote is not JSON", "malformed_header", lambda h: h["parts"][0].update(media="text/html"))
    header("offset", "wrong_sizes", lambda h: h["parts"][1].update(off=h["parts"][1]["off"] + 1))
    header("length", "wrong_sizes", lambda h: h["parts"][1].update(len=h["parts"][1]["len"] + 1))
    header(
        "a longer part",
        "wrong_sizes",
        lambda h: h["parts"][-1].update(plain_len=h["parts"][-1]["plain_len"] + 1, len=h["parts"][-1]["len"] + 1),
    )
    header("another bidder", "wrong_certificate", lambda h: h.update(bidder=other.id))
    header("another tender", "wrong_header", lambda h: h.update(tender="ZB-2026-002"))
    header("another deadline", "wrong_header", lambda h: h.update(deadline="2026-11-22T01:00:00Z"))
    header("a non-critical member, but signed without it", "wrong_header", lambda h: h.update({"x-note": "hello"}))
    header("another signing certificate", "wrong_certificate", lambda h: h.update(sig_cert="00" * 32))

    # Signed like this by the bidder, so that only the one later check can notice.
    copy = partial(json.loads, canonical(pieces.header))
    changed = copy()
    changed["parts"][0]["kc"] = "00" * 32
    whole("commitment in the header", "commitment_mismatch", sign(changed, pieces.body))
    changed = copy()
    changed["groups"][0]["slots"][0]["data"] = b64u(recipients.wrap(other.encrypt.certificate, bytes(32)))
    whole("another bidder's slot", "wrong_recipient", sign(changed, pieces.body))
    changed = copy()
    changed["groups"][0]["slots"][0]["cert"] = fingerprint(other.encrypt.certificate).hex()
    whole("slot certificate not carried", "wrong_certificate", sign(changed, pieces.body))
    changed = copy()
    changed["groups"][0]["slots"][0]["data"] = b64u(b"\x30\x00")
    whole("slot is no CMS", "malformed_slot", sign(changed, pieces.body))
    whole("signed root of other bytes", "wrong_segments", sign(pieces.header, pieces.body, root="00" * 32))
    whole("signed for another length", "wrong_sizes", sign(pieces.header, pieces.body, total_len=total + 1))
    whole("signed for another header", "wrong_header", sign(pieces.header, pieces.body, header_sha256="00" * 32))
    swapped = pieces.body[found.header.parts[1].off :] + pieces.body[: found.header.parts[1].off]
    whole("parts in another order", "commitment_mismatch", sign(pieces.header, swapped))
    genuine = declare(pieces.header, pieces.body, other.sign, [slot_certificate])
    whole("declared by another bidder", "wrong_certificate", close(front(pieces.header, pieces.body), genuine))

    # Whole and genuine, but it does not open: the quote is no canonical object.
    for name, plain in (
        ("quote with spaces", b'{"price": "1.00"}'),
        ("quote is a list", b"[]"),
        ("quote twice", b'{"a":1,"a":1}'),
    ):
        changed, key = (
            copy(),
            GroupKey(
                suite=found.header.suite,
                context=found.header.context("A"),
                secret=envelope.unlock(found, "A", base.bidder.encrypt),
            ),
        )
        stream = seal_chunks(
            key.part_key("quote"), hashlib.sha256(plain).digest()[:24], key.part_context("quote"), plain
        )
        changed["parts"] = [
            {
                "id": "quote",
                "group": "A",
                "media": "application/json",
                "plain_len": len(plain),
                "off": 0,
                "len": len(stream),
                "salt": stream[:24].hex(),
                "kc": stream[24:56].hex(),
            }
        ]
        cases.append(
            {
                "name": name,
                "opens_with": "malformed_quote",
                "file": b64u(sign(changed, stream)),
                "K_b": key.secret.hex(),
            }
        )
    damaged = bytearray(pieces.body)
    damaged[56] ^= 1
    cases.append(
        {
            "name": "a damaged chunk, signed as it is",
            "opens_with": "damaged_part",
            "file": b64u(sign(pieces.header, bytes(damaged))),
            "K_b": envelope.unlock(found, "A", base.bidder.encrypt).hex(),
        }
    )
    return {
        "splices": "[start, end, hex] each, in this order; put the bytes in place of [start, end)",
        "cases": cases,
    }
