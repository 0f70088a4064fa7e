"""The golden vectors, run by Python; the page's TypeScript runs the same files."""

from io import BytesIO
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from crypto import chain, digest, draw, envelope, held, locks, receipt, recipients, release, signing
from crypto.certificates import Credential, load_credential
from crypto.chunked import COBBLESTONE_256, check_head, derive, open_stream
from crypto.encoding import canonical, parse_canonical, parse_strict, unb64u
from crypto.errors import CryptoRefused
from crypto.header import SlotRole
from crypto.keys import GroupKey
from tests.support.vectors import malformed_file, vector
from tests.vectors.primitives import pattern, seal_chunks

SEALED = ("sealed-ec", "sealed-rsa", "sealed-two", "sealed-layers")


def certificate(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem.encode())


def credential(held: dict[str, str]) -> Credential:
    return load_credential((held["key"] + held["certificate"]).encode())


def named(cases: list[dict[str, Any]]) -> Any:
    return pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in cases])


@pytest.mark.parametrize("case", vector("canonical")["accepted"])
def test_accepted_json_has_one_canonical_form(case: dict[str, str]) -> None:
    assert canonical(parse_strict(case["json"].encode())).hex() == case["canonical"]
    assert canonical(parse_canonical(bytes.fromhex(case["canonical"]))).hex() == case["canonical"]


@named(vector("canonical")["refused"])
def test_loose_json_is_refused(case: dict[str, str]) -> None:
    with pytest.raises(CryptoRefused) as refused:
        parse_strict(bytes.fromhex(case["hex"]))
    assert refused.value.code == case["code"]


@pytest.mark.parametrize("data", vector("canonical")["not_canonical"])
def test_json_in_another_form_is_not_canonical(data: str) -> None:
    parse_strict(bytes.fromhex(data))
    with pytest.raises(CryptoRefused) as refused:
        parse_canonical(bytes.fromhex(data))
    assert refused.value.code == "not_canonical"


@pytest.mark.parametrize("case", vector("chunked")["cases"], ids=lambda case: str(case["plain_len"]))
def test_a_stream_opens_and_is_the_one_recorded(case: dict[str, Any]) -> None:
    key, salt, context = (bytes.fromhex(case[name]) for name in ("input_key", "salt", "context"))
    keys = derive(COBBLESTONE_256, key, salt, context)
    assert (keys.key.hex(), keys.base_nonce.hex(), keys.commitment.hex()) == (
        case["key"],
        case["base_nonce"],
        case["commitment"],
    )
    stream = unb64u(case["stream"]) if case["stream"] else seal_chunks(key, salt, context, pattern(case["plain_len"]))
    assert (len(stream), digest.sha256_hex(stream)) == (case["stream_len"], case["stream_sha256"])
    pieces: list[bytes] = []
    open_stream(
        COBBLESTONE_256, BytesIO(stream), len(stream), key, context, write=lambda piece: pieces.append(bytes(piece))
    )
    assert digest.sha256_hex(b"".join(pieces)) == case["plain_sha256"]
    check_head(COBBLESTONE_256, key, context, stream[:56])


@pytest.mark.parametrize("name", SEALED)
def test_a_sealed_bid_opens_to_what_was_recorded(name: str) -> None:
    case = vector(name)
    file = BytesIO(unb64u(case["file"]))
    checked = envelope.check_sealed(file)
    found = checked.container
    assert found.header_sha256 == case["header_sha256"]
    assert found.declaration_sha256 == case["declaration_sha256"]
    assert (found.length, found.total_len, checked.root) == (case["length"], case["total_len"], case["root"])
    holder = credential(case["credentials"]["encrypt"])
    for group, expected in case["groups"].items():
        secret = envelope.unlock(found, group, holder)
        assert secret.hex() == expected["K_b"]
        second = bytes.fromhex(expected["K_t"]) if "K_t" in expected else None
        opened = envelope.open_group(file, found, group, secret, second)
        assert (opened.key.context.hex(), opened.key.commitment.hex()) == (expected["ctx"], expected["kcb"])
        assert opened.names() == expected["names"]
        for part in found.header.parts_of(group):
            stated = case["parts"][part.id]
            assert opened.part_key(part.id).hex() == stated["key"]
            reader = opened.part(part.id)
            assert reader.read(0, reader.plain_len).hex() == stated["plain"]
    assert opened.quote() == case["quote"]


