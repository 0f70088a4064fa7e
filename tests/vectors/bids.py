"""Vectors of whole sealed bids, their slots and their releases."""

import subprocess
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from crypto import authority, digest, envelope, recipients, release, signing
from crypto.authority import Algorithm
from crypto.certificates import Credential, fingerprint
from crypto.encoding import b64u
from tests.support.bidders import Bidder, Sealed, a_bidder, the_authority

NONCE = bytes(range(32)).hex()


def pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


def key_pem(credential: Credential) -> str:
    return credential.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def credential_json(bidder: Bidder) -> dict[str, Any]:
    password = "测试 password"
    return {
        "bidder": bidder.id,
        "sign": {"certificate": pem(bidder.sign.certificate), "key": key_pem(bidder.sign)},
        "encrypt": {"certificate": pem(bidder.encrypt.certificate), "key": key_pem(bidder.encrypt)},
        "p12_password": password,
        "sign_p12": b64u(authority.to_pkcs12(bidder.sign, password, rounds=2048)),
        "encrypt_p12": b64u(authority.to_pkcs12(bidder.encrypt, password, rounds=2048)),
    }


def sealed_case(sealed: Sealed, seconds: Mapping[str, bytes] = MappingProxyType({})) -> Any:
    """Return a bid and everything inside; ``seconds`` are the tenderer's keys of its groups, where there are any."""
    checked = envelope.check_sealed(sealed.file)
    found = checked.container
    groups: dict[str, Any] = {}
    parts = {}
    for group in found.header.groups:
        secret = envelope.unlock(found, group.id, sealed.bidder.encrypt)
        second = seconds.get(group.id)
        opened = envelope.open_group(sealed.file, found, group.id, secret, second)
        use = opened.key._expand(secret, b"SBID1/use" + opened.key.context)
        use_t = opened.key._expand(second, b"SBID1/use" + opened.key.context) if second else b""
        groups[group.id] = {
            "K_b": secret.hex(),
            "ctx": opened.key.context.hex(),
            "kcb": opened.key.commitment.hex(),
            "u_b": use.hex(),
            "M": HKDF.extract(found.header.suite.hash(), opened.key.context, use + use_t).hex(),
            "names": dict(opened.names()),
        }
        if second and group.kct:
            groups[group.id] |= {"K_t": second.hex(), "kct": group.kct.hex(), "u_t": use_t.hex()}
        for part in found.header.parts_of(group.id):
            reader = opened.part(part.id)
            plain = reader.read(0, reader.plain_len)
            parts[part.id] = {
                "key": opened.part_key(part.id).hex(),
                "context": opened.key.part_context(part.id).hex(),
                "plain": plain.hex(),
                "plain_sha256": digest.sha256_hex(plain),
            }
    return {
        "file": b64u(sealed.data),
        "authority": pem(the_authority().certificate),
        "credentials": credential_json(sealed.bidder),
        "length": found.length,
        "total_len": found.total_len,
        "header_sha256": found.header_sha256,
        "declaration_sha256": found.declaration_sha256,
        "root": checked.root,
        "signer_sha256": fingerprint(checked.declaration.signer).hex(),
        "groups": groups,
        "parts": parts,
        "quote": dict(opened.quote()),
    }


