"""The opening record as a page to read and print: one file, both languages, no script and nothing fetched.

The same record gives the same bytes, so a verifier makes the page again and compares. Every text from outside is
escaped where it enters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from sessions.amounts import grouped, in_english, is_amount
from sessions.opening.state import Opening, Status
from sessions.plan import Words
from sessions.roles import Role
from sessions.shape import moment
from sessions.wording.moments import spoken
from sessions.wording.terms import CAUSES, CONSEQUENCES, OBJECTIONS, ROLES, TURNS, stopped_for

_CSS = """
@page{size:A4 landscape;margin:14mm 12mm}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1180px;padding:40px 32px 64px;background:#fff;color:#17202a;
font:15px/1.6 "Noto Sans CJK SC","Noto Sans SC","PingFang SC","Microsoft YaHei","Helvetica Neue",Arial,sans-serif}
h1{margin:0;font-size:30px;letter-spacing:.06em;font-weight:650}
h1 span{display:block;margin-top:2px;font-size:15px;letter-spacing:0;font-weight:400;color:#5b6875}
h2{margin:40px 0 10px;font-size:17px;font-weight:650}
h2 span,th span,dt span,dd span,td span,p span{color:#5b6875;font-weight:400;font-size:.86em}
h2 span{margin-left:.5em}
header{display:flex;justify-content:space-between;align-items:flex-end;gap:32px;padding-bottom:18px;
border-bottom:2px solid #17202a}
.stamp{padding:4px 14px;border:1.5px solid #9a3412;color:#9a3412;font-weight:650;white-space:nowrap}
dl{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:0 40px;margin:18px 0 0}
dl div{display:grid;grid-template-columns:8em 1fr;padding:8px 0;border-bottom:1px solid #e3e8ec}
dt{color:#17202a;font-weight:600}
dd{margin:0;overflow-wrap:anywhere}
table{width:100%;border-collapse:collapse;font-size:14px}
th{padding:8px 10px;text-align:left;vertical-align:bottom;border-bottom:1.5px solid #17202a;font-weight:600}
th span,td span,dt span,dd span{display:block;margin:0}
.stamp span{margin-left:.5em;font-weight:400}
td{padding:9px 10px;vertical-align:top;border-bottom:1px solid #e3e8ec;overflow-wrap:anywhere}
tr{break-inside:avoid}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.big{font-size:17px;font-weight:650}
.mono,code{font:12px/1.5 ui-monospace,"SFMono-Regular",Menlo,Consolas,monospace;overflow-wrap:anywhere}
.not{color:#9a3412;font-weight:600}
footer{margin-top:44px;padding-top:14px;border-top:1px solid #c5ced6;color:#5b6875;font-size:13px}
@media print{body{padding:0;font-size:10.5pt;max-width:none}table{font-size:9.5pt}thead{display:table-header-group}}
@media(max-width:760px){dl{grid-template-columns:1fr}header{display:block}.stamp{display:inline-block;margin-top:12px}
table{display:block;overflow-x:auto}th,td{min-width:7em}.n{min-width:0}}
"""

_STATUS: Mapping[Status, Words | None] = {
    Status.ENDED: None,
    Status.FAILED: Words(zh="未开标", en="not opened"),
    Status.ABORTED: Words(zh="终止", en="aborted"),
}


def record_html(document: Mapping[str, Any], opening: Opening, head: str) -> str:
    """Return the page of ``document`` (sessions.opening.record) with the signatures and ``head``, the last digest."""
    body = "".join(
        (
            _header(document, opening),
            _facts(document),
            _outcome(opening),
            _bids(document),
            _late(document),
            _locks(document, opening),
            _draws(document),
            _objections(document),
            _floor(document),
            _course(document),
            _recording(document),
            _present(document),
            _signatures(document, opening),
            _footer(opening, head),
        )
    )
    title = _e(document["tender"]["title"]["zh"])
    return (
        '<!doctype html>\n<html lang="zh-CN">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        f"<title>开标记录表 {title}</title>\n<style>{_CSS}</style>\n<body>\n{body}</body>\n</html>\n"
    )


def _header(document: Mapping[str, Any], opening: Opening) -> str:
    stamps = [Words(zh="演练", en="rehearsal")] if document["rehearsal"] else []
    ending = _STATUS.get(opening.status)
    stamps += [ending] if ending else []
    marks = "".join(f'<div class="stamp">{_both(stamp)}</div>' for stamp in stamps)
    return f"<header><h1>开标记录表<span>Opening record</span></h1>{marks}</header>\n"


def _facts(document: Mapping[str, Any]) -> str:
    tender, rules, sealed = document["tender"], document["rules"], document["sealed_set"]
    rows = [
        ("项目名称", "Project", _both(tender["title"])),
        ("项目编号", "Tender", _e(tender["id"])),
        ("标段", "Lot", _e(tender["lot"])),
        ("招标人", "Tenderer", _both(tender["tenderer"])),
        *([("招标代理", "Agent", _both(tender["agent"]))] if tender["agent"] else []),
        ("开标地点", "Place", _both(tender["place"])),
        ("开标时间", "Opening time", _time(document["t0"])),
        ("适用规则", "Rules", f"{_both(rules['title'])}<span>{_e(rules['id'])} {_e(rules['version'])}</span>"),
        *([("最高投标限价", "Ceiling", _money(tender["ceiling"]))] if tender["ceiling"] else []),
    ]
    if sealed:
        rows.append(("收到投标文件", "Bids received", str(sealed["received"])))
        rows.append(("集合根值", "Root of the sealed set", f"<code>{_e(sealed['root'])}</code>"))
    if document["barrier"]:
        rows.append(("解密屏障", "Barrier", _time(document["barrier"]["at"])))
    cells = "".join(f"<div><dt>{zh}<span>{en}</span></dt><dd>{value}</dd></div>" for zh, en, value in rows)
    return f"<dl>{cells}</dl>\n"


def _outcome(opening: Opening) -> str:
    if opening.status is Status.FAILED and opening.frozen is not None:
        minimum = opening.plan.pack.minimum_bidders
        return (
            f"<h2>结果<span>Outcome</span></h2><p>投标人少于 {minimum} 个，不得开标；所有投标文件原样封存。<br>"
            f"<span>Fewer than {minimum} bids: nothing was opened and all bids stay sealed.</span></p>\n"
        )
    if opening.status is Status.ABORTED:
        return f"<h2>终止原因<span>Why it was aborted</span></h2><p>{_e(opening.abort_reason or '')}</p>\n"
    return ""


def _bids(document: Mapping[str, Any]) -> str:
    if not document["rows"]:
        return ""
    fields = document["fields"]
    heads = "".join(
        _th(field["label"]["zh"], field["label"]["en"], number=field["kind"] in _FIGURES) for field in fields
    )
    head = f"{_th('序号', 'No.')}{_th('投标人', 'Bidder')}{_th('密封', 'Seal')}{heads}{_th('备注', 'Remarks')}"
    rows = "".join(_bid(row, fields, document["tender"]["currency"]) for row in document["rows"])
    return _table("开标一览表", "Read-out", head, rows)


_FIGURES = frozenset({"money", "integer", "percent"})
_RIGHT = ' class="n"'


def _bid(row: Mapping[str, Any], fields: Sequence[Mapping[str, Any]], currency: str) -> str:
    seal = "完好<span>intact</span>" if row["seal"] == "ok" else f'<span class="not">{_e(row["seal"] or "")}</span>'
    who = f'{_e(row["name"])}<span>{_e(row["bidder"])}</span><span class="mono">{_e(row["tracker"])}</span>'
    if row["quote"] is None:
        cause, after = CAUSES.get(row["cause"] or ""), CONSEQUENCES.get(row["consequence"] or "")
        said = "".join(_both(words) for words in (cause, after) if words) or "未打开<span>not opened</span>"
        figures = f'<td class="not" colspan="{len(fields)}">{_e(row["cause"] or "")} {said}</td>'
    else:
        figures = "".join(_figure(field, row, currency) for field in fields)
    return f'<tr><td class="n">{row["row"]}</td><td>{who}</td><td>{seal}</td>{figures}<td>{_remarks(row)}</td></tr>'


def _figure(field: Mapping[str, Any], row: Mapping[str, Any], currency: str) -> str:
    value = row["quote"].get(field["id"], "")
    amount = row["amounts"].get(field["id"])
    if amount is not None:
        words = f"<span>{_e(amount['words'])}</span>" if "words" in amount else ""
        english = f"<span>{_e(in_english(amount['amount'], amount['currency']))}</span>"
        return (
            f'<td class="n"><b class="big">{_e(amount["figures"])}</b> {_e(amount["currency"])}{words}{english}</td>'
        )
    shown = grouped(value) if field["kind"] == "money" and is_amount(value) else value
    return f'<td class="{"n" if field["kind"] in _FIGURES else ""}">{_e(shown)}</td>'


def _remarks(row: Mapping[str, Any]) -> str:
    said = [_e(flag) for flag in row["flags"]]
    if row.get("rescued"):
        said.append("凭备用文件<span>by a rescue file</span>")
    if row["disputed"]:
        said.append("投标人有异议<span>disputed by the bidder</span>")
    elif row["confirmed_at"]:
        said.append("投标人已确认<span>confirmed by the bidder</span>")
    if not row["checked_in_at"]:
        said.append("未签到<span>did not check in</span>")
    return "<br>".join(said)


def _late(document: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{_e(late['name'])}<span>{_e(late['bidder'])}</span></td><td>{_time(late['at'])}</td>"
        f'<td class="mono">{_e(late["slip_sha256"])}</td></tr>'
        for late in document["late"]
    )
    head = f"{_th('递交人', 'Who')}{_th('时间', 'When')}{_th('拒收凭证摘要', 'Digest of the refusal slip')}"
    return _table("逾期拒收", "Refused as late", head, rows)


def _locks(document: Mapping[str, Any], opening: Opening) -> str:
    """Every lock: who held it by the announcement, how many it took, and who removed it when."""
    holders = {lock.id: [officer.name for officer in lock.officers] for lock in opening.plan.every_lock}
    rows = "".join(
        f"<tr><td>{_both(lock['title'])}</td><td>{'、'.join(map(_e, holders[lock['id']]))}</td>"
        f'<td class="n">{lock["threshold"]} / {lock["of"]}</td><td>{_removed(lock)}</td></tr>'
        for lock in document.get("locks", ())
    )
    titles = (("锁", "Lock"), ("掌锁人", "Held by"), ("需几人", "Needed"), ("移除", "Removed"))
    return _table("开标锁", "Locks", "".join(_th(zh, en) for zh, en in titles), rows)


def _removed(lock: Mapping[str, Any]) -> str:
    said = [f"{_e(one['name'])} {_time(one['at'])}{_unfit(one)}" for one in lock["removed"]]
    if (missed := lock["missed"]) is not None:
        late = "掌锁人未到，两人决定继续<span>its officers did not come, two persons went on</span>"
        said.append(f"{late}{_time(missed['at'])} {_e(missed['by'])}：{_e(missed['reason'])}")
    return "<br>".join(said) or "未移除<span>not removed</span>"


def _unfit(removal: Mapping[str, Any]) -> str:
    count = len(removal["failed"])
    return f'<span class="not">{count} 份不符 did not fit: {count}</span>' if count else ""


def _draws(document: Mapping[str, Any]) -> str:
    rows = "".join(
        f'<tr><td>{_both(draw["title"])}</td><td class="big">{_outcome_of(draw)}</td>'
        f'<td class="n">{draw["of"]}</td><td class="n">{draw["round"]}</td>'
        f'<td class="mono">{_e(draw["randomness"])}</td></tr>'
        for draw in document["draws"]
    )
    titles = (
        ("抽取事项", "Drawn"),
        ("结果", "Result"),
        ("候选数", "Of"),
        ("轮次", "Round"),
        ("随机值", "Randomness"),
    )
    return _table("抽取", "Draw", "".join(_th(zh, en) for zh, en in titles), rows)


def _outcome_of(draw: Mapping[str, Any]) -> str:
    named = draw["names"] or draw["drawn"]
    return "、".join(_e(value) for value in named)


def _objections(document: Mapping[str, Any]) -> str:
    names = _names(document)
    rows = "".join(
        f'<tr><td class="n">{item["number"]}</td><td>{_e(names.get(item["bidder"], item["bidder"]))}</td>'
        f"<td>{_titled(item['title'])}{_both(OBJECTIONS[item['kind']])}</td><td>{_time(item['at'])}</td>"
        f"<td>{_answered(item)}</td></tr>"
        for item in document["objections"]
    )
    titles = (("序号", "No."), ("提出人", "By"), ("事项", "Matter"), ("提出", "Raised"), ("答复", "Answered"))
    head = "".join(_th(zh, en) for zh, en in titles)
    return _table("异议", "Objections", head, rows)


def _floor(document: Mapping[str, Any]) -> str:
    if not document.get("floor"):
        return ""
    names = _names(document)
    rows = "".join(
        f"<tr><td>{_e(names.get(turn['bidder'], turn['bidder']))}</td><td>{_time(turn['asked_at'])}</td>"
        f"<td>{_time(turn['granted_at'])} {_e(turn['granted_by'] or '')}</td><td>{_time(turn['ended_at'])}</td>"
        f"<td>{_both(TURNS[turn['why']]) if turn['why'] else ''}{_e(turn['reason'])}</td></tr>"
        for turn in document["floor"]
    )
    titles = (("投标人", "Bidder"), ("申请", "Asked"), ("准许", "Given"), ("结束", "Over"), ("说明", "How"))
    return _table("发言", "The floor", "".join(_th(zh, en) for zh, en in titles), rows)


def _titled(title: str) -> str:
    return f"<b>{_e(title)}</b><br>" if title else ""


def _answered(item: Mapping[str, Any]) -> str:
    return f"{_time(item['answered_at'])} {_e(item['answered_by'] or '')}" if item["answered_at"] else "未答复"


def _course(document: Mapping[str, Any]) -> str:
    names = _names(document)
    rows = "".join(
        f"<tr><td>{_both(step['title'])}</td><td>{_time(step['entered_at'])}</td><td>{_time(step['completed_at'])}</td>"
        f"<td>{_notes(step, names)}</td></tr>"
        for step in document["steps"]
    )
    rows += "".join(
        f"<tr><td>暂停<span>paused</span></td><td>{_time(pause['since'])}</td><td>{_time(pause['until'])}</td>"
        f"<td>{_why(pause)}</td></tr>"
        for pause in document["pauses"]
    )
    rows += "".join(
        f"<tr><td>推迟<span>postponed</span></td><td>{_time(move['old'])}</td><td>{_time(move['new'])}</td>"
        f"<td>{_why(move)}</td></tr>"
        for move in document["postponements"]
    )
    head = f"{_th('环节', 'Step')}{_th('开始', 'From')}{_th('结束', 'To')}{_th('说明', 'Notes')}"
    return _table("过程", "Course", head, rows)


def _recording(document: Mapping[str, Any]) -> str:
    """How far the recording was when it was last noted before the record was drawn, and what is missing of it."""
    told = document.get("recording")
    if told is None:
        return ""
    rows = "".join(
        f"<tr><td>无画面<span>no picture</span></td><td>{_time(gap['since'])}</td><td>{_time(gap['until'])}</td></tr>"
        for gap in told["gaps"]
    )
    until = _time(told["until"]) if told["until"] else "无<span>none</span>"
    whole = "" if rows else "<tr><td>没有中断<span>no gap</span></td><td></td><td></td></tr>"
    said = f"<tr><td>记入日志<span>noted in the log</span></td><td></td><td>{_time(told['noted_at'])}</td></tr>"
    said += f"<tr><td>画面截至<span>picture up to</span></td><td></td><td>{until}</td></tr>"
    head = f"{_th('事项', 'What')}{_th('开始', 'From')}{_th('结束', 'To')}"
    return _table("录像", "Recording", head, said + rows + whole)


def _why(change: Mapping[str, Any]) -> str:
    if not change.get("stops"):
        return f"{_e(change['by'])}：{_e(change['reason'])}"
    words = stopped_for(change["reason"], change["stops"])
    return f"{_e(change['by'] or ROLES[Role.CLOCK].zh)}：{_e(words.zh)}<span>{_e(words.en)}</span>"


def _notes(step: Mapping[str, Any], names: Mapping[str, str]) -> str:
    said = [
        f"延长至 {_time(item['new'])} {_e(item['by'])}：{_e(item['reason'])}<span>extended</span>"
        for item in step["extensions"]
    ]
    if step["missing"]:
        missing = "、".join(names.get(who, who) for who in step["missing"])
        said.append(f"未完成：{_e(missing)}<span>did not act</span>")
    return "<br>".join(said)


def _present(document: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{_both(ROLES[chair['role']])}{_acting(chair)}</td><td>{_e(chair['name'])}</td>"
        f"<td>{_time(chair['at'])}</td></tr>"
        for chair in document["present"]
    )
    return _table("到场人员", "Present", f"{_th('身份', 'As')}{_th('姓名', 'Name')}{_th('时间', 'Since')}", rows)


def _acting(chair: Mapping[str, Any]) -> str:
    """Whether a deputy acted as host when the record was drawn."""
    return "代行主持<span>acting as host</span>" if chair["host"] and chair["role"] != Role.HOST else ""


def _signatures(document: Mapping[str, Any], opening: Opening) -> str:
    if opening.drawn is None:
        return ""
    names = _names(document)
    given = {signature.signer: signature for signature in opening.signatures}
    rows = ""
    for signer in opening.drawn.asked:
        signature = given.get(signer)
        when = _spoken(signature.at) if signature else "未签名<span>not signed</span>"
        role = ROLES[signature.role] if signature else ROLES[Role.BIDDER] if opening.bid(signer) else None
        rows += (
            f"<tr><td>{_both(role) if role else ''}</td><td>{_e(names.get(signer, signer))}</td><td>{when}</td></tr>"
        )
    said = (
        f'<p class="mono">{opening.drawn.sha256}</p>'
        "<p>以上是本记录（record.json）的 SHA-256，下列签名均对它作出。<br>"
        "<span>The SHA-256 of this record (record.json); every signature below is over it.</span></p>"
    )
    return _table("签名", "Signatures", f"{_th('身份', 'As')}{_th('名称', 'Name')}{_th('时间', 'When')}", rows, said)


def _footer(opening: Opening, head: str) -> str:
    return (
        f"<footer><p>场次 Session {_e(opening.plan.session)}<br>事件链末值 Head of the event chain "
        f"<code>{_e(head)}</code></p><p>任何人都可以离线核对：kaibiao verify session.zip<br>"
        "Anyone can check this offline: kaibiao verify session.zip</p></footer>\n"
    )


def _names(document: Mapping[str, Any]) -> dict[str, str]:
    """The names of everybody whom the record mentions by number or account."""
    bidders = {row["bidder"]: row["name"] for row in document["rows"]}
    return bidders | {chair["account"]: chair["name"] for chair in document["present"]}


def _table(zh: str, en: str, head: str, rows: str, said: str = "") -> str:
    if not rows:
        return ""
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return f"<h2>{zh}<span>{en}</span></h2>{said}{table}\n"


def _th(zh: str, en: str, *, number: bool = False) -> str:
    return f"<th{_RIGHT if number else ''}>{_e(zh)}<span>{_e(en)}</span></th>"


def _both(words: Words | Mapping[str, str]) -> str:
    zh, en = (words.zh, words.en) if isinstance(words, Words) else (words["zh"], words["en"])
    return f"{_e(zh)}<span>{_e(en)}</span>"


def _money(amount: Mapping[str, Any]) -> str:
    words = f" <span>{_e(amount['words'])}</span>" if "words" in amount else ""
    return f"{_e(amount['figures'])} {_e(amount['currency'])}{words}"


def _time(text: str | None) -> str:
    return "" if text is None else _spoken(moment(text))


def _spoken(at: Any) -> str:
    words = spoken(at)
    return f"{_e(words.zh)}<span>{_e(words.en)}</span>"


def _e(text: object) -> str:
    return escape(str(text))