@pytest.mark.parametrize("name", SEALED)
def test_recorded_key_files_open_with_their_password(name: str) -> None:
    held = vector(name)["credentials"]
    for usage in ("sign", "encrypt"):
        loaded = load_credential(unb64u(held[f"{usage}_p12"]), held["p12_password"].encode())
        assert loaded.certificate == certificate(held[usage]["certificate"])


def take_in_and_read_out(case: dict[str, Any]) -> None:
    file = BytesIO(malformed_file(case))
    checked = envelope.check_sealed(file)
    assert "opens_with" in case, "the check without keys should have refused this"
    envelope.open_group(file, checked.container, "A", bytes.fromhex(case["K_b"])).quote()


@named(vector("malformed")["cases"])
def test_a_malformed_bid_is_refused_with_its_code(case: dict[str, Any]) -> None:
    with pytest.raises(CryptoRefused) as refused:
        take_in_and_read_out(case)
    assert refused.value.code == case.get("code", case.get("opens_with"))


@named(vector("slots")["opened"])
def test_a_recorded_slot_opens(case: dict[str, str]) -> None:
    holder = credential(vector("slots")["holders"][case["holder"]])
    assert recipients.unwrap(unb64u(case["slot"]), holder.key, holder.certificate).hex() == case["content"]


@named(vector("slots")["refused"])
def test_a_wrong_slot_is_refused_with_its_code(case: dict[str, str]) -> None:
    holder = credential(vector("slots")["holders"][case["holder"]])
    with pytest.raises(CryptoRefused) as refused:
        recipients.unwrap(unb64u(case["slot"]), holder.key, holder.certificate)
    assert refused.value.code == case["code"]


def open_recorded_release(token: str) -> bytes:
    case = vector("release")
    bid = vector(case["bid"])
    found = envelope.read_header(BytesIO(unb64u(bid["file"])))
    key = load_pem_private_key(case["session_private"].encode(), None)
    return release.open_release(
        token,
        header=found.header,
        header_sha256=found.header_sha256,
        group=case["group"],
        session=case["session"],
        session_key=key,  # type: ignore[arg-type]
        nonce=case["nonce"],
        certificate=certificate(bid["credentials"]["sign"]["certificate"]),
    )


def test_a_recorded_release_gives_the_group_key() -> None:
    assert open_recorded_release(vector("release")["token"]).hex() == vector("release")["K_b"]


@named(vector("release")["refused"])
def test_a_wrong_release_is_refused_with_its_code(case: dict[str, str]) -> None:
    with pytest.raises(CryptoRefused) as refused:
        open_recorded_release(case["token"])
    assert refused.value.code == case["code"]


def test_recorded_statements_verify() -> None:
    case = vector("statements")
    hall = signing.HallPublicKey.from_document(case["hall"])
    assert signing.verify(case["by_hall"], case["kind"], hall) == case["payload"]
    for signed in case["by_certificate"]:
        payload = signing.verify(signed["token"], case["kind"], certificate(signed["certificate"]))
        assert payload == case["payload"]


@named(vector("statements")["refused"])
def test_a_wrong_statement_is_refused_with_its_code(case: dict[str, str]) -> None:
    hall = signing.HallPublicKey.from_document(vector("statements")["hall"])
    with pytest.raises(CryptoRefused) as refused:
        signing.verify(case["token"], vector("statements")["kind"], hall)
    assert refused.value.code == case["code"]


def test_recorded_receipt_and_slip_verify_and_have_their_tracker() -> None:
    case = vector("statements")
    hall = signing.HallPublicKey.from_document(case["hall"])
    given = receipt.verify_receipt(case["receipt"]["token"], hall)
    assert given.payload() == case["receipt"]["payload"]
    assert receipt.tracker(given.payload()) == case["receipt"]["tracker"]
    assert receipt.log_leaf(given).hex() == case["receipt"]["log_leaf"]
    slip = receipt.verify_slip(case["slip"]["token"], hall)
    assert receipt.tracker(slip.payload()) == case["slip"]["tracker"]


def test_the_recorded_draw_is_drawn_again() -> None:
    case = vector("draw")
    shares = [draw.Share(role=p["role"], party=p["party"], seed=bytes.fromhex(p["seed"])) for p in case["parties"]]
    for share, party in zip(shares, case["parties"], strict=True):
        draw.check_seed(case["session"], case["round"], share, bytes.fromhex(party["commitment"]))
    randomness = draw.mix(case["session"], case["round"], reversed(shares))
    assert randomness.hex() == case["randomness"]
    for urn in case["urns"]:
        assert list(draw.pick(randomness, urn["id"], urn["values"], len(urn["values"]))) == urn["drawn"]