def release_case(sealed: Sealed) -> Any:
    found = envelope.read_header(sealed.file)
    secret = envelope.unlock(found, "A", sealed.bidder.encrypt)
    key = release.new_session_key()
    make = partial(release.make_release, found, "A", secret, session_key=key.public_key(), signer=sealed.bidder.sign)
    info = release._info("S-1", "A", found.header_sha256, NONCE)
    other = a_bidder("另一家有限公司")
    right = make(session="S-1", nonce=NONCE)
    payload = signing.peek(right)[1]
    forged = partial(signing.sign, kind="release", signer=sealed.bidder.sign)
    strange = Suite(KEM.P256, KDF.HKDF_SHA256, AEAD.AES_256_GCM).encrypt(bytes(32), key.public_key(), info)
    refused = {
        "another session": (make(session="S-2", nonce=NONCE), "wrong_session"),
        "an old challenge": (make(session="S-1", nonce="00" * 32), "stale_nonce"),
        "another bidder's signature": (signing.sign(payload, "release", other.sign), "wrong_signer"),
        "another group": (forged({**payload, "group": "B"}), "wrong_bid"),
        "another header": (forged({**payload, "header_sha256": "00" * 32}), "wrong_bid"),
        "another stated commitment": (forged({**payload, "kcb": "00" * 32}), "commitment_mismatch"),
        "another key under the right commitment": (forged({**payload, "hpke": b64u(strange)}), "commitment_mismatch"),
        "HPKE made for another context": (
            forged({**payload, "hpke": signing.peek(make(session="S-2", nonce=NONCE))[1]["hpke"]}),
            "not_decryptable",
        ),
        "a member too many": (forged({**payload, "x": 1}), "malformed_release"),
        "HPKE cut short": (forged({**payload, "hpke": payload["hpke"][:-2]}), "malformed_release"),
        "another kind": (signing.sign(payload, "login", sealed.bidder.sign), "malformed_release"),
        "a changed signature": (
            right[:-8] + ("AAAAAAAA" if right[-8:] != "AAAAAAAA" else "BBBBBBBA"),
            "bad_signature",
        ),
    }
    return {
        "bid": "sealed-ec",
        "session": "S-1",
        "group": "A",
        "nonce": NONCE,
        "header_sha256": found.header_sha256,
        "session_public": release.session_public(key.public_key()),
        "session_private": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        "info": info.hex(),
        "token": right,
        "K_b": secret.hex(),
        "refused": [{"name": name, "token": token, "code": code} for name, (token, code) in refused.items()],
    }


def slot_cases() -> Any:
    secret = bytes(range(32))
    holders, cases, refused = {}, [], []
    options = {
        Algorithm.RSA3072: "-keyopt rsa_padding_mode:oaep -keyopt rsa_oaep_md:sha256 -keyopt rsa_mgf1_md:sha256",
        Algorithm.P256: "-keyopt ecdh_kdf_md:sha256",
    }
    for algorithm, keyopt in options.items():
        credential = a_bidder(algorithm=algorithm).encrypt
        slots = {f"ours, {algorithm}": recipients.wrap(credential.certificate, secret)}
        for by in ("", "-keyid"):
            slots[f"openssl, {algorithm} {by}".strip()] = openssl_slot(credential, secret, f"{keyopt} {by}")
        holders[algorithm] = {"key": key_pem(credential), "certificate": pem(credential.certificate)}
        cases += [
            {"name": name, "slot": b64u(slot), "holder": algorithm, "content": secret.hex()}
            for name, slot in slots.items()
        ]
        good = slots[f"ours, {algorithm}"]
        bad = {
            "last byte changed": (good[:-1] + bytes([good[-1] ^ 1]), "slot_not_openable"),
            "cut short": (good[:-1], "malformed_slot"),
            "a byte follows": (good + b"\0", "malformed_slot"),
            "31 bytes of content": (recipients.wrap(credential.certificate, secret[:31]), "malformed_slot"),
            "another content type": (
                good.replace(bytes.fromhex("0b2a864886f70d0109100117"), b"\x0b*\x86H\x86\xf7\r\x01\t\x10\x01\x04"),
                "malformed_slot",
            ),
            "addressed to somebody else": (
                recipients.wrap(a_bidder("另一家有限公司", algorithm).encrypt.certificate, secret),
                "wrong_recipient",
            ),
        }
        if algorithm is Algorithm.RSA3072:
            bad["PKCS#1 v1.5"] = (openssl_slot(credential, secret, ""), "malformed_slot")
            bad["OAEP with SHA-1"] = (
                openssl_slot(credential, secret, "-keyopt rsa_padding_mode:oaep"),
                "malformed_slot",
            )
        else:
            bad["SHA-1 key derivation"] = (openssl_slot(credential, secret, ""), "malformed_slot")
        refused += [
            {"name": f"{name}, {algorithm}", "slot": b64u(slot), "holder": algorithm, "code": code}
            for name, (slot, code) in bad.items()
        ]
    return {"holders": holders, "opened": cases, "refused": refused}


def openssl_slot(credential: Credential, secret: bytes, options: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "cert.pem").write_text(pem(credential.certificate))
        command = f"openssl cms -encrypt -binary -aes-256-gcm -outform DER -recip cert.pem {options}"
        return subprocess.run(command.split(), cwd=folder, input=secret, capture_output=True, check=True).stdout
