"""A bidder's receipt as a paper: A4, in one language, with the receipt file inside.

What it says is what the hall signed; what the hall only knows besides (names, the title) stands in ``Known``.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from crypto.digest import sha256_hex
from crypto.receipt import tracker
from crypto.receipt_file import ReceiptFile
from crypto.tlog import read_proof
from sessions.amounts import grouped
from sessions.papers.layout import Attached, Block, Cell, Code, Facts, Language, Line, Paper, Passage, Style, said
from sessions.plan import Plan
from sessions.shape import moment
from sessions.wording.moments import spoken


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the receipt's paper names beside the receipt; ``origin`` is the hall's address, ``seal`` who seals it.

    ``early``: before the opening time, when nothing may be asked outside that tells of a bid, not even a timestamp.
    """

    plan: Plan
    bidder: str
    origin: str
    seal: str | None
    early: bool


def receipt_paper(file: ReceiptFile, known: Known, language: Language) -> Paper:
    """Return the paper of a receipt that the hall gave. Raises StatementRefused if its key did not sign it."""
    receipt = file.receipt()
    code = tracker(receipt.payload())
    data = file.to_bytes()
    tender = known.plan.tender

    def say(zh: str, en: str) -> str:
        return zh if language == "zh" else en

    received = moment(receipt.received_at)
    facts = Facts(
        columns=1,
        items=(
            (say("投标人", "Bidder"), (Line(known.bidder, Style.STRONG), Line(receipt.bidder, Style.MUTED))),
            (say("收到时间", "Received"), (Line(said(spoken(received), language), Style.STRONG),)),
            (say("项目编号", "Tender"), (Line(receipt.tender),)),
            (say("标段", "Lot"), (Line(receipt.lot),)),
            (say("招标人", "Tenderer"), (Line(said(tender.tenderer, language)),)),
            (say("场次", "Session"), (Line(receipt.session),)),
            (
                say("文件大小", "Size"),
                (Line(say(f"{grouped(str(receipt.length))} 字节", f"{grouped(str(receipt.length))} bytes")),),
            ),
            (say("文件头摘要", "Header"), (Line(receipt.header_sha256, Style.MONO),)),
            (say("内容根值", "Content root"), (Line(receipt.root, Style.MONO),)),
            (say("声明摘要", "Declaration"), (Line(receipt.declaration_sha256, Style.MONO),)),
            (say("平台公钥", "Hall key"), (Line(f"kid {file.hall.kid}", Style.MONO),)),
        ),
    )
    blocks: list[Block] = [
        Code(
            title=say("回执号", "Tracker"),
            text=code,
            note=say("凭此号可在公开名单中找到本投标文件。", "Find the bid in the published list by this code."),
        ),
        facts,
        Passage(title=say("在日志中的位置", "Place in the log"), lines=_place(file, language)),
    ]
    rehearsal = say("演练，不具法律效力", "rehearsal, no legal effect")
    return Paper(
        language=language,
        landscape=False,
        name=say("投标文件递交回执", "Receipt for a sealed bid"),
        title=said(tender.title, language),
        author=said(tender.tenderer, language),
        stamp=rehearsal if known.plan.rehearsal else None,
        link=f"{known.origin}/verify#tracker={quote(receipt.session, safe='')}:{code}",
        link_note=(Line(say("扫码核对", "Check it")), Line(f"{known.origin}/verify")),
        blocks=tuple(blocks),
        closing=_closing(known, data, language),
        foot=(
            say(f"场次 {receipt.session} · 回执号 {code}", f"Session {receipt.session} · tracker {code}"),
            receipt.header_sha256,
        ),
        pages=("第 ", " 页，共 ", " 页") if language == "zh" else ("Page ", " of ", ""),
        attached=Attached(
            name="receipt.json",
            media="application/json",
            description=say("回执文件，机器可读", "The receipt file, for machines"),
            data=data,
        ),
    )


def _place(file: ReceiptFile, language: Language) -> Cell:
    """Where the receipt stands in the log of receipts, once a checkpoint covers it, and who stamped that."""
    zh = language == "zh"
    checkpoint = file.checkpoint()
    if checkpoint is None or file.proof is None:
        later = "回执尚未进入已签名的检查点；稍后重新下载，回执文件内会附上位置证明。"
        return (
            Line(
                later if zh else "No signed checkpoint covers it yet. Save it again later: the proof will be inside."
            ),
        )
    index = read_proof(file.proof).index
    where = f"第 {index} 项，日志共 {checkpoint.size} 项" if zh else f"entry {index} of {checkpoint.size}"
    lines = [Line(where), Line(checkpoint.origin, Style.MUTED), Line(checkpoint.root.hex(), Style.MONO)]
    if file.stamps:
        names = ("、" if zh else ", ").join(stamp.authority for stamp in file.stamps)
        lines.append(Line(f"时间戳：{names}" if zh else f"Timestamps: {names}"))
    return tuple(lines)


def _closing(known: Known, data: bytes, language: Language) -> Cell:
    zh = language == "zh"
    if known.early:
        seal = (
            "本件未加盖电子印章：开标时间之前不向外部机构申请时间戳，以免旁人得知有人投标。此后可重新下载加盖印章的回执。"
            if zh
            else "No electronic seal yet: before the opening time no timestamp is asked for, because that would tell "
            "others of a bid. Save the paper again afterwards."
        )
    elif known.seal is None:
        seal = "本件未加盖电子印章。" if zh else "This paper bears no electronic seal."
    else:
        seal = (
            f"本件由{known.seal}加盖电子印章（PAdES）。" if zh else f"Sealed electronically by {known.seal} (PAdES)."
        )
    counts = (
        "有效的是平台签名的回执，它在附件 receipt.json 中；该文件的 SHA-256 为"
        if zh
        else "What counts is the receipt that the hall signed. It is attached, receipt.json; its SHA-256:"
    )
    how = (
        "离线核对，开标后：kaibiao verify session.zip --receipt receipt.json"
        if zh
        else "To check it offline, after the opening: kaibiao verify session.zip --receipt receipt.json"
    )
    return (Line(seal), Line(counts), Line(sha256_hex(data), Style.MONO), Line(how))
