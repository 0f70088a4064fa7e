"""Vectors of transparency logs: what the standards and public witnesses published, and one log of our own."""

import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from crypto import tlog
from crypto.digest import sha256
from crypto.signing import HallKey
from crypto.tlog.notes import COSIGNATURE, ED25519, b64
from crypto.tlog.tiles import tiles_of

ORIGIN = "hall.example/s/S-1"
SIZE = 300
PUBLISHED = json.loads((Path(__file__).parent / "tlog-published.json").read_text())


def a_key(number: int) -> HallKey:
    return HallKey(Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32))


def entry(index: int) -> bytes:
    return sha256(index.to_bytes(4, "big"))


def refused_notes(checkpoint: tlog.Checkpoint, hall: HallKey, cosigned: str) -> list[dict[str, str]]:
    """One thing wrong with each: read as a checkpoint of ORIGIN, then asked for both witnesses."""
    text, good = checkpoint.text, tlog.sign_checkpoint(checkpoint, hall)
    root = b64(checkpoint.root)
    witness_line = cosigned.split("\n")[5]
    hall_line = good.split("\n")[4]

    def signed(body: str) -> str:
        note = tlog.Note(body, ())
        key = tlog.VerifierKey(ORIGIN, ED25519, hall.public.raw)
        return f"{note.text}\n{tlog.SignatureLine(ORIGIN, key.key_id, hall.private.sign(body.encode()))}"

    return [
        {"name": name, "note": note, "code": code}
        for name, note, code in [
            ("no signature at all", f"{text}\n", "malformed_note"),
            ("no blank line", good.replace("\n\n", "\n"), "malformed_note"),
            ("the last newline is missing", good[:-1], "malformed_note"),
            ("carriage returns", good.replace("\n", "\r\n"), "malformed_note"),
            ("a hyphen for the dash", good.replace("—", "-"), "malformed_note"),
            ("a signature of four bytes", f"{text}\n— {ORIGIN} AAAAAA==\n", "malformed_note"),
            ("base64 with loose bits", good.replace(hall_line, hall_line[:-2] + "9="), "malformed_note"),
            ("base64url", f"{text}\n— {ORIGIN} {'_' * 92}\n", "malformed_note"),
            ("a name with a plus", f"{text}\n— a+b {hall_line.split()[2]}\n", "malformed_note"),
            ("an ideographic space in the name", f"{text}\n— a\u3000b {hall_line.split()[2]}\n", "malformed_note"),
            ("two lines only", signed(f"{ORIGIN}\n300\n"), "malformed_checkpoint"),
            ("a size with a leading zero", signed(f"{ORIGIN}\n0300\n{root}\n"), "malformed_checkpoint"),
            ("a size with a sign", signed(f"{ORIGIN}\n+300\n{root}\n"), "malformed_checkpoint"),
            ("a size past 2^53", signed(f"{ORIGIN}\n9007199254740992\n{root}\n"), "malformed_checkpoint"),
            ("a root of 31 bytes", signed(f"{ORIGIN}\n300\n{b64(checkpoint.root[:31])}\n"), "malformed_checkpoint"),
            ("a root in hex", signed(f"{ORIGIN}\n300\n{checkpoint.root.hex()}\n"), "malformed_checkpoint"),
            ("an empty line in the text", signed(f"{ORIGIN}\n300\n{root}\n\nmore\n"), "malformed_checkpoint"),
            ("another log", good.replace("S-1", "S-2"), "wrong_origin"),
            ("another size", good.replace("\n300\n", "\n301\n"), "bad_signature"),
            ("only a witness signed", f"{text}\n{witness_line}\n", "wrong_signer"),
            ("another key id", tlog.sign_checkpoint(checkpoint, a_key(9)), "wrong_signer"),
            ("one good signature and one bad one", good + _cut(hall_line, flip=True), "bad_signature"),
            (
                "a cosignature of another size",
                tlog.with_signatures(
                    tlog.sign_checkpoint(tlog.Checkpoint(origin=ORIGIN, size=301, root=checkpoint.root), hall),
                    f"{witness_line}\n",
                ),
                "bad_signature",
            ),
            ("a cosignature cut short", good + _cut(witness_line), "bad_signature"),
        ]
    ]


def _cut(line: str, *, flip: bool = False) -> str:
    found = tlog.SignatureLine.parse(line)
    last = bytes([found.signature[-1] ^ 1]) if flip else b""
    return str(tlog.SignatureLine(found.name, found.key_id, found.signature[:-1] + last))


