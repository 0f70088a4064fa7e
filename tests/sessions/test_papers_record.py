"""The opening record as a paper: what stands on it, whatever people are called, and that nothing in it is markup."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from dataclasses import replace

import pytest
from pyhanko.pdf_utils.reader import PdfFileReader

from crypto.encoding import canonical
from sessions.commands import Pause, RecordAnchor, Resume
from sessions.opening.record import record, record_digest
from sessions.papers.layout import Language
from sessions.papers.record_paper import About, record_paper
from sessions.papers.typesetting import typeset
from sessions.plan import AnchorKind, Watch
from sessions.proofs import State
from sessions.roles import CLOCK, Actor, Role
from tests.sessions.test_record import an_eventful_opening
from tests.support.ceremony import (
    HOST,
    MINUTE,
    SECOND,
    SUPERVISOR,
    A,
    B,
    C,
    Ceremony,
    a_plan,
    a_sealed_bid,
    digest,
    opened,
)

ABOUT = About(number=143, head="a3" * 32, origin="https://hall.example.org", seal=None)
HOSTILE = (
    '#set text(red) *bold* ] "quoted" $x$ `raw` \\ @ref <label> // gone',
    "🏗️建筑👷公司",
    "שלום בניין",
    "شركة البناء",
    "\u202egnp.exe\u202c",
    "W" * 120,
    "北岸" * 60,
    "a\u0000b\u200bc",
    "<b>粗</b>&amp;{{7*7}}",
)


def typeset_record(c: Ceremony, language: Language = "zh", about: About = ABOUT) -> bytes:
    return typeset(record_paper(c.it, about, language), c.now)


def words(paper: bytes) -> str:
    """What a reader of PDF finds on the paper, line breaks and the places where long words may break left out."""
    if shutil.which("pdftotext") is None:
        pytest.skip("needs pdftotext (poppler-utils)")
    done = subprocess.run(["pdftotext", "-", "-"], input=paper, capture_output=True, timeout=60, check=True)
    return re.sub(r"[\s\u200b\u202a-\u202e\u2066-\u2069]", "", done.stdout.decode())


def attached(paper: bytes) -> bytes:
    root = PdfFileReader(io.BytesIO(paper)).root
    file = root["/Names"]["/EmbeddedFiles"]["/Names"][1].get_object()
    content: bytes = file["/EF"]["/F"].data
    return content


def with_names(*names: str) -> Ceremony:
    """An opening by bidders of these names, all opened, up to the signatures."""
    c = Ceremony(a_plan())
    who = [Actor(role=Role.BIDDER, id=f"91330100MA27{number:06}", name=name) for number, name in enumerate(names)]
    c.decrypting(*(a_sealed_bid(one) for one in who)).released(*who)
    c.open_bids(*(opened(one.id, f"{1180000 + number * 1237}.50") for number, one in enumerate(who)))
    c.tick(c.it.due)
    c.advance("confirm")
    c.tick(c.it.due)
    c.tick(c.it.due)
    c.advance("sign")
    return c


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_paper_says_what_the_record_says(language: Language) -> None:
    c = an_eventful_opening()
    text = words(typeset_record(c, language))
    expected = {
        "zh": [
            "开标记录表",
            "城东河道整治工程",
            "1,200,000.00",
            "壹佰贰拾万元整",
            "逾期拒收",
            "网络拥堵",
            "停电",
            "未签名",
        ],
        "en": ["Openingrecord", "Eastriverworks", "1,200,000.00", "Refusedaslate", "notsigned"],
    }
    for one in [*expected[language], A.name.replace(" ", ""), "丁公司", SUPERVISOR.name, "a3" * 32, "143"]:
        assert one in text, one
    assert str(record_digest(c.it)) in text


def test_the_record_for_machines_is_inside_to_the_byte() -> None:
    c = an_eventful_opening()
    assert attached(typeset_record(c)) == canonical(record(c.it))


def test_the_same_record_gives_the_same_paper() -> None:
    c = an_eventful_opening()
    assert typeset_record(c) == typeset_record(c)


def test_the_paper_declares_the_archive_form() -> None:
    paper = typeset_record(an_eventful_opening())
    metadata = PdfFileReader(io.BytesIO(paper)).root["/Metadata"].data.decode()
    assert "<pdfaid:part>3</pdfaid:part>" in metadata
    assert "<pdfaid:conformance>B</pdfaid:conformance>" in metadata


@pytest.mark.parametrize("language", ["zh", "en"])
def test_names_are_shown_and_never_read_as_markup(language: Language) -> None:
    text = words(typeset_record(with_names(*HOSTILE), language))
    assert HOSTILE[0].replace(" ", "") in text
    assert "[U+1F3D7]" in text
    assert "[U+1F477]公司" in text
    assert "[U+202E]gnp.exe[U+202C]" in text
    assert "W" * 120 in text
    assert "北岸" * 60 in text
    assert "a[U+0000]b[U+200B]c" in text
    assert "<b>粗</b>&amp;{{7*7}}" in text


def test_a_name_in_another_script_is_shown_in_it() -> None:
    text = words(typeset_record(with_names("שלום בניין", "شركة البناء", "Ødegård & Søn")))
    assert "[U+" not in text


def test_every_page_bears_the_state_of_the_log_and_its_own_number() -> None:
    paper = typeset_record(with_names(*(f"第{number}建设有限公司" for number in range(60))))
    text = words(paper)
    pages = int(PdfFileReader(io.BytesIO(paper)).root["/Pages"]["/Count"])
    assert pages > 5
    assert text.count("a3" * 32) == pages
    assert f"第{pages}页，共{pages}页" in text
    assert text.count("投标总价CNY") > 3, "the head of the table is repeated"


def test_three_hundred_bids_fit() -> None:
    text = words(typeset_record(with_names(*(f"第{number}建设有限公司" for number in range(300)))))
    for number in (0, 150, 299):
        assert f"第{number}建设有限公司" in text


def test_a_paper_without_a_seal_says_so() -> None:
    c = an_eventful_opening()
    assert "本件未加盖电子印章" in words(typeset_record(c))
    sealed = typeset_record(c, about=replace(ABOUT, seal="城东区公共资源交易中心"))
    assert "本件由城东区公共资源交易中心加盖电子印章" in words(sealed)


def test_a_record_that_is_not_final_says_so() -> None:
    assert "会议未结束" in words(typeset_record(an_eventful_opening()))


def test_a_rehearsal_says_so() -> None:
    c = Ceremony(replace(a_plan(), rehearsal=True)).frozen()
    assert "演练，不具法律效力" in words(typeset_record(c))


def test_an_opening_with_too_few_bids_names_nobody() -> None:
    c = Ceremony().frozen(a_sealed_bid(A))
    text = words(typeset_record(c))
    assert "投标人少于3个" in text
    assert A.name not in text


def test_who_outside_holds_the_log_is_named_with_the_time_it_states() -> None:
    watch = Watch(
        origin="hall.example.org/s/gx-1", witnesses=(), quorum=0, authorities=("国家授时中心", "停机的机构")
    )
    c = Ceremony(replace(a_plan(), watch=watch)).frozen()
    said = RecordAnchor(
        point="close",
        kind=AnchorKind.STAMP,
        by="国家授时中心",
        size=c.it.length,
        root=digest("root"),
        sha256=digest("token"),
        said_at=c.now,
    )
    c.send(said, CLOCK)
    text = words(typeset_record(c))
    assert "国家授时中心" in text
    assert "时间戳机构" in text
    assert "停机的机构" in text
    assert "没有" in text


def test_what_a_silent_authority_says_at_the_opening_time_stands_on_the_paper() -> None:
    c = Ceremony().frozen().asked_again(a=State.GOOD, b=State.UNAVAILABLE)
    text = words(typeset_record(c, "zh"))
    assert "证书状态" in text
    assert "再次查询" in text
    assert "有效" in text
    assert "仍无答复" in text
    assert "Certificates" not in words(typeset_record(Ceremony().frozen().checked(), "en"))


def test_what_is_wrong_with_a_sheet_is_said_in_words() -> None:
    c = Ceremony(a_plan()).decrypting()
    c.released(A, B, C)
    sheets = {A.id: {"price": "1600000.00"}, B.id: {"days": "30"}, C.id: {"price": "1.2e6", "colour": "red"}}
    c.open_bids(*(replace(opened(who), quote=sheet) for who, sheet in sheets.items()))
    text = words(typeset_record(c))
    assert "高于最高投标限价" in text
    assert "投标总价：未填写" in text
    assert "投标总价：填写不合格式" in text
    assert "colour：表中没有这一项" in text
    long = words(typeset_record(c, "en"))
    assert "abovetheceiling" in long


def test_texts_of_any_length_stay_on_the_paper() -> None:
    c = Ceremony().decrypting()
    c.send(Pause(reason="停" * 3999 + "完", incident=True), SUPERVISOR, c.now + SECOND)
    c.send(Resume(), HOST, c.now + MINUTE)
    text = words(typeset_record(c))
    assert text.count("停") >= 3999
