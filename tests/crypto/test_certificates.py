"""Which certificates may sign and encrypt, and which are trusted at a moment: each failure has its own code."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat
from cryptography.hazmat.primitives.serialization import NoEncryption as Clear
from cryptography.x509.oid import NameOID

from crypto import authority, der, paths
from crypto.authority import Algorithm
from crypto.certificates import (
    Credential,
    Usage,
    bidder_id,
    bidder_name,
    check_leaf,
    check_pair,
    load_credential,
    parse_certificate,
)
from crypto.errors import CertificateRefused
from crypto.paths import Trust
from tests.support.bidders import AFTER, BEGIN, DURING, a_bidder, the_authority

TRUST = Trust(anchors=(the_authority().certificate,))
SIGNING = {"digital_signature": True, "content_commitment": True}


def refusal(check: Any, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(CertificateRefused) as refused:
        check(*args, **kwargs)
    return refused.value.code


def a_certificate(
    key: Any = None,
    *,
    issuer: authority.Authority | None = None,
    usage: dict[str, bool] | None = None,
    ca: bool = False,
    subject: x509.Name | None = None,
    begin: datetime = BEGIN,
    algorithm: Any = None,
    extra: tuple[tuple[x509.ExtensionType, bool], ...] = (),
) -> x509.Certificate:
    """A certificate that the demo authority would not issue."""
    issuer = issuer or the_authority()
    key = key or ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject or a_bidder().sign.certificate.subject)
        .issuer_name(issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=365))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if usage is not None:
        builder = builder.add_extension(authority.key_usage(**usage), critical=True)
    for extension, critical in extra:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(issuer.key, algorithm or hashes.SHA256())


@pytest.mark.parametrize("algorithm", Algorithm)
def test_a_pair_of_the_authority_is_trusted(algorithm: Algorithm) -> None:
    bidder = a_bidder(algorithm=algorithm)
    check_pair(bidder.sign.certificate, bidder.encrypt.certificate)
    chain = paths.validate(bidder.sign.certificate, usage=Usage.SIGN, trust=TRUST, at=DURING)
    assert chain == (bidder.sign.certificate, the_authority().certificate)
    paths.validate(bidder.encrypt.certificate, usage=Usage.ENCRYPT, trust=TRUST, at=DURING)


@pytest.mark.parametrize(
    ("moment", "code"),
    [
        (BEGIN - timedelta(seconds=1), "not_yet_valid"),
        (BEGIN, None),
        (BEGIN + timedelta(days=365), None),
        (BEGIN + timedelta(days=365, seconds=1), "expired"),
        (AFTER, "expired"),
    ],
)
def test_a_certificate_counts_within_its_dates_to_the_second(moment: datetime, code: str | None) -> None:
    certificate = a_bidder().sign.certificate
    if code is None:
        paths.validate(certificate, usage=Usage.SIGN, trust=TRUST, at=moment)
    else:
        assert refusal(paths.validate, certificate, usage=Usage.SIGN, trust=TRUST, at=moment) == code


def test_an_unknown_authority_is_refused() -> None:
    certificate = a_bidder().sign.certificate
    stranger = Trust(anchors=(the_authority("Another Root").certificate,))
    assert refusal(paths.validate, certificate, usage=Usage.SIGN, trust=stranger, at=DURING) == "unknown_issuer"
    assert (
        refusal(paths.validate, certificate, usage=Usage.SIGN, trust=Trust(anchors=()), at=DURING) == "unknown_issuer"
    )


def test_a_namesake_of_the_authority_is_refused() -> None:
    namesake = authority.create("Test Root", at=BEGIN)
    certificate = a_certificate(issuer=namesake, usage=SIGNING)
    assert refusal(paths.validate, certificate, usage=Usage.SIGN, trust=TRUST, at=DURING) == "unknown_issuer"


def test_a_bidder_cannot_issue_certificates() -> None:
    """A leaf acting as an authority: the chain ends at the anchor, but through somebody who may not sign."""
    bidder = a_bidder().sign
    assert isinstance(bidder.key, ec.EllipticCurvePrivateKey)
    impostor = authority.Authority(key=bidder.key, certificate=bidder.certificate)
    certificate = a_certificate(issuer=impostor, usage=SIGNING)
    code = refusal(
        paths.validate, certificate, usage=Usage.SIGN, trust=TRUST, at=DURING, offered=[bidder.certificate]
    )
    assert code == "unknown_issuer"


def an_intermediate() -> authority.Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = a_certificate(
        key,
        ca=True,
        usage={"key_cert_sign": True, "crl_sign": True},
        subject=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Intermediate")]),
    )
    return authority.Authority(key=key, certificate=certificate)


def test_an_intermediate_is_found_where_the_hall_or_the_bidder_has_it() -> None:
    between = an_intermediate()
    certificate = a_certificate(issuer=between, usage=SIGNING)
    assert refusal(paths.validate, certificate, usage=Usage.SIGN, trust=TRUST, at=DURING) == "unknown_issuer"
    chain = paths.validate(certificate, usage=Usage.SIGN, trust=TRUST, at=DURING, offered=[between.certificate])
    assert len(chain) == 3
    known = Trust(anchors=TRUST.anchors, intermediates=(between.certificate,))
    paths.validate(certificate, usage=Usage.SIGN, trust=known, at=DURING)


def test_a_long_chain_is_refused() -> None:
    above, offered = the_authority(), []
    for number in range(20):
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Intermediate {number}")])
        usage = {"key_cert_sign": True}
        above = authority.Authority(
            key=key, certificate=a_certificate(key, issuer=above, ca=True, usage=usage, subject=name)
        )
        offered.append(above.certificate)
    leaf = a_certificate(issuer=above, usage=SIGNING)
    for chain in (offered, offered * 10):
        code = refusal(paths.validate, leaf, usage=Usage.SIGN, trust=TRUST, at=DURING, offered=chain)
        assert code == "unknown_issuer"


def test_authorities_that_vouch_for_each_other_cost_no_search() -> None:
    """Strangers, each certified by every other: paths without end, and not one leads to an anchor."""
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(4)]
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Stranger {number}")]) for number in range(4)]
    usage = {"key_cert_sign": True}

    def crossed(subject: int, issuer: int) -> x509.Certificate:
        above = authority.create("x", at=BEGIN)
        named = a_certificate(keys[issuer], ca=True, usage=usage, subject=names[issuer], issuer=above)
        signer = authority.Authority(key=keys[issuer], certificate=named)
        return a_certificate(keys[subject], ca=True, usage=usage, subject=names[subject], issuer=signer)

    offered = [crossed(subject, issuer) for subject in range(4) for issuer in range(4) if subject != issuer]
    leaf = a_certificate(issuer=authority.Authority(key=keys[0], certificate=offered[0]), usage=SIGNING)
    paths._signed.cache_clear()
    assert (
        refusal(paths.validate, leaf, usage=Usage.SIGN, trust=TRUST, at=DURING, offered=offered) == "unknown_issuer"
    )
    assert paths._signed.cache_info().misses == 0  # nobody of them was even compared with an anchor's key


def test_a_list_for_several_authorities_says_nothing_of_an_entry_that_is_anothers() -> None:
    certificate = a_bidder().sign.certificate
    entry = x509.RevokedCertificateBuilder().serial_number(certificate.serial_number).revocation_date(BEGIN)
    other = x509.CertificateIssuer([x509.DirectoryName(authority.create("Other", at=BEGIN).certificate.subject)])
    point = x509.IssuingDistributionPoint(None, None, False, False, None, True, False)
    crl = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(the_authority().certificate.subject)
        .last_update(DURING)
        .next_update(DURING + timedelta(days=7))
        .add_extension(point, critical=True)
        .add_revoked_certificate(entry.add_extension(other, critical=True).build())
        .sign(the_authority().key, hashes.SHA256())
    )
    trust = Trust(anchors=TRUST.anchors, crls=(crl,))
    paths.validate(certificate, usage=Usage.SIGN, trust=trust, at=DURING)


@pytest.mark.parametrize("critical", [True, False])
def test_a_list_with_a_critical_extension_nobody_knows_does_not_clear_a_certificate(*, critical: bool) -> None:
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    crl = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(the_authority().certificate.subject)
        .last_update(DURING)
        .next_update(DURING + timedelta(days=7))
        .add_extension(unknown, critical=critical)
        .sign(the_authority().key, hashes.SHA256())
    )
    trust = Trust(anchors=TRUST.anchors, crls=(crl,))
    found = paths.standing(a_bidder().sign.certificate, usage=Usage.SIGN, trust=trust, at=DURING)
    assert found.known is not critical


def test_a_name_constraint_is_kept() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    elsewhere = x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "DE")])
    constraint = x509.NameConstraints(permitted_subtrees=[x509.DirectoryName(elsewhere)], excluded_subtrees=None)
    certificate = a_certificate(
        key,
        ca=True,
        usage={"key_cert_sign": True},
        subject=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Constrained")]),
        extra=((constraint, True),),
    )
    leaf = a_certificate(issuer=authority.Authority(key=key, certificate=certificate), usage=SIGNING)
    code = refusal(paths.validate, leaf, usage=Usage.SIGN, trust=TRUST, at=DURING, offered=[certificate])
    assert code == "unknown_issuer"


def test_signing_and_encryption_certificates_are_not_exchangeable() -> None:
    bidder = a_bidder()
    assert refusal(check_leaf, bidder.sign.certificate, Usage.ENCRYPT) == "wrong_key_usage"
    assert refusal(check_leaf, bidder.encrypt.certificate, Usage.SIGN) == "wrong_key_usage"
    assert refusal(check_pair, bidder.encrypt.certificate, bidder.sign.certificate) == "wrong_key_usage"


@pytest.mark.parametrize(
    "usage",
    [None, {"digital_signature": True, "key_agreement": True}, {"data_encipherment": True}, {"key_cert_sign": True}],
)
def test_a_certificate_for_both_or_neither_is_refused(usage: dict[str, bool] | None) -> None:
    assert refusal(check_leaf, a_certificate(usage=usage), Usage.SIGN) == "wrong_key_usage"
    assert refusal(check_leaf, a_certificate(usage=usage), Usage.ENCRYPT) == "wrong_key_usage"


def test_certificates_of_two_organisations_are_no_pair() -> None:
    assert (
        refusal(check_pair, a_bidder().sign.certificate, a_bidder("另一家有限公司").encrypt.certificate)
        == "pair_mismatch"
    )


def test_certificates_of_two_authorities_are_no_pair() -> None:
    alien = a_certificate(issuer=the_authority("Another Root"), usage={"key_agreement": True})
    assert refusal(check_pair, a_bidder().sign.certificate, alien) == "pair_mismatch"


def test_an_authoritys_certificate_is_no_bidders() -> None:
    assert refusal(check_leaf, the_authority().certificate, Usage.SIGN) == "not_a_leaf"
    assert refusal(check_leaf, a_certificate(ca=True, usage=SIGNING), Usage.SIGN) == "not_a_leaf"


@pytest.mark.parametrize(
    "key",
    [
        rsa.generate_private_key(public_exponent=65_537, key_size=1024),
        rsa.generate_private_key(public_exponent=3, key_size=2048),
        ec.generate_private_key(ec.SECP521R1()),
        ec.generate_private_key(ec.SECP256K1()),
        ed25519.Ed25519PrivateKey.generate(),
    ],
    ids=["rsa1024", "exponent 3", "p521", "secp256k1", "ed25519"],
)
def test_weak_and_unknown_keys_are_refused(key: Any) -> None:
    assert refusal(check_leaf, a_certificate(key, usage=SIGNING), Usage.SIGN) == "weak_key"


def test_p384_signs_but_does_not_encrypt() -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    check_leaf(a_certificate(key, usage=SIGNING), Usage.SIGN)
    assert refusal(check_leaf, a_certificate(key, usage={"key_agreement": True}), Usage.ENCRYPT) == "weak_key"


def test_a_sha1_signature_is_refused() -> None:
    assert refusal(check_leaf, a_sha1_certificate(), Usage.SIGN) == "weak_key"


def a_sha1_certificate() -> x509.Certificate:
    """The same certificate with ecdsa-with-SHA1 (1.2.840.10045.4.1) named in both places."""
    data = a_certificate(usage=SIGNING).public_bytes(Encoding.DER)
    outer = der.one(data, der.SEQUENCE)
    tbs, _, signature = outer.take(der.SEQUENCE), outer.take(der.SEQUENCE), outer.take(der.BITS)
    sha1 = der.sequence(der.oid("1.2.840.10045.4.1"))
    fields, rebuilt = der.Fields(tbs.body), []
    while fields:
        rebuilt.append(fields.any().whole)
    rebuilt[2] = sha1
    return parse_certificate(der.sequence(der.sequence(*rebuilt), sha1, signature.whole))


def test_a_revoked_certificate_is_refused_from_its_moment_on() -> None:
    certificate = a_bidder().sign.certificate
    crl = authority.revocation_list(the_authority(), {certificate.serial_number: DURING}, at=DURING)
    trust = Trust(anchors=TRUST.anchors, crls=(crl,))
    second = timedelta(seconds=1)
    paths.validate(certificate, usage=Usage.SIGN, trust=trust, at=DURING - second)
    assert refusal(paths.validate, certificate, usage=Usage.SIGN, trust=trust, at=DURING) == "revoked"
    assert refusal(paths.validate, certificate, usage=Usage.SIGN, trust=trust, at=DURING + 30 * second) == "revoked"


def test_a_revocation_counts_even_in_a_list_out_of_date() -> None:
    certificate = a_bidder().sign.certificate
    crl = authority.revocation_list(the_authority(), {certificate.serial_number: BEGIN}, at=BEGIN, days=1)
    trust = Trust(anchors=TRUST.anchors, crls=(crl,))
    assert refusal(paths.validate, certificate, usage=Usage.SIGN, trust=trust, at=DURING) == "revoked"


@pytest.mark.parametrize("days", [None, 1])
def test_where_a_list_is_a_must_a_missing_or_old_one_is_refused(days: int | None) -> None:
    crls = () if days is None else (authority.revocation_list(the_authority(), {}, at=BEGIN, days=days),)
    trust = Trust(anchors=TRUST.anchors, crls=crls, required=True)
    certificate = a_bidder().sign.certificate
    assert refusal(paths.validate, certificate, usage=Usage.SIGN, trust=trust, at=DURING) == "revocation_unknown"
    fresh = Trust(
        anchors=TRUST.anchors, crls=(authority.revocation_list(the_authority(), {}, at=DURING),), required=True
    )
    paths.validate(certificate, usage=Usage.SIGN, trust=fresh, at=DURING)


def test_a_list_signed_by_somebody_else_says_nothing() -> None:
    certificate = a_bidder().sign.certificate
    namesake = authority.create("Test Root", at=BEGIN)
    crl = authority.revocation_list(namesake, {certificate.serial_number: BEGIN}, at=DURING)
    paths.validate(certificate, usage=Usage.SIGN, trust=Trust(anchors=TRUST.anchors, crls=(crl,)), at=DURING)


@pytest.mark.parametrize(
    "data", [b"", b"\x30\x00", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_rubbish_is_no_certificate(data: bytes) -> None:
    assert refusal(parse_certificate, data) == "malformed_certificate"


def test_a_certificate_of_a_megabyte_is_refused_before_parsing() -> None:
    assert refusal(parse_certificate, b"\x30" + bytes(1_000_000)) == "malformed_certificate"
    padded = a_certificate(usage=SIGNING, extra=((x509.UnrecognizedExtension(NameOID.TITLE, bytes(17_000)), False),))
    assert refusal(parse_certificate, padded.public_bytes(Encoding.DER)) == "malformed_certificate"


def test_every_flipped_byte_of_a_certificate_is_refused_or_is_another_certificate() -> None:
    data = a_bidder().sign.certificate.public_bytes(Encoding.DER)
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 0x10
        try:
            certificate = parse_certificate(bytes(changed))
            check_leaf(certificate, Usage.SIGN)
            paths.validate(certificate, usage=Usage.SIGN, trust=TRUST, at=DURING)
        except CertificateRefused:
            continue
        pytest.fail(f"byte {place} makes no difference")


def test_an_issuers_serial_number_that_is_not_positive_is_refused() -> None:
    data = a_bidder().sign.certificate.public_bytes(Encoding.DER)
    at = data.index(der.oid("2.5.29.35")) + 9
    assert data[at] == 0x80  # the key identifier of AuthorityKeyIdentifier; 0x82 would be the issuer's serial number
    negative = data[:at] + bytes((0x82, data[at + 1], 0xFF)) + data[at + 3 :]
    assert refusal(parse_certificate, negative) == "malformed_certificate"


ECDSA = der.oid("1.2.840.10045.4.3.2")


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.replace(b"\x0c\x12", b"\x04\x12"),
        lambda data: data.replace(b"\x03\x42\x00\x04", b"\x03\x42\x01\x04"),
        lambda data: data.replace(ECDSA, der.oid("1.2.840.10045.4.3.3"), 1),
        lambda data: data[: (at := data.rindex(ECDSA) + 12)] + b"\x01" + data[at + 1 :],
    ],
    ids=["a name of bytes", "a key of broken bytes", "two signature algorithms", "a signature of broken bytes"],
)
def test_a_certificate_is_read_strictly_where_the_library_is_not(change: Callable[[bytes], bytes]) -> None:
    data = a_bidder().sign.certificate.public_bytes(Encoding.DER)
    assert change(data) != data
    assert refusal(parse_certificate, change(data)) == "malformed_certificate"


def test_the_bidder_is_named_by_its_number() -> None:
    def named(*attributes: tuple[x509.ObjectIdentifier, str]) -> x509.Certificate:
        return a_certificate(subject=x509.Name([x509.NameAttribute(*each) for each in attributes]))

    number, serial, name = NameOID.ORGANIZATION_IDENTIFIER, NameOID.SERIAL_NUMBER, NameOID.COMMON_NAME
    assert bidder_id(named((number, "N1"), (serial, "S1"))) == "N1"
    assert bidder_id(named((serial, "S1"), (name, "某公司"))) == "S1"
    assert bidder_name(named((serial, "S1"), (name, "某公司"))) == "某公司"
    assert bidder_name(named((serial, "S1"))) == "S1"
    assert refusal(bidder_id, named((name, "某公司"))) == "no_identity"


@pytest.mark.parametrize("algorithm", Algorithm)
def test_a_pkcs12_file_opens_with_its_password_only(algorithm: Algorithm) -> None:
    credential = a_bidder(algorithm=algorithm).sign
    data = authority.to_pkcs12(credential, "密码 pass", rounds=1000)
    loaded = load_credential(data, "密码 pass".encode())
    assert (loaded.certificate, loaded.chain) == (credential.certificate, credential.chain)
    for wrong in (None, b"", b"pass"):
        assert refusal(load_credential, data, wrong) == "wrong_password"


def test_a_pem_file_opens_with_its_password_only() -> None:
    credential = a_bidder().sign
    assert load_credential(authority.to_pem(credential)).certificate == credential.certificate
    locked = authority.to_pem(credential, "geheim")
    assert load_credential(locked, b"geheim").certificate == credential.certificate
    assert refusal(load_credential, locked) == "wrong_password"
    assert refusal(load_credential, locked, b"wrong") == "wrong_password"


def test_a_key_file_without_its_certificate_is_refused() -> None:
    one, other = a_bidder().sign, a_bidder("另一家有限公司").sign
    stranger = Credential(key=one.key, certificate=other.certificate)
    assert refusal(load_credential, authority.to_pem(stranger)) == "malformed_credential"
    key_only = one.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, Clear())
    assert refusal(load_credential, key_only) == "malformed_credential"
    assert refusal(load_credential, one.certificate.public_bytes(Encoding.PEM)) == "malformed_credential"
    assert refusal(load_credential, b"hello") == "malformed_credential"
    assert refusal(load_credential, b"\x30" + bytes(300_000)) == "malformed_credential"


def test_a_made_up_number_has_a_right_check_character() -> None:
    """GB 32100-2015: the weighted sum of all 18 characters is divisible by 31, weights 3^i mod 31 and 1."""
    alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    code = authority.demo_identifier("某某公司")
    weights = [pow(3, place, 31) for place in range(17)] + [1]
    total = sum(alphabet.index(symbol) * weight for symbol, weight in zip(code, weights, strict=True))
    assert (len(code), total % 31) == (18, 0)