def tlog_case() -> dict[str, Any]:
    hall = a_key(1)
    witnesses = [tlog.WitnessSecret(f"witness{number}.example", a_key(10 + number)) for number in (1, 2)]
    tree = tlog.Tree(map(entry, range(SIZE)))
    checkpoint = tlog.Checkpoint(origin=ORIGIN, size=SIZE, root=tree.root())
    note = tlog.sign_checkpoint(checkpoint, hall)
    cosigned = note
    for number, witness in enumerate(witnesses):
        cosigned = tlog.with_signatures(cosigned, tlog.cosign(note, witness, 1_795_222_800 + number))
    path = tree.inclusion_proof(77)
    consistency = tree.consistency_proof(200)
    keys = [str(witness.public) for witness in witnesses]
    listed = f"witness a {keys[0]} http://127.0.0.1:1/\nwitness b {keys[1]}\n"
    policy = f"# two of two\n{listed}\ngroup both all a b\nquorum both\n"
    good_key, key_id = keys[0], witnesses[0].public.verifier.key_id.hex()
    good_proof = tlog.write_proof(77, path, cosigned)
    return {
        "published": PUBLISHED,
        "entries": "entry i is SHA-256 of i in four bytes, big-endian",
        "hall": hall.public.document(),
        "log_vkey": str(tlog.VerifierKey(ORIGIN, ED25519, hall.public.raw)),
        "witnesses": [
            {
                "vkey": str(one.public),
                "key_id": one.public.verifier.key_id.hex(),
                "seed": one.key.private.private_bytes_raw().hex(),
            }
            for one in witnesses
        ],
        "roots": {str(size): tree.root(size).hex() for size in (0, 1, 2, 3, 7, 8, 200, 255, 256, 257, 300)},
        "inclusion": [
            {"index": index, "size": size, "hashes": [one.hex() for one in tree.inclusion_proof(index, size)]}
            for index, size in [(0, 1), (0, 300), (77, 300), (255, 256), (256, 257), (299, 300), (5, 7)]
        ],
        "consistency": [
            {"old": old, "size": size, "hashes": [one.hex() for one in tree.consistency_proof(old, size)]}
            for old, size in [(0, 300), (1, 300), (200, 300), (256, 300), (6, 7), (300, 300)]
        ],
        "checkpoint": {
            "origin": ORIGIN,
            "size": SIZE,
            "root": checkpoint.root.hex(),
            "note": note,
            "cosigned": cosigned,
            "times": {witness.name: 1_795_222_800 + number for number, witness in enumerate(witnesses)},
        },
        "proof": {"index": 77, "entry": entry(77).hex(), "text": good_proof},
        "proof_with_extra": {
            "extra": b"\x00kaibiao".hex(),
            "text": tlog.write_proof(77, path, cosigned, b"\x00kaibiao"),
        },
        "request": {
            "old": 200,
            "proof": [one.hex() for one in consistency],
            "text": tlog.write_request(200, consistency, note),
        },
        "policy": {"text": policy, "quorum": 2, "witnesses": keys},
        "tiles": [str(tile) for tile in tiles_of(SIZE)],
        "tile_0_001_p_44": sha256(tlog.TilePath(level=0, index=1, width=44).hashes(tree)).hex(),
        "refused_notes": refused_notes(checkpoint, hall, cosigned),
        "refused_keys": [
            {"name": name, "vkey": vkey}
            for name, vkey in [
                ("another id", good_key.replace(key_id, "00000000")),
                ("upper case id", good_key.replace(key_id, key_id.upper())),
                ("a name with a space", good_key.replace("witness1", "witness 1")),
                ("no name", good_key[good_key.index("+") :]),
                ("a key of small order", _vkey("w", COSIGNATURE, b"\x01" + bytes(31))),
                ("31 bytes of key", _vkey("w", COSIGNATURE, bytes([7]) * 31)),
                ("an unknown kind", _vkey("w", 0xFA, hall.public.raw)),
            ]
        ],
        "refused_proofs": [
            {"name": name, "text": text}
            for name, text in [
                ("another version", good_proof.replace("@v1", "@v2", 1)),
                ("no index", good_proof.replace("index 77\n", "", 1)),
                ("an index with a leading zero", good_proof.replace("index 77", "index 077", 1)),
                ("no blank line", good_proof.replace("\n\n", "\n", 1)),
                ("a hash of 31 bytes", tlog.write_proof(77, [path[0][:31], *path[1:]], cosigned)),
                ("extra after the index", good_proof.replace("index 77\n", "index 77\nextra AAAA\n", 1)),
            ]
        ],
    }


def _vkey(name: str, kind: int, raw: bytes) -> str:
    material = bytes([kind]) + raw
    return f"{name}+{sha256(name.encode() + bytes([10]) + material)[:4].hex()}+{b64(material)}"
