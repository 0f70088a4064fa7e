"""Vectors of the encodings, the body cipher, the chain and the attack."""

import hashlib
import json
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from crypto import chain, digest, draw
from crypto.chunked import CHUNK, COBBLESTONE_256, derive
from crypto.encoding import b64u, canonical
from tests.support.two_prices import two_price_ciphertext


def pattern(size: int) -> bytes:
    """The plain text of long vectors: byte i is i mod 251."""
    return (bytes(range(251)) * (size // 251 + 1))[:size]


def canonical_cases() -> Any:
    good = [
        '{"b":1,"a":2}',
        '{ "\\u20ac": "Euro", "\\r": "CR", "1": "one", "\\u0080": "control", "\\u00f6": "o", '
        '"\\ud83d\\ude02": "smile", "\\ufb33": "dalet" }',
        '["\\u000f\\n\\t\\b\\f\\"\\\\\\/", "\\u007f", "é", "e\\u0301"]',
        '{"n":[0,-1,9007199254740991,-9007199254740991],"t":true,"f":false,"z":null,"e":{},"l":[]}',
        '"单独的字符串"',
        "[" * 16 + "]" * 16,
    ]
    bad = {
        "a member twice": b'{"a":1,"a":1}',
        "a member twice through an escape": b'{"a":1,"\\u0061":1}',
        "fraction": b"1.0",
        "exponent": b"1e2",
        "minus zero": b"-0",
        "leading zero": b"01",
        "over 2^53 - 1": b"9007199254740992",
        "5000 digits": b"1" * 5000,
        "NaN": b"NaN",
        "Infinity": b"[Infinity]",
        "byte order mark": b"\xef\xbb\xbf{}",
        "not UTF-8": b'"\xff"',
        "half a surrogate pair": b'"\\ud800"',
        "half a surrogate pair as a member": b'{"\\udc00":1}',
        "nested 17 deep": b"[" * 17 + b"]" * 17,
        "two values": b"{}{}",
        "nothing": b"",
        "control character in a string": b'"\n"',
        "comment": b"{}//",
        "trailing comma": b"[1,]",
        "single quotes": b"{'a':1}",
    }
    return {
        "accepted": [{"json": text, "canonical": canonical(json.loads(text)).hex()} for text in good],
        "refused": [{"name": name, "hex": data.hex(), "code": "malformed_json"} for name, data in bad.items()],
        "not_canonical": [
            text.encode().hex() for text in ('{"b":1,"a":2}', '{"a": 1}', '{"a":1}\n', '"\\u00e9"', '"\\/"')
        ],
    }


def seal_chunks(input_key: bytes, salt: bytes, context: bytes, plain: bytes) -> bytes:
    """The construction written out with plain AES-GCM, so that a vector may choose its salt."""
    keys = derive(COBBLESTONE_256, input_key, salt, context)
    cipher = AESGCM(keys.key)
    count = len(plain) // CHUNK + 1
    pieces = (cipher.encrypt(keys.nonce(k), plain[k * CHUNK : (k + 1) * CHUNK], None) for k in range(count))
    return salt + keys.commitment + b"".join(pieces)


def chunked_cases() -> Any:
    cases = []
    for size in (0, 1, 16_383, 16_384, 16_385, 100_000):
        key, salt = hashlib.sha256(b"key %d" % size).digest(), hashlib.sha256(b"salt %d" % size).digest()[:24]
        context = b"kaibiao vector %d" % size
        keys = derive(COBBLESTONE_256, key, salt, context)
        stream = seal_chunks(key, salt, context, pattern(size))
        cases.append(
            {
                "plain_len": size,
                "input_key": key.hex(),
                "salt": salt.hex(),
                "context": context.hex(),
                "key": keys.key.hex(),
                "base_nonce": keys.base_nonce.hex(),
                "commitment": keys.commitment.hex(),
                "plain_sha256": digest.sha256_hex(pattern(size)),
                "stream_len": len(stream),
                "stream_sha256": digest.sha256_hex(stream),
                "stream": b64u(stream) if size in (0, 1, 16_385) else None,
            }
        )
    return {"plain": "byte i is i mod 251", "cases": cases}


def draw_case() -> Any:
    """A draw of three parties, and what it draws from urns of many sizes."""
    shares = [
        draw.Share(role=role, party=party, seed=pattern(32 + n)[n:])
        for n, (role, party) in enumerate((("host", "lin"), ("supervisor", "顾言"), ("bidder", "91430000MA4L000001")))
    ]
    randomness = draw.mix("gx-1", 2, shares)
    urns = {f"of {size}": [str(value) for value in range(size)] for size in (1, 2, 3, 7, 100)}
    return {
        "session": "gx-1",
        "round": 2,
        "parties": [
            {
                "role": share.role,
                "party": share.party,
                "seed": share.seed.hex(),
                "commitment": draw.commitment("gx-1", 2, share).hex(),
            }
            for share in shares
        ],
        "randomness": randomness.hex(),
        "urns": [
            {"id": name, "values": values, "drawn": list(draw.pick(randomness, name, values, len(values)))}
            for name, values in urns.items()
        ],
    }


def chain_case() -> Any:
    cores: list[dict[str, Any]] = []
    digests: list[str] = []
    for number, (kind, data) in enumerate(
        [("SessionOpened", {"tender": "ZB-2026-001"}), ("BidReceived", {"length": 4096}), ("Closed", {"bids": 1})], 1
    ):
        private = chain.commit_private("55" * 16, {"bidder": "华东"}) if kind == "BidReceived" else None
        core = {
            "stream": "S-1",
            "n": number,
            "at": f"2026-11-21T00:59:5{number}.000Z",
            "type": kind,
            "actor": "hall",
            "data": data,
            "private": private,
        }
        cores.append(chain.link(digests[-1] if digests else None, core))
        digests.append(chain.event_digest(cores[-1]))
    leaves = [digest.leaf_hash(bytes([i])) for i in range(11)]
    return {
        "cores": cores,
        "digests": digests,
        "private": {"salt": "55" * 16, "value": {"bidder": "华东"}, "commitment": cores[1]["private"]},
        "tree": {
            "leaves": "leaf i is H(00 | byte i)",
            "roots": [digest.root(leaves[:size]).hex() for size in range(12)],
            "inclusion": [
                {"index": i, "size": 11, "proof": [step.hex() for step in digest.inclusion_proof(leaves, i)]}
                for i in (0, 6, 10)
            ],
            "consistency": [
                {"old": old, "size": 11, "proof": [step.hex() for step in digest.consistency_proof(leaves, old)]}
                for old in (1, 4, 7, 11)
            ],
        },
    }


def two_prices_case() -> Any:
    attack = two_price_ciphertext((b"PRICE=1000000", b"PRICE=0870000"))
    return {
        "why": "AES-GCM alone takes both keys; the commitments take one",
        "nonce": attack.nonces[0].hex(),
        "ciphertext": attack.ciphertext.hex(),
        "keys": [key.hex() for key in attack.keys],
        "contains": [text.decode() for text in attack.texts],
    }
