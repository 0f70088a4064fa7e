"""The opening record (开标记录表) as a paper: A4 landscape, in one language, made from record.json.

What record.json cannot hold because it came afterwards (the signatures, the end) stands beside it in ``About``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from crypto.digest import sha256_hex
from crypto.encoding import canonical
from sessions.amounts import grouped, is_amount
from sessions.opening.points import named
from sessions.opening.record import record
from sessions.opening.state import Opening, Status
from sessions.papers.layout import (
    Attached,
    Block,
    Cell,
    Column,
    Facts,
    Language,
    Line,
    Paper,
    Passage,
    Style,
    Table,
    said,
    table,
)
from sessions.plan import AnchorKind, Words
from sessions.roles import Role
from sessions.shape import moment, rfc3339
from sessions.wording.moments import spoken
from sessions.wording.terms import CAUSES, CONSEQUENCES, OBJECTIONS, ROLES, STANDINGS, TURNS, stopped_for
from sessions.wording.words import point_words

_FIGURES = frozenset({"money", "integer", "percent"})
_STAMPS: Mapping[Status, Words] = {
    Status.FAILED: Words(zh="未开标", en="not opened"),
    Status.ABORTED: Words(zh="终止", en="aborted"),
}
_FLAGS: Mapping[str, Words] = {
    "over_ceiling": Words(zh="高于最高投标限价", en="above the ceiling"),
    "malformed": Words(zh="填写不合格式", en="not in its form"),
    "missing": Words(zh="未填写", en="left out"),
    "unknown": Words(zh="表中没有这一项", en="no such column"),
}
_KINDS: Mapping[AnchorKind, Words] = {
    AnchorKind.WITNESS: Words(zh="见证方会签", en="witness, cosigned"),
    AnchorKind.STAMP: Words(zh="时间戳机构", en="timestamp authority"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """Where a record stands: after event ``number`` whose digest is ``head``; ``origin`` is the hall's address.

    ``seal`` names whoever seals the paper electronically; None: it bears no seal, and says so.
    """

    number: int
    head: str
    origin: str
    seal: str | None


def record_paper(opening: Opening, about: About, language: Language) -> Paper:
    """Return the record of ``opening`` as it was drawn, or as it would stand now."""
    document = record(opening)
    data = canonical(document)
    digest = sha256_hex(data)
    say = _Says(language, document)
    blocks: list[Block] = [
        say.facts(),
        *say.outcome(opening),
        *say.bids(),
        *say.asked_again(opening),
        *say.locks(opening),
        *say.draws(),
        *say.late(),
        *say.objections(),
        *say.floor(),
        *say.course(),
        *say.recording(),
        *say.present(),
        *say.signatures(opening, digest),
        *say.outside(opening),
    ]
    stamps = [say("演练，不具法律效力", "rehearsal, no legal effect")] if document["rehearsal"] else []
    if opening.status in _STAMPS:
        stamps.append(said(_STAMPS[opening.status], language))
    elif opening.status is not Status.ENDED:
        stamps.append(say("会议未结束", "session not over"))
    link = f"{about.origin}/verify#record={quote(document['session'], safe='')}:{digest}"
    return Paper(
        language=language,
        landscape=True,
        name=say("开标记录表", "Opening record"),
        title=say.words(document["tender"]["title"]),
        author=say.words(document["tender"]["tenderer"]),
        stamp=" · ".join(stamps) or None,
        link=link,
        link_note=(Line(say("扫码核对", "Check it")), Line(f"{about.origin}/verify")),
        blocks=tuple(blocks),
        closing=say.closing(about, digest),
        foot=(
            say(
                f"场次 {document['session']} · 至第 {about.number} 号事件 · 事件链末值",
                f"Session {document['session']} · up to event {about.number} · head of the event chain",
            ),
            about.head,
        ),
        pages=("第 ", " 页，共 ", " 页") if language == "zh" else ("Page ", " of ", ""),
        attached=Attached(
            name="record.json",
            media="application/json",
            description=say("开标记录，机器可读", "The opening record, for machines"),
            data=data,
        ),
    )


class _Says:
    """The blocks of one record in one language."""

    def __init__(self, language: Language, document: Mapping[str, Any]) -> None:
        self._language: Language = language
        self._document = document
        bidders = {row["bidder"]: row["name"] for row in document["rows"]}
        self._names = bidders | {chair["account"]: chair["name"] for chair in document["present"]}

    def __call__(self, zh: str, en: str) -> str:
        return zh if self._language == "zh" else en

    def words(self, words: Words | Mapping[str, str]) -> str:
        return said(words, self._language)

    def time(self, text: str | None) -> str:
        """A moment in full: Beijing time in Chinese, UTC in English."""
        return "" if text is None else self.words(spoken(moment(text)))

    def clock(self, text: str | None) -> str:
        """A moment in a table, whose head says by which clock."""
        return self.time(text).removeprefix("北京时间 ").removesuffix(" UTC")

    def clocked(self, zh: str, en: str) -> str:
        return self(f"{zh}（北京时间）", f"{en} (UTC)")

    def facts(self) -> Facts:
        document = self._document
        tender, rules, sealed = document["tender"], document["rules"], document["sealed_set"]
        items: list[tuple[str, Cell]] = [
            (self("项目编号", "Tender"), _cell(tender["id"])),
            (self("标段", "Lot"), _cell(tender["lot"])),
            (self("招标人", "Tenderer"), _cell(self.words(tender["tenderer"]))),
        ]
        if tender["agent"]:
            items.append((self("招标代理", "Agent"), _cell(self.words(tender["agent"]))))
        items += [
            (self("开标时间", "Opening time"), _cell(self.time(document["t0"]))),
            (self("开标地点", "Place"), _cell(self.words(tender["place"]))),
            (
                self("适用规则", "Rules"),
                (Line(self.words(rules["title"])), _muted(f"{rules['id']} {rules['version']}")),
            ),
        ]
        if tender["ceiling"]:
            items.append((self("最高投标限价", "Ceiling"), self.amount(tender["ceiling"], Style.STRONG)))
        if sealed:
            items.append((self("收到投标文件", "Bids received"), _cell(str(sealed["received"]))))
        if document["barrier"]:
            items.append((self("解密屏障", "Barrier"), _cell(self.time(document["barrier"]["at"]))))
        if sealed:
            root = (Line(sealed["root"], Style.MONO),)
            items.append((self("集合根值", "Root of the set"), root))
        return Facts(items=tuple(items), columns=2)

    def outcome(self, opening: Opening) -> tuple[Passage, ...]:
        if opening.status is Status.FAILED and opening.frozen is not None:
            least = opening.plan.pack.minimum_bidders
            line = self(
                f"投标人少于 {least} 个，不得开标；所有投标文件原样封存。",
                f"Fewer than {least} bids: nothing was opened and all bids stay sealed.",
            )
            return (Passage(title=self("结果", "Outcome"), lines=_cell(line)),)
        if opening.status is Status.ABORTED:
            reason = _cell(opening.abort_reason or "")
            return (Passage(title=self("终止原因", "Why it was aborted"), lines=reason),)
        return ()

    def bids(self) -> tuple[Table, ...]:
        fields = self._document["fields"]
        columns = [
            Column(head=self("序号", "No."), width="9mm", right=True),
            Column(head=self("投标人", "Bidder"), width="3fr"),
            Column(head=self("密封", "Seal"), width="15mm"),
            *(
                Column(
                    head=self._head(field),
                    width="3fr" if field["kind"] == "money" else "1.4fr",
                    right=field["kind"] in _FIGURES,
                )
                for field in fields
            ),
            Column(head=self("备注", "Remarks"), width="2fr"),
        ]
        rows = [self._bid(row, fields) for row in self._document["rows"]]
        return table(self("开标一览表", "Read-out"), columns, rows, lead=True)

    def asked_again(self, opening: Opening) -> tuple[Table, ...]:
        """How certificates stood on which an authority had been silent: in the log, and not in record.json."""
        columns = (
            Column(head=self("序号", "No."), width="9mm", right=True),
            Column(head=self("投标人", "Bidder"), width="2fr"),
            Column(head=self("接收时", "When the bid was taken"), width="2fr"),
            Column(head=self("开标时再次查询", "Asked again at the opening time"), width="2fr"),
        )
        rows: list[tuple[Cell, ...]] = [
            (
                _cell(str(bid.row)),
                (Line(bid.name, Style.STRONG), _muted(bid.bidder)),
                _cell(self("发证机构没有答复", "the authority was silent")),
                (Line(self.words(STANDINGS[bid.authority])),),
            )
            for bid in opening.bids
            if bid.authority is not None and opening.listed
        ]
        return table(self("证书状态", "Certificates"), columns, rows)

    def locks(self, opening: Opening) -> tuple[Table, ...]:
        holders = {lock.id: [officer.name for officer in lock.officers] for lock in opening.plan.every_lock}
        columns = [
            Column(head=self("锁", "Lock"), width="2fr"),
            Column(head=self("掌锁人", "Held by"), width="2fr"),
            Column(head=self("需几人", "Needed"), width="16mm", right=True),
            Column(head=self.clocked("移除", "Removed"), width="4fr"),
        ]
        rows: list[tuple[Cell, ...]] = [
            (
                _cell(self.words(lock["title"])),
                tuple(map(Line, holders[lock["id"]])),
                _cell(f"{lock['threshold']} / {lock['of']}"),
                self._removed(lock),
            )
            for lock in self._document.get("locks", ())
        ]
        return table(self("开标锁", "Locks"), columns, rows)

    def _removed(self, lock: Mapping[str, Any]) -> Cell:
        said = [Line(f"{one['name']} {self.clock(one['at'])}") for one in lock["removed"]]
        for one in lock["removed"]:
            if one["failed"]:
                count = len(one["failed"])
                said.append(
                    Line(self(f"{one['name']}：{count} 份不符", f"{one['name']}: {count} shares did not fit"))
                )
        if (missed := lock["missed"]) is not None:
            said.append(
                Line(self("掌锁人未到，两人决定继续", "its officers did not come, two persons went on"), Style.NOT)
            )
            said.append(_muted(f"{self.clock(missed['at'])} {missed['by']}: {missed['reason']}"))
        return tuple(said) or (Line(self("未移除", "not removed"), Style.NOT),)

    def _currencies(self, field: Mapping[str, Any]) -> set[str]:
        amounts = (row["amounts"].get(field["id"]) for row in self._document["rows"])
        return {amount["currency"] for amount in amounts if amount}

    def _head(self, field: Mapping[str, Any]) -> str:
        """A column's head, with the currency if there is but one in it."""
        currencies = self._currencies(field)
        return f"{self.words(field['label'])} {', '.join(currencies) if len(currencies) == 1 else ''}".rstrip()

    def _bid(self, row: Mapping[str, Any], fields: Sequence[Mapping[str, Any]]) -> tuple[Cell, ...]:
        who = (Line(row["name"], Style.STRONG), _muted(row["bidder"]), _muted(row["tracker"]))
        intact = row["seal"] == "ok"
        seal = (Line(self("完好", "intact")),) if intact else (Line(row["seal"] or "", Style.NOT),)
        opened = row["quote"] is not None
        closed: list[Cell] = [(Line(self("未开启", "not opened"), Style.NOT),), *([()] * len(fields))]
        figures = [self._figure(field, row) for field in fields] if opened else closed[: len(fields)]
        return (_cell(str(row["row"])), who, seal, *figures, self._remarks(row))

    def _figure(self, field: Mapping[str, Any], row: Mapping[str, Any]) -> Cell:
        value = row["quote"].get(field["id"], "")
        amount = row["amounts"].get(field["id"])
        if amount is not None:
            mixed = len(self._currencies(field)) > 1
            return self.amount(amount, Style.FIGURE, currency=mixed)
        return _cell(grouped(value) if field["kind"] == "money" and is_amount(value) else value)

    def amount(self, amount: Mapping[str, Any], style: Style, *, currency: bool = True) -> Cell:
        """An amount in figures and, in Chinese, in the capitals of bid sheets (大写)."""
        figures = Line(f"{amount['figures']} {amount['currency']}" if currency else amount["figures"], style)
        words = amount.get("words", "") if self._language == "zh" else ""
        return (figures, _muted(words)) if words else (figures,)

    def _remarks(self, row: Mapping[str, Any]) -> Cell:
        lines = [Line(self._flag(flag), Style.NOT) for flag in row["flags"]]
        if row["quote"] is None:
            cause, after = CAUSES.get(row["cause"] or ""), CONSEQUENCES.get(row["consequence"] or "")
            stated = [self.words(words) for words in (cause, after) if words]
            if stated:
                lines.append(
                    Line(
                        f"{row['cause']}：{'，'.join(stated)}"
                        if self._language == "zh"
                        else f"{row['cause']}: {'; '.join(stated)}"
                    )
                )
        if row.get("rescued"):
            lines.append(Line(self("凭备用文件", "by a rescue file"), Style.NOT))
        if row["disputed"]:
            lines.append(Line(self("投标人有异议", "disputed by the bidder"), Style.NOT))
        elif row["confirmed_at"]:
            lines.append(Line(self("投标人已确认", "confirmed by the bidder")))
        if not row["checked_in_at"]:
            lines.append(_muted(self("未签到", "did not check in")))
        return tuple(lines)

    def draws(self) -> tuple[Table, ...]:
        columns = (
            Column(head=self("抽取事项", "Drawn"), width="2fr"),
            Column(head=self("结果", "Result"), width="2fr"),
            Column(head=self("候选数", "Of"), width="16mm", right=True),
            Column(head=self("轮次", "Round"), width="16mm", right=True),
            Column(head=self("随机值", "Randomness"), width="4fr"),
        )
        separator = self("、", ", ")
        rows = [
            (
                _cell(self.words(draw["title"])),
                (Line(separator.join(draw["names"] or draw["drawn"]), Style.STRONG),),
                _cell(str(draw["of"])),
                _cell(str(draw["round"])),
                (Line(draw["randomness"], Style.MONO),),
            )
            for draw in self._document.get("draws", ())
        ]
        return table(self("抽取", "Draw"), columns, rows)

    def _flag(self, flag: str) -> str:
        """What ``sessions.quote.flags`` found, in words."""
        kind, _, name = flag.partition(":")
        labels = {field["id"]: self.words(field["label"]) for field in self._document["fields"]}
        about = labels.get(name, name)
        said = _FLAGS.get(kind)
        return flag if said is None else f"{about}{self('：', ': ') if about else ''}{self.words(said)}"

    def late(self) -> tuple[Table, ...]:
        columns = (
            Column(head=self("递交人", "Who"), width="2fr"),
            Column(head=self.clocked("时间", "When"), width="42mm"),
            Column(head=self("拒收凭证摘要", "Digest of the refusal slip"), width="3fr"),
        )
        rows = [
            (
                (Line(late["name"]), _muted(late["bidder"])),
                _cell(self.clock(late["at"])),
                (Line(late["slip_sha256"], Style.MONO),),
            )
            for late in self._document["late"]
        ]
        return table(self("逾期拒收", "Refused as late"), columns, rows)

    def objections(self) -> tuple[Table, ...]:
        columns = (
            Column(head=self("序号", "No."), width="9mm", right=True),
            Column(head=self("提出人", "By"), width="2fr"),
            Column(head=self("事项", "Matter"), width="3fr"),
            Column(head=self.clocked("提出", "Raised"), width="42mm"),
            Column(head=self.clocked("答复", "Answered"), width="42mm"),
        )
        rows = []
        for item in self._document["objections"]:
            title = (Line(item["title"]),) if item["title"] else ()
            answered = (Line(self.clock(item["answered_at"])), _muted(item["answered_by"] or ""))
            rows.append(
                (
                    _cell(str(item["number"])),
                    _cell(self._names.get(item["bidder"], item["bidder"])),
                    (*title, _muted(self.words(OBJECTIONS[item["kind"]]))),
                    _cell(self.clock(item["at"])),
                    answered if item["answered_at"] else (Line(self("未答复", "not answered"), Style.NOT),),
                )
            )
        return table(self("异议", "Objections"), columns, rows)

    def floor(self) -> tuple[Table, ...]:
        columns = (
            Column(head=self("投标人", "Bidder"), width="2fr"),
            Column(head=self.clocked("申请", "Asked"), width="42mm"),
            Column(head=self.clocked("准许", "Given"), width="42mm"),
            Column(head=self.clocked("结束", "Over"), width="42mm"),
            Column(head=self("说明", "How"), width="3fr"),
        )
        rows = [
            (
                _cell(self._names.get(turn["bidder"], turn["bidder"])),
                _cell(self.clock(turn["asked_at"])),
                (Line(self.clock(turn["granted_at"])), _muted(turn["granted_by"])) if turn["granted_at"] else (),
                _cell(self.clock(turn["ended_at"])),
                (
                    *((Line(self.words(TURNS[turn["why"]])),) if turn["why"] else ()),
                    *((_muted(turn["reason"]),) if turn["reason"] else ()),
                ),
            )
            for turn in self._document.get("floor", ())
        ]
        return table(self("发言", "The floor"), columns, rows)

    def course(self) -> tuple[Table, ...]:
        columns = (
            Column(head=self("环节", "Step"), width="2fr"),
            Column(head=self.clocked("开始", "From"), width="42mm"),
            Column(head=self.clocked("结束", "To"), width="42mm"),
            Column(head=self("说明", "Notes"), width="4fr"),
        )
        document = self._document
        rows: list[tuple[Cell, ...]] = [
            (
                _cell(self.words(step["title"])),
                _cell(self.clock(step["entered_at"])),
                _cell(self.clock(step["completed_at"])),
                self._notes(step),
            )
            for step in document["steps"]
        ]
        rows += [
            self._change(self("暂停", "Paused"), pause["since"], pause["until"], pause)
            for pause in document["pauses"]
        ]
        rows += [
            self._change(self("推迟", "Postponed"), move["old"], move["new"], move)
            for move in document["postponements"]
        ]
        return table(self("过程", "Course"), columns, rows)

    def recording(self) -> tuple[Table, ...]:
        """How far the recording was when it was last noted before the record was drawn, and what is missing of it."""
        told = self._document.get("recording")
        if told is None:
            return ()
        columns = (
            Column(head=self("事项", "What"), width="4fr"),
            Column(head=self.clocked("开始", "From"), width="42mm"),
            Column(head=self.clocked("结束", "To"), width="42mm"),
        )
        nothing = (Line(self("无", "none"), Style.NOT),)
        ends = _cell(self.clock(told["until"])) if told["until"] else nothing
        rows: list[tuple[Cell, ...]] = [
            (_cell(self("记入日志", "Noted in the log")), (), _cell(self.clock(told["noted_at"]))),
            (_cell(self("画面截至", "Picture up to")), (), ends),
            *(
                (
                    (Line(self("无画面", "No picture"), Style.NOT),),
                    _cell(self.clock(gap["since"])),
                    _cell(self.clock(gap["until"])),
                )
                for gap in told["gaps"]
            ),
        ]
        if not told["gaps"]:
            rows.append((_cell(self("没有中断", "No gap")), (), ()))
        return table(self("录像", "Recording"), columns, rows)

    def _change(self, title: str, old: str, new: str | None, change: Mapping[str, Any]) -> tuple[Cell, ...]:
        words = stopped_for(change["reason"], change.get("stops", ()))
        by = change["by"] or self.words(ROLES[Role.CLOCK])
        reason = _cell(f"{by}{self('：', ': ')}{self.words(words)}")
        return (_cell(title), _cell(self.clock(old)), _cell(self.clock(new)), reason)

    def _notes(self, step: Mapping[str, Any]) -> Cell:
        lines = [
            Line(
                self(
                    f"延长至 {self.clock(item['new'])}，{item['by']}：{item['reason']}",
                    f"extended to {self.clock(item['new'])} by {item['by']}: {item['reason']}",
                )
            )
            for item in step["extensions"]
        ]
        if step["missing"]:
            missing = [self._names.get(who, who) for who in step["missing"]]
            lines.append(Line(self(f"未完成：{'、'.join(missing)}", f"Did not act: {', '.join(missing)}")))
        return tuple(lines)

    def present(self) -> tuple[Table, ...]:
        columns = (
            Column(head=self("身份", "As"), width="2fr"),
            Column(head=self("姓名", "Name"), width="4fr"),
            Column(head=self.clocked("时间", "Since"), width="3fr"),
        )
        rows = []
        for chair in self._document["present"]:
            acting = chair["host"] and chair["role"] != Role.HOST
            role = [Line(self.words(ROLES[chair["role"]]))]
            role += [_muted(self("代行主持", "acting as host"))] if acting else []
            rows.append((tuple(role), _cell(chair["name"]), _cell(self.clock(chair["at"]))))
        return table(self("到场人员", "Present"), columns, rows)

    def signatures(self, opening: Opening, digest: str) -> tuple[Table, ...]:
        if opening.drawn is None:
            return ()
        columns = (
            Column(head=self("身份", "As"), width="2fr"),
            Column(head=self("名称", "Name"), width="4fr"),
            Column(head=self.clocked("签名时间", "Signed"), width="3fr"),
        )
        given = {signature.signer: signature for signature in opening.signatures}
        roles = {str(bid.bidder): Role.BIDDER for bid in opening.bids}
        roles |= {chair["account"]: Role(chair["role"]) for chair in self._document["present"]}
        rows = []
        for signer in opening.drawn.asked:
            signature = given.get(signer)
            when = spoken(signature.at) if signature else None
            shown = self.words(when).removeprefix("北京时间 ").removesuffix(" UTC") if when else ""
            role = signature.role if signature else roles.get(signer)
            rows.append(
                (
                    _cell(self.words(ROLES[role]) if role else ""),
                    _cell(self._names.get(signer, signer)),
                    _cell(shown) if when else (Line(self("未签名", "not signed"), Style.NOT),),
                )
            )
        note = (
            Line(
                self(
                    "以下电子签名均对本记录（record.json）的 SHA-256 作出：",
                    "Every electronic signature below is over the SHA-256 of this record (record.json):",
                )
            ),
            Line(digest, Style.MONO),
        )
        return table(self("签名", "Signatures"), columns, rows, note)

    def outside(self, opening: Opening) -> tuple[Table, ...]:
        """Who outside the hall holds its log, for each point: not of the record, which was drawn before the last."""
        columns = (
            Column(head=self("日志时刻", "The log at"), width="2fr"),
            Column(head=self("保存者", "Held by"), width="4fr"),
            Column(head=self("事件数", "Events"), width="18mm", right=True),
            Column(head=self.clocked("其所载时间", "Time it states"), width="44mm"),
        )
        rows: list[tuple[Cell, ...]] = []
        for point in opening.points:
            title = _cell(self.words(point_words(point.name)))
            for anchor in point.anchors:
                who = (Line(anchor.by), _muted(self.words(_KINDS[anchor.kind])))
                rows.append((title, who, _cell(str(anchor.size)), _cell(self.clock(rfc3339(anchor.said_at)))))
            for kind in AnchorKind:
                for name in named(opening, kind):
                    if name not in point.by(kind):
                        lacking = (Line(self("没有", "none"), Style.NOT),)
                        rows.append((title, (Line(name), _muted(self.words(_KINDS[kind]))), (), lacking))
        return table(self("外部见证", "Held outside the hall"), columns, rows)

    def closing(self, about: About, digest: str) -> Cell:
        if about.seal is None:
            seal = self(
                "本件未加盖电子印章。内容以事件链和上述签名为准。",
                "This paper bears no electronic seal. What counts is the event chain and the signatures named above.",
            )
        else:
            seal = self(
                f"本件由{about.seal}加盖电子印章（PAdES），任何 PDF 阅读器均可验证；改动任何一处，印章即失效。",
                f"Sealed electronically by {about.seal} (PAdES): any PDF reader checks it, and any change breaks it.",
            )
        return (
            Line(seal),
            Line(
                self(
                    "机器可读的原件 record.json 附在本文件内；它的 SHA-256 为",
                    "The record for machines, record.json, is attached inside this file. Its SHA-256:",
                )
            ),
            Line(digest, Style.MONO),
            Line(
                self(
                    "核对全过程：下载本场档案包后离线运行 kaibiao verify session.zip。",
                    "To check the whole opening, download its archive and run, offline: kaibiao verify session.zip",
                )
            ),
        )


def _cell(text: str) -> Cell:
    return (Line(text),) if text else ()


def _muted(text: str) -> Line:
    return Line(text, Style.MUTED)
