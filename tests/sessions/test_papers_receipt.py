"""A receipt as a paper: the code to read out, what the hall signed, and the file for machines inside."""

from __future__ import annotations

from dataclasses import replace

import pytest

from crypto.digest import sha256
from crypto.errors import StatementRefused
from crypto.receipt import Receipt, issue, log_leaf, tracker
from crypto.receipt_file import ReceiptFile, Stamp, read_receipt_file
from crypto.signing import HallKey
from crypto.tlog import Checkpoint, Tree, sign_checkpoint, write_proof
from sessions.papers.layout import Language
from sessions.papers.receipt_paper import Known, receipt_paper
from sessions.papers.typesetting import typeset
from tests.sessions.test_papers_record import HOSTILE, attached, words
from tests.support.ceremony import T0, a_plan

HALL = HallKey.generate()
RECEIPT = Receipt(
    session="gx-1",
    tender="GX-2026-0117",
    lot="1",
    bidder="91330100MA27000001",
    header_sha256="ab" * 32,
    root="cd" * 32,
    length=123456789,
    declaration_sha256="ef" * 32,
    received_at="2026-11-20T08:00:00.123Z",
    leaf_salt="01" * 32,
)
KNOWN = Known(plan=a_plan(), bidder="华东建设有限公司", origin="https://hall.example.org", seal=None, early=False)


def a_file(**more: object) -> ReceiptFile:
    return replace(ReceiptFile(token=issue(RECEIPT, HALL), hall=HALL.public), **more)  # type: ignore[arg-type]


def in_the_log() -> ReceiptFile:
    tree = Tree([sha256(b"before"), log_leaf(RECEIPT), sha256(b"after")])
    checkpoint = Checkpoint(origin="hall.example.org/s/gx-1/intake", size=3, root=tree.root())
    proof = write_proof(1, tree.inclusion_proof(1), sign_checkpoint(checkpoint, HALL))
    return a_file(proof=proof, stamps=(Stamp("国家授时中心", b"token"),))


def paper(file: ReceiptFile, language: Language = "zh", known: Known = KNOWN) -> bytes:
    return typeset(receipt_paper(file, known, language), T0)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_paper_says_what_was_signed(language: Language) -> None:
    text = words(paper(a_file(), language))
    code = tracker(RECEIPT.payload())
    for said in (code, RECEIPT.bidder, "123,456,789", RECEIPT.header_sha256, RECEIPT.root, HALL.public.kid):
        assert said in text, said
    assert {"zh": "北京时间2026-11-2016:00:00.123", "en": "2026-11-2008:00:00.123UTC"}[language] in text


def test_the_receipt_file_is_inside_to_the_byte() -> None:
    content = attached(paper(in_the_log()))
    assert content == in_the_log().to_bytes()
    assert read_receipt_file(content).receipt() == RECEIPT


def test_a_receipt_that_stands_in_the_log_says_where_and_who_stamped_it() -> None:
    text = words(paper(in_the_log(), "en"))
    assert "entry1of3" in text
    assert "国家授时中心" in text


def test_a_receipt_that_no_checkpoint_covers_says_so() -> None:
    assert "回执尚未进入已签名的检查点" in words(paper(a_file()))


def test_a_receipt_by_another_key_is_not_printed() -> None:
    with pytest.raises(StatementRefused):
        paper(a_file(hall=HallKey.generate().public))


@pytest.mark.parametrize("name", HOSTILE)
def test_whatever_a_bidder_is_called_it_is_shown(name: str) -> None:
    assert b"%PDF" in paper(a_file(), known=replace(KNOWN, bidder=name))[:10]


def test_before_the_opening_time_the_paper_says_why_it_bears_no_seal() -> None:
    assert "开标时间之前不向外部机构申请时间戳" in words(paper(a_file(), known=replace(KNOWN, early=True)))
