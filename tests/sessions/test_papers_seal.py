"""The seal on a paper: other programs accept it, it lasts, and one changed byte breaks it."""

from __future__ import annotations

import asyncio
import io
import shutil
import subprocess
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from asn1crypto import crl, x509
from cryptography.hazmat.primitives.serialization import Encoding
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.ades.report import AdESPassed, AdESStatus
from pyhanko.sign.validation.ades import AdESLTAValidationResult, ades_lta_validation
from pyhanko.sign.validation.policy_decl import (
    LocalKnowledge,
    PdfSignatureValidationSpec,
    RevinfoOnlineFetchingRule,
    RevocationInfoGatheringSpec,
    SignatureValidationSpec,
)
from pyhanko_certvalidator.context import CertValidationPolicySpec
from pyhanko_certvalidator.ltv.types import ValidationTimingInfo
from pyhanko_certvalidator.policy_decl import REQUIRE_REVINFO, CertRevTrustPolicy
from pyhanko_certvalidator.registry import SimpleTrustManager
from pyhanko_certvalidator.revinfo.archival import CRLContainer

from crypto import authority
from crypto.errors import TimestampRefused
from sessions.outside.stamping import Stamper, Unreachable
from sessions.papers.layout import Attached, Line, Paper, Passage
from sessions.papers.seal import NotSealed
from sessions.papers.typesetting import typeset
from tests.support.sealing import NOW, ROOT, SEAL, a_seal


@cache
def a_paper() -> bytes:
    paper = Paper(
        language="zh",
        landscape=False,
        name="回执",
        title="城东河道整治工程",
        author="城东区水务局",
        stamp=None,
        link="https://hall.example.org/verify",
        link_note=(Line("扫码核对"),),
        blocks=(Passage(title="说明", lines=(Line("一行"),)),),
        closing=(Line("完"),),
        foot=("场次", "00"),
        pages=("第 ", " 页，共 ", " 页"),
        attached=Attached(name="a.json", media="application/json", description="a", data=b"{}"),
    )
    return typeset(paper, NOW)


@cache
def sealed() -> bytes:
    return a_seal().put_on(a_paper())


def judged(paper: bytes, at: datetime) -> AdESLTAValidationResult:
    """Ask pyHanko's validator for archived signatures: with the root, its list of today, and what is in the paper."""
    todays = authority.revocation_list(ROOT, {}, at=at - timedelta(seconds=1))
    root = x509.Certificate.load(ROOT.certificate.public_bytes(Encoding.DER))
    policy = CertValidationPolicySpec(
        trust_manager=SimpleTrustManager.build([root]), revinfo_policy=CertRevTrustPolicy(REQUIRE_REVINFO)
    )
    known = CRLContainer(crl.CertificateList.load(todays.public_bytes(Encoding.DER)))
    offline = RevocationInfoGatheringSpec(online_fetching_rule=RevinfoOnlineFetchingRule.LOCAL_ONLY)
    spec = SignatureValidationSpec(
        cert_validation_policy=policy,
        revinfo_gathering_policy=offline,
        local_knowledge=LocalKnowledge(known_crls=[known]),
    )
    signature = PdfFileReader(io.BytesIO(paper)).embedded_regular_signatures[0]
    timing = ValidationTimingInfo(validation_time=at, best_signature_time=at, point_in_time_validation=True)
    return asyncio.run(ades_lta_validation(signature, PdfSignatureValidationSpec(spec), timing_info=timing))


def test_the_seal_passes_long_term_validation() -> None:
    assert judged(sealed(), NOW + timedelta(minutes=1)).ades_subindic is AdESPassed.OK


def test_the_seal_outlasts_its_certificate() -> None:
    later = SEAL.certificate.not_valid_after_utc + timedelta(days=30)
    assert judged(sealed(), later).ades_subindic is AdESPassed.OK


def test_a_paper_sealed_without_lists_does_not_pass_for_lasting() -> None:
    paper = a_seal(lists=False).put_on(a_paper())
    assert judged(paper, NOW + timedelta(minutes=1)).ades_subindic.status is not AdESStatus.PASSED


def test_a_revoked_seal_makes_no_lasting_seal() -> None:
    paper = a_seal(revoked=True).put_on(a_paper())
    assert judged(paper, NOW + timedelta(minutes=1)).ades_subindic.status is not AdESStatus.PASSED


async def silent(_: bytes) -> bytes:
    raise Unreachable("no route")


async def lying(_: bytes) -> bytes:
    raise TimestampRefused("wrong_imprint")


@pytest.mark.parametrize("stamp", [silent, lying])
def test_without_a_timestamp_there_is_no_seal(stamp: Stamper) -> None:
    with pytest.raises(NotSealed):
        a_seal(stamp=stamp).put_on(a_paper())


def pdfsig(folder: Path, paper: bytes) -> str:
    (folder / "paper.pdf").write_bytes(paper)
    done = subprocess.run(["pdfsig", folder / "paper.pdf"], capture_output=True, timeout=60, check=False)
    return done.stdout.decode()


needs_pdfsig = pytest.mark.skipif(shutil.which("pdfsig") is None, reason="needs pdfsig (poppler-utils)")


@needs_pdfsig
def test_another_program_finds_the_seal_valid(tmp_path: Path) -> None:
    assert "Signature is Valid." in pdfsig(tmp_path, sealed())


@needs_pdfsig
def test_another_program_notices_one_changed_byte(tmp_path: Path) -> None:
    changed = bytearray(sealed())
    changed[len(a_paper()) // 2] ^= 1
    assert "Digest Mismatch." in pdfsig(tmp_path, bytes(changed))


def test_sealing_leaves_what_was_typeset_as_it_was() -> None:
    assert sealed().startswith(a_paper())