def test_the_recorded_chain_holds() -> None:
    case = vector("chain")
    assert [chain.event_digest(core) for core in case["cores"]] == case["digests"]
    assert chain.verify_chain(case["cores"]) == case["digests"][-1]
    private = case["private"]
    assert chain.commit_private(private["salt"], private["value"]) == private["commitment"]


def test_recorded_tree_roots_and_proofs_hold() -> None:
    tree = vector("chain")["tree"]
    leaves = [digest.leaf_hash(bytes([number])) for number in range(11)]
    roots = [bytes.fromhex(root) for root in tree["roots"]]
    assert [digest.root(leaves[:size]) for size in range(12)] == roots
    for case in tree["inclusion"]:
        proof = [bytes.fromhex(step) for step in case["proof"]]
        digest.verify_inclusion(leaves[case["index"]], case["index"], 11, proof, roots[11])
    for case in tree["consistency"]:
        proof = [bytes.fromhex(step) for step in case["proof"]]
        digest.verify_consistency(case["old"], roots[case["old"]], 11, roots[11], proof)


def test_plain_gcm_takes_both_keys_of_the_recorded_attack() -> None:
    case = vector("two-prices")
    for key, text in zip(case["keys"], case["contains"], strict=True):
        plain = AESGCM(bytes.fromhex(key)).decrypt(
            bytes.fromhex(case["nonce"]), bytes.fromhex(case["ciphertext"]), None
        )
        assert text.encode() in plain


def test_commitments_of_two_keys_differ() -> None:
    case = vector("sealed-ec")
    found = envelope.read_header(BytesIO(unb64u(case["file"])))
    context = found.header.context("A")
    one, other = (GroupKey(suite=found.header.suite, context=context, secret=bytes([n]) * 32) for n in (1, 2))
    assert one.commitment != other.commitment


HELD = [(group, role) for group in ("A", "B") for role in (SlotRole.TENDERER, SlotRole.ESCROW)]


@pytest.mark.parametrize(("group", "role"), HELD)
def test_recorded_holders_open_their_shares_to_the_recorded_key(group: str, role: SlotRole) -> None:
    case = vector("sealed-layers")
    header = envelope.read_header(BytesIO(unb64u(case["file"]))).header
    shares = [held.open_held(header, group, role, credential(each)) for each in case[role]]
    assert [share.value.hex() for share in shares] == case["shares"][group][role]
    key = held.assemble_held(header, group, role, shares[-2:])
    assert key.hex() == case["groups"][group]["K_t" if role is SlotRole.TENDERER else "K_b"]


@named(vector("sealed-layers")["refused"])
def test_a_malformed_layer_is_refused_with_its_code(case: dict[str, Any]) -> None:
    with pytest.raises(CryptoRefused) as refused:
        envelope.check_sealed(BytesIO(malformed_file(case)))
    assert refused.value.code == case["code"]


def open_recorded_split_release(token: str) -> tuple[list[str], bytes]:
    case = vector("split-release")
    bid = vector(case["bid"])
    found = envelope.read_header(BytesIO(unb64u(bid["file"])))
    officers = [[credential(each) for each in lock["officers"]] for lock in case["locks"]]
    recorded = [
        locks.Lock(id=lock["id"], threshold=lock["threshold"], certificates=tuple(each.certificate for each in own))
        for lock, own in zip(case["locks"], officers, strict=True)
    ]
    shares = locks.check_split_release(
        token,
        header=found.header,
        header_sha256=found.header_sha256,
        group=case["group"],
        session=case["session"],
        nonce=case["nonce"],
        certificate=certificate(bid["credentials"]["sign"]["certificate"]),
        locks=recorded,
    )
    assert [share.info.hex() for share in shares] == case["infos"]
    everyone = [officer for own in officers for officer in own]
    opened = [locks.open_share(share, officer) for share, officer in zip(shares, everyone, strict=True)]
    return [share.value.hex() for share in opened], locks.assemble(found.header, case["group"], shares, opened)


def test_a_recorded_split_release_gives_the_group_key() -> None:
    case = vector("split-release")
    assert open_recorded_split_release(case["token"]) == (case["shares"], bytes.fromhex(case["K_b"]))


@named([*vector("split-release")["refused"], *vector("split-release")["refused_late"]])
def test_a_wrong_split_release_is_refused_with_its_code(case: dict[str, str]) -> None:
    with pytest.raises(CryptoRefused) as refused:
        open_recorded_split_release(case["token"])
    assert refused.value.code == case["code"]
