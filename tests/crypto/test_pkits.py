"""Certificate paths against the suite of NIST: no invalid one passes, and every valid one but those listed does."""

import json
from collections.abc import Callable
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import cryptography_vectors
import pytest

from crypto import paths
from crypto.certificates import parse_certificate
from crypto.crls import parse_list
from crypto.errors import CertificateRefused
from crypto.paths import Trust

SUITE: dict[str, Any] = json.loads((Path(__file__).parent.parent / "vectors" / "pkits.json").read_text())
DATA = Path(cryptography_vectors.__path__[0]) / "x509" / "PKITS_data"
AT = datetime.fromisoformat(SUITE["at"])

UNREADABLE = {
    "DSAParametersInheritedCACert.crt",  # a key without its parameters
    "BadSignedCACert.crt",  # a signature that ends within a byte
}
T = TypeVar("T")


@cache
def the_trust() -> Trust:
    """The suite's anchor, with every authority and every list of the suite known."""
    authorities = _readable("certs", "*Cert.crt", parse_certificate, UNREADABLE)
    anchor = parse_certificate((DATA / "certs" / "TrustAnchorRootCertificate.crt").read_bytes())
    lists = _readable("crls", "*.crl", parse_list, {"BadCRLSignatureCACRL.crl"})
    return Trust(anchors=(anchor,), intermediates=authorities, crls=lists, required=True)


def _readable(folder: str, names: str, read: Callable[[bytes], T], others: set[str]) -> tuple[T, ...]:
    found, unread = [], set()
    for path in sorted((DATA / folder).glob(names)):
        try:
            found.append(read(path.read_bytes()))
        except CertificateRefused:
            unread.add(path.name)
    assert unread == others
    return tuple(found)


def outcome(name: str) -> str:
    try:
        certificate = parse_certificate((DATA / "certs" / f"{name}EE.crt").read_bytes())
        paths.trusted(certificate, trust=the_trust(), at=AT)
    except CertificateRefused as error:
        return error.code
    return "trusted"


@pytest.mark.parametrize("section", sorted({each["case"].rsplit(".", 1)[0] for each in SUITE["cases"]}))
def test_every_case_of_the_section_ends_as_the_suite_says(section: str) -> None:
    cases = [each for each in SUITE["cases"] if each["case"].rsplit(".", 1)[0] == section]
    found = {each["name"]: outcome(each["name"]) for each in cases}
    wanted = {each["name"] for each in cases if each["valid"] and "refused_because" not in each}
    assert {name for name, code in found.items() if code == "trusted"} == wanted


def test_all_cases_are_there_and_few_valid_ones_are_refused() -> None:
    assert len(SUITE["cases"]) == 203
    assert sum("refused_because" in each for each in SUITE["cases"]) == 2
    assert all(each["valid"] for each in SUITE["cases"] if "refused_because" in each)
