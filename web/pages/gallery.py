"""Every state of every page, from made-up views: what ``/_/gallery`` shows and the page tests walk through.

One opening of five bidders is told from before T0 to its end; the other states are that story with one thing changed.
"""

# ruff: noqa: E501 - a Chinese character counts as two columns, and this is a story told in both languages

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from crypto.digest import sha256_hex
from sessions.ids import SessionId
from sessions.ports import Summary

View = dict[str, Any]

_STEPS: Final = (
    ("checkin", "签到", "Check-in", "投标人在线签到，主持人和监督人就位。开标前不公布投标人名称和数量。",
     "Bidders check in online; host and supervisor take their chairs. No names or numbers are shown before the opening time."),
    ("list", "公布投标人", "Bidders listed", "投标截止，名单和每份密封文件的指纹已经公布，此后不能增减。",
     "Intake is closed. The names and the fingerprint of every sealed bid are public; none can be added or dropped."),
    ("check", "密封检查", "Seal check", "平台重新读取每一份投标文件，核对与回执是否一致。",
     "The hall reads every sealed bid again and compares it with its receipt."),
    ("ceiling", "公布限价", "Ceiling", "公布最高投标限价。此时还没有任何报价可见。",
     "The highest admissible price is announced, while no bid price is visible to anyone."),
    ("draw", "抽取", "Draw", "到场各方各自锁定一个随机数，全部锁定之后再公开。抽取结果由这些数计算得出，谁都可以重算一遍。",
     "Everyone present commits to a secret number, and all are shown only when all are committed. The result follows "
     "from them by arithmetic that anyone can repeat."),
    ("decrypt", "解密", "Unlocking", "投标人正在用自己的密钥解锁自己的投标文件。窗口结束前，任何人都看不到价格，包括主持人。",
     "Bidders now unlock their own sealed bids with their own keys. Until the window is over no price is visible to "
     "anyone, the host included."),
    ("readout", "唱标", "Read-out", "全部报价同时公开，逐行宣读。表中每一行都可以与封存时的承诺核对。",
     "All prices became public at the same moment and are read out row by row. Each can be checked against its seal."),
    ("confirm", "确认", "Confirmation", "投标人确认唱标内容与自己封存的一致，或提出异议。",
     "Each bidder confirms that what was read out is what it sealed, or disputes it."),
    ("objection", "异议", "Objections", "投标人可以提出异议或回避申请，每一项都必须当场答复。",
     "Bidders may object or ask somebody to step aside. Each request must be answered on the spot."),
    ("sign", "签字", "Signatures", "各方在开标记录上签字。记录的指纹已经固定，此后不再变化。",
     "Everyone signs the opening record. Its fingerprint is fixed and no longer changes."),
)  # fmt: skip
_ARTICLES: Final = {
    "checkin": ("电子招标投标办法 第29条", "Electronic Bidding Measures, art. 29", "所有投标人应准时在线参加开标。",
                "All bidders take part in the opening online and on time."),
    "list": ("招标投标法 第36条", "Bidding Law, art. 36", "开标时当众公布投标人名称。", "The bidders' names are announced in public."),
    "check": ("招标投标法 第36条", "Bidding Law, art. 36", "检查投标文件的密封情况。", "The seals of the bids are inspected."),
    "ceiling": ("实施条例 第27条", "Implementing Regulations, art. 27", "招标人可以设最高投标限价。", "A tenderer may set a ceiling."),
    "draw": ("电子招标投标系统技术规范 5.6", "Technical Specification for Electronic Tendering, 5.6", "开标按预设流程进行。",
             "The opening follows a preset order."),
    "decrypt": ("电子招标投标办法 第30条", "Electronic Bidding Measures, art. 30", "由投标人按规定时间在线解密。",
                "Bidders unlock their bids online within the set time."),
    "readout": ("招标投标法 第36条", "Bidding Law, art. 36", "当众拆封、宣读价格和其他主要内容。",
                "Bids are opened in public, and price and other main points read out."),
    "confirm": ("电子招标投标办法 第30条", "Electronic Bidding Measures, art. 30", "公布开标内容供投标人核对。",
                "What was opened is published for the bidders to check."),
    "objection": ("实施条例 第44条", "Implementing Regulations, art. 44", "对开标有异议的，应当场提出、当场答复。",
                  "Objections are raised and answered on the spot."),
    "sign": ("招标投标法 第36条", "Bidding Law, art. 36", "开标过程应当记录并存档。", "The opening is recorded and kept on file."),
}  # fmt: skip
_WITNESSES: Final = ("bureau.example/witness", "notary.example/witness")


def _watch(phase: str, *points: str, **changes: object) -> View:
    """Two witnesses outside, who hold every point so far."""
    reached = points or (() if phase == "before" else ("close",))
    titles = {"close": ("锁定的投标文件集合", "the frozen set"), "record": ("开标记录", "the opening record")}
    return {
        "origin": "hall.example/s/gallery",
        "quorum": 2,
        "of": 2,
        "mode": "open",
        "state": "held" if reached else "announced",
        "held": 2 if reached else 0,
        "ready": True,
        "points": {
            name: {
                "order": order, "title": {"zh": titles[name][0], "en": titles[name][1]}, "number": 9 + 50 * order,
                "held": 2, "stamps": 0, "authorities": 0, "state": "held",
            }
            for order, name in enumerate(reached)
        },
        "witnesses": {
            str(n): {"name": name, "size": 9 if reached else None, "at": _time("09:00:01") if reached else None}
            for n, name in enumerate(_WITNESSES, start=1)
        },
        "dispute": None,
        **changes,
    }  # fmt: skip


_HOST: Final = {"role": "host", "id": "li", "name": "李明"}
_SUPERVISOR: Final = {"role": "supervisor", "id": "zhang", "name": "张立"}
_CLOCK: Final = {"role": "clock", "id": "clock", "name": ""}
_TOO_FEW: Final = {
    "id": "ir-44-2",
    "cite": {"zh": "招标投标法实施条例 第44条第2款", "en": "Implementing Regulations, art. 44(2)"},
    "gist": {
        "zh": "投标人少于3个的，不得开标；招标人应当重新招标。",
        "en": "With fewer than three bidders no bid is opened; tenders are invited anew.",
    },
}
_BIDDERS: Final = (
    ("91430100MA4L1AAA1X", "湖南阿尔法路桥建设有限公司", "K7F2-9QWM-3TRD-A1", "12864500.00", "12,864,500.00",
     "壹仟贰佰捌拾陆万肆仟伍佰元整", "twelve million eight hundred sixty-four thousand five hundred yuan", "240", "陈建国"),
    ("91430100MA4L2BBB2Y", "贝塔市政工程集团有限公司", "M3XA-77PE-0KZD-9Q", "12390000.00", "12,390,000.00",
     "壹仟贰佰叁拾玖万元整", "twelve million three hundred ninety thousand yuan", "230", "李文"),
    ("91430100MA4L3CCC3Z", "伽马建设（集团）股份有限公司", "Z0VB-4N8T-HHQ2-5W", "12718800.50", "12,718,800.50",
     "壹仟贰佰柒拾壹万捌仟捌佰元伍角整", "twelve million seven hundred eighteen thousand eight hundred yuan and fifty fen",
     "235", "王志强"),
    ("91430100MA4L4DDD4W", "德尔塔土木工程有限公司", "Q9RC-1D6Y-W2MS-X8", "13255000.00", "13,255,000.00",
     "壹仟叁佰贰拾伍万伍仟元整", "thirteen million two hundred fifty-five thousand yuan", "210", "赵敏"),
    ("91430100MA4L5EEE5V", "中部第五建筑安装工程有限公司", "5TGH-EJ30-B7KF-P2", "", "", "", "", "", ""),
)  # fmt: skip
_SESSION_KEY: Final = "BKx1" + "a" * 83


def hexed(text: str) -> str:
    """Return a digest that looks like one."""
    return sha256_hex(text.encode())


def _time(clock: str) -> str:
    """Return a moment of the opening day from Beijing's ``HH:MM:SS``."""
    return f"{datetime.fromisoformat(f'2026-11-23T{clock}+08:00').astimezone(UTC):%Y-%m-%dT%H:%M:%S}.000Z"


def _steps(current: str | None, state: str = "current", due: str | None = None) -> View:
    ids = [step[0] for step in _STEPS]
    here = ids.index(current) if current else -1
    made: View = {}
    for order, (name, zh, en, why_zh, why_en) in enumerate(_STEPS):
        cite_zh, cite_en, gist_zh, gist_en = _ARTICLES[name]
        made[name] = {
            "order": order,
            "kind": name,
            "title": {"zh": zh, "en": en},
            "why": {"zh": why_zh, "en": why_en},
            "article": {"id": name, "cite": {"zh": cite_zh, "en": cite_en}, "gist": {"zh": gist_zh, "en": gist_en}},
            "starts": "clock" if name in {"checkin", "list", "check"} else "host",
            "state": "done" if order < here else "ahead" if order > here else state,
            "due": due if name == current else None,
        }
    return made


def _bids(state: str, **changes: object) -> View:
    made: View = {}
    for row, (bidder, name, tracker, *_) in enumerate(_BIDDERS, 1):
        made[str(row)] = {
            "row": row,
            "bidder": bidder,
            "name": name,
            "tracker": tracker,
            "received_at": f"2026-11-2{row % 3}T0{row}:1{row}:22.4{row}7Z",
            "versions": 2 if row == 2 else 1,
            "checked_in": row != 5,
            "checked_in_at": _time(f"08:4{row}:07") if row != 5 else None,
            "seal": None,
            "state": state,
            "attempts": 0,
            "failure": None,
            "cause": None,
            "consequence": None,
            "quote": None,
            "amount": None,
            "flags": [],
            "quote_sha256": None,
            "quote_key": None,
            "confirmed": None,
            "none_declared": False,
            "signed": False,
            **changes,
        }
    return made


def _draw(stage: str) -> View:
    """Return a draw of the host and two bidders: one bidder's number is still missing, or the result is there."""
    made = stage == "made"
    parties = (("host", "li", "李明"), *(("bidder", bidder, name) for bidder, name, *_ in _BIDDERS[:2]))
    values = ["0.95", "0.96", "0.97"]
    return {
        "round": 1,
        "stage": stage,
        "rules": {
            "k": {
                "order": 0,
                "title": {"zh": "评标基准价下浮系数 K", "en": "Reduction coefficient K"},
                "values": values,
                "pick": 1,
                "drawn": values[1:2] if made else None,
                "result": {"zh": values[1], "en": values[1]} if made else None,
            }
        },
        "parties": {
            str(number): {
                "role": role,
                "party": party,
                "name": name,
                "commitment": hexed(f"commitment of {party}"),
                "shown": made or number == 2,
                "seed": hexed(f"seed of {party}") if made else None,
            }
            for number, (role, party, name) in enumerate(parties, 1)
        },
        "waiting": [] if made else [{"role": "bidder", "party": _BIDDERS[1][0]}],
        "waits_for": None if made else {"zh": _BIDDERS[1][1], "en": _BIDDERS[1][1]},
        "left_out": None,
        "randomness": hexed("randomness") if made else None,
    }


def _opened(**changes: object) -> View:
    bids = _bids("opened", seal="ok", attempts=1, **changes)
    for row, (_, name, _, plain, grouped, zh, en, days, manager) in enumerate(_BIDDERS[:4], 1):
        bids[str(row)] |= {
            "quote": {"price": plain, "days": days, "quality": "合格", "manager": manager},
            "amount": {"grouped": grouped, "zh": zh, "en": en},
            "quote_sha256": hexed(name),
            "quote_key": "q" * 43,
        }
    bids["4"]["flags"] = ["over_ceiling"]
    bids["5"] |= {
        "state": "not_opened", "attempts": 0, "cause": "B1", "consequence": "revoked",
        "confirmed": None, "none_declared": False, "signed": False,
    }  # fmt: skip
    return bids


def _view(n: int, clock: str, status: str, phase: str, step: str | None, **changes: object) -> View:
    state = str(changes.pop("state", "current"))
    due = changes.pop("due", None)
    view: View = {
        "n": n,
        "at": _time(clock),
        "head": hexed(f"event {n}"),
        "session": {
            "id": "gc-2026-0417-02",
            "tender": "GC-2026-0417",
            "lot": "02",
            "title": {"zh": "金山路排水改造工程（二标段）", "en": "Jinshan Road drainage works, section 2"},
            "tenderer": {"zh": "金山市市政建设管理处", "en": "Jinshan Municipal Works Office"},
            "agent": {"zh": "正信工程咨询有限公司", "en": "Zhengxin Engineering Consultants"},
            "place": {"zh": "网络开标大厅", "en": "Online opening hall"},
            "currency": "CNY",
            "rules": {
                "id": "cn-construction", "version": "2026.2", "digest": hexed("pack"),
                "title": {"zh": "工程建设项目", "en": "Works construction, China"},
            },
            "rehearsal": False,
        },
        "t0": _time("09:00:00"),
        "status": status,
        "phase": phase,
        "step": step,
        "due": due,
        "hold": None,
        "clock": None,
        "steps": _steps(step, state, due if isinstance(due, str) else None),
        "fields": {
            "price": {"order": 0, "kind": "money", "label": {"zh": "投标总价", "en": "Price"}, "currency": "CNY"},
            "days": {"order": 1, "kind": "integer", "label": {"zh": "工期（日历天）", "en": "Days"}, "currency": None},
            "quality": {"order": 2, "kind": "text", "label": {"zh": "质量目标", "en": "Quality"}, "currency": None},
            "manager": {"order": 3, "kind": "text", "label": {"zh": "项目经理", "en": "Manager"}, "currency": None},
        },
        "chairs": {
            "host": {"name": "李明", "since": _time("08:31:10")},
            "deputy": {"name": "王芳", "since": _time("08:35:42")},
            "supervisor": {"name": "张立", "since": _time("08:40:03")},
            "acting": "host",
            "required": {"host": True},
        },
        "received": None,
        "root": None,
        "session_key": None,
        "intake_head": None,
        "clock_offset_ms": None,
        "minimum": 3,
        "ceiling": None,
        "bids": {},
        "late": {},
        "reading": None,
        "objections": {},
        "floor": None,
        "proposals": {},
        "record": None,
        "failed": None,
        "aborted": None,
        "watch": _watch(phase),
    }  # fmt: skip
    if phase != "before":
        view |= {
            "received": 5, "root": hexed("root"), "session_key": _SESSION_KEY, "intake_head": hexed("intake"), "clock_offset_ms": 12,
        }  # fmt: skip
    view |= changes
    return view


_CEILING: Final = {
    "amount": "13200000.00", "currency": "CNY", "grouped": "13,200,000.00",
    "zh": "壹仟叁佰贰拾万元整", "en": "thirteen million two hundred thousand yuan",
}  # fmt: skip
_LATE: Final = {
    "1": {
        "bidder": "91430100MA4L9FFF9T",
        "name": "晚到建设工程有限公司",
        "code": "late",
        "at": _time("09:00:00").replace(".000", ".412"),
    }
}


def _decrypting() -> View:
    bids = _bids("waiting", seal="ok")
    for row in ("2", "3", "4"):
        bids[row] |= {"state": "released", "attempts": 1}
    bids["1"] |= {"attempts": 2}
    return _view(
        31, "09:04:12", "live", "decrypt", "decrypt", due=_time("09:30:00"), bids=bids, ceiling=_CEILING, late=_LATE
    )


def _after(n: int, clock: str, step: str, **changes: object) -> View:
    made: View = {"bids": _opened(), "ceiling": _CEILING, "late": _LATE, **changes}
    return _view(n, clock, "live", "opened", step, **made)


def _objections() -> View:
    return {
        "1": {
            "number": 1, "row": 1, "bidder": _BIDDERS[0][0], "kind": "objection", "title": "对第 4 行工期的单位提出疑问",
            "at": _time("09:34:02"), "state": "answered", "text": "请说明工期是日历天还是工作日。",
            "answer": "以招标文件为准，均为日历天。", "answered_at": _time("09:34:40"),
        },
        "2": {
            "number": 2, "row": 3, "bidder": _BIDDERS[2][0], "kind": "recusal", "title": "申请监督人说明回避情况",
            "at": _time("09:35:10"), "state": "open",
        },
    }  # fmt: skip


def _floor(speaks: int, *asks: int) -> View:
    """Who speaks, and who asks to, by their rows."""
    who = {row: {"row": row, "bidder": bidder[0], "name": bidder[1]} for row, bidder in enumerate(_BIDDERS, 1)}
    asked = {
        str(row): {"order": order, **who[row], "at": _time(f"09:31:1{order}")} for order, row in enumerate(asks, 1)
    }
    return {"open": True, "speaker": {**who[speaks], "since": _time("09:31:30")} if speaks else None, "asked": asked}


def _record(*signers: str) -> View:
    people = {
        "li": {"role": "host", "name": "李明", "at": _time("09:37:02")},
        "zhang": {"role": "supervisor", "name": "张立", "at": _time("09:37:35")},
        **{
            bidder[0]: {"role": "bidder", "name": bidder[1], "at": _time(f"09:37:2{i}")}
            for i, bidder in enumerate(_BIDDERS[:4])
        },
    }
    return {
        "digest": hexed("record"),
        "signatures": {name: people[name] for name in signers},
        "asked": list(people),
    }


def _ended() -> View:
    signers = ["li", "zhang", *(bidder[0] for bidder in _BIDDERS[:4])]
    objections = _objections()
    objections["2"] |= {
        "state": "answered",
        "text": "请说明。",
        "answer": "经核对，无应回避情形。",
        "answered_at": _time("09:36:01"),
    }
    view = _after(
        68, "09:38:20", "sign", state="complete", record=_record(*signers), objections=objections,
        bids=_opened(confirmed="yes", none_declared=True, signed=True),
    )  # fmt: skip
    for step in view["steps"].values():
        step["state"] = "done"
    return view | {"status": "ended", "phase": "ended", "step": None}


def _changed(make: Callable[[], View], **changes: object) -> View:
    return make() | changes


def _locks(ready: int, removed: int, barrier: str | None = None) -> View:
    """Three locks; ``ready`` and ``removed`` count officers in order, ``barrier`` is since when the bids wait."""
    people = (
        (
            "host",
            "lock",
            {"zh": "主持方的锁", "en": "the host's lock"},
            (("li", "李明", "host"), ("wang", "王芳", "deputy")),
        ),
        (
            "supervisor",
            "lock",
            {"zh": "监督方的锁", "en": "the supervisor's lock"},
            (("zhang", "张立", "supervisor"),),
        ),
        (
            "tenderer",
            "tenderer",
            {"zh": "招标人的锁", "en": "the tenderer's lock"},
            (("zhao", "赵诚", "supervisor"),),
        ),
    )
    made: View = {}
    for order, (name, kind, title, officers) in enumerate(people):
        off, able = order < removed, order < ready
        state = "removed" if off else "ready" if able else "absent"
        made[name] = {
            "order": order, "kind": kind, "title": title, "threshold": 1, "of": len(officers),
            "ready": int(able), "removed": int(off),
            "state": "off" if off else "holding" if barrier else "ready" if able else "waiting",
            "since": _time(f"09:30:{order}5") if off else _time(barrier) if barrier else None,
            "reason": None,
            "officers": {
                str(n): {
                    "order": n, "account": account, "name": who, "role": role, "certificate": hexed(account),
                    "state": state if n == 1 else "absent",
                    "at": (_time(f"09:30:{order}5") if off else _time("08:45:10") if able else None) if n == 1 else None,
                    "opened": 4 if off and n == 1 else 0, "failed": 0,
                }
                for n, (account, who, role) in enumerate(officers, 1)
            },
        }  # fmt: skip
    return made


def _behind_locks() -> View:
    bids = _bids("released", seal="ok", attempts=1)
    bids["5"] |= {"state": "waiting", "attempts": 0}
    return _view(
        36, "09:31:20", "live", "opened", "decrypt", due=_time("09:30:00"), bids=bids, ceiling=_CEILING, late=_LATE,
        locks=_locks(3, 1, "09:30:00"), session_key=None,
    )  # fmt: skip


_STATES: Final[Mapping[str, Callable[[], View]]] = {
    "scheduled": lambda: _view(
        1, "07:00:00", "scheduled", "before", None, chairs={"host": None, "deputy": None, "supervisor": None, "acting": "host", "required": {"host": False}}
    ),
    "checkin": lambda: _view(6, "08:52:30", "checkin", "before", "checkin", due=_time("09:00:00")),
    "listed": lambda: _view(9, "09:00:20", "live", "listed", "list", state="complete", bids=_bids("waiting"), late=_LATE),
    "checked": lambda: _view(
        12, "09:00:41", "live", "listed", "check", state="complete", bids=_bids("waiting", seal="ok"), late=_LATE
    ),
    "ceiling": lambda: _view(
        15, "09:01:10", "live", "listed", "ceiling", state="complete", bids=_bids("waiting", seal="ok"), ceiling=_CEILING, late=_LATE
    ),
    "locks": lambda: _view(
        16, "09:01:40", "live", "listed", "ceiling", state="complete", bids=_bids("waiting", seal="ok"), ceiling=_CEILING,
        late=_LATE, locks=_locks(1, 0), session_key=None,
    ),
    "draw": lambda: _view(
        24, "09:02:10", "live", "listed", "draw", due=_time("09:05:00"), bids=_bids("waiting", seal="ok"),
        ceiling=_CEILING, late=_LATE, draw=_draw("reveal"),
    ),
    "drawn": lambda: _view(
        29, "09:02:40", "live", "listed", "draw", state="complete", bids=_bids("waiting", seal="ok"),
        ceiling=_CEILING, late=_LATE, draw=_draw("made"),
    ),
    "decrypt": _decrypting,
    "unlocking": _behind_locks,
    "retry": lambda: _changed(_decrypting, bids={**_decrypting()["bids"], "1": {**_decrypting()["bids"]["1"], "failure": "wrong_key"}}),
    "unopened": lambda: _after(
        40, "09:30:25", "readout", due=_time("09:30:40"),
        bids={**_opened(), "1": {**_bids("not_opened", seal="ok", attempts=2)["1"], "cause": "B2", "consequence": "revoked"}},
        reading={"from": _time("09:30:00"), "pace_ms": 10000, "rows": [2, 3, 4]},
    ),
    "readout": lambda: _after(
        42, "09:30:25", "readout", due=_time("09:30:40"),
        reading={"from": _time("09:30:00"), "pace_ms": 10000, "rows": [1, 2, 3, 4]},
    ),
    "confirm": lambda: _after(
        47, "09:32:00", "confirm", due=_time("09:36:40"),
        bids={**_opened(), "2": {**_opened()["2"], "confirmed": "yes"}, "3": {**_opened()["3"], "confirmed": "disputed"}},
        floor=_floor(3, 2, 1),
    ),
    "objection": lambda: _after(
        52, "09:35:12", "objection", due=_time("09:39:00"), objections=_objections(), bids=_opened(confirmed="yes"), floor=_floor(1, 4)
    ),
    "sign": lambda: _after(
        60, "09:37:22", "sign", due=_time("09:52:00"), record=_record("li", _BIDDERS[1][0]),
        bids={k: {**v, "signed": k == "2"} for k, v in _opened(confirmed="yes", none_declared=True).items()},
    ),
    "ended": _ended,
    "paused": lambda: _changed(
        _decrypting, at=_time("09:05:20"),
        hold={"reason": "监督人要求核对签到名单", "incident": False, "since": _time("09:05:00"), "by": _SUPERVISOR, "kind": "pause", "lifted": False},
    ),
    "incident": lambda: _changed(
        _decrypting, at=_time("09:05:20"), hold={"reason": "机房网络中断，正在恢复", "incident": True, "since": _time("09:05:00"), "by": _HOST, "kind": "pause", "lifted": False}
    ),
    "clock unsafe": lambda: _changed(
        _decrypting, at=_time("09:05:20"), hold={"reason": "", "incident": True, "since": _time("09:05:00"), "by": _CLOCK, "kind": "clock", "lifted": False}
    ),
    "outage over": lambda: _changed(
        _decrypting, at=_time("09:05:20"), hold={"reason": "", "incident": True, "since": _time("09:05:00"), "by": _CLOCK, "kind": "outage", "lifted": True},
        clock={"sources": ["ntp1.example:123", "ntp2.example:123", "ntp3.example:123"], "offset_ms": -4, "uncertainty_ms": 9,
               "measured_at": _time("08:59:41"), "steady": True},
    ),
    "failed": lambda: _view(8, "09:00:00", "failed", "before", None, failed={"received": 2, "minimum": 3, "article": _TOO_FEW}),
    "aborted": lambda: _view(
        20, "09:10:00", "aborted", "listed", None, bids=_bids("waiting", seal="ok"),
        steps=_steps("decrypt"),
        aborted={"reason": "主管部门要求终止本次招标", "at": _time("09:10:00")},
    ),
    "unwitnessed": lambda: _changed(
        _decrypting,
        watch=_watch("decrypt", "close", state="missed", held=0, points={"close": {**_watch("decrypt")["points"]["close"], "held": 0, "state": "missed"}}, witnesses={"1": {"name": _WITNESSES[0], "size": None, "at": None}}),
    ),
    "disputed": lambda: _changed(
        _decrypting,
        watch=_watch("decrypt", "close", state="disputed", ready=False, dispute={"by": _WITNESSES[0], "kind": "split", "size": 12, "held": 14}),
    ),
    "rehearsal": lambda: _changed(_decrypting, session={**_decrypting()["session"], "rehearsal": True}),
}  # fmt: skip

STATES: Final = tuple(_STATES)


def view(state: str, audience: str = "public") -> View:
    """Return the view of ``audience`` in the made-up ``state``.

    Raises:
        KeyError: there is no such state.
    """
    made = copy.deepcopy(_STATES[state]())
    if audience.startswith("bidder:"):
        made["own"] = {"bidder": _BIDDERS[0][0], "row": 1 if made["bids"] else None}
    if audience == "public":
        for objection in made["objections"].values():
            if made["phase"] != "ended":
                objection.pop("text", None)
                objection.pop("answer", None)
    elif state in {"decrypt", "checkin"} and not audience.startswith("bidder:"):
        made["proposals"] = {
            "1": {
                "proposal": 1, "act": "ExtendBeyond", "fields": {}, "reason": "两家投标人网络缓慢", "by": _HOST,
                "at": _time("09:03:40"), "state": "open",
            }
        }  # fmt: skip
    return made


# When each step began and was completed, on the record.
_WHEN: Final = {
    "checkin": ("08:30:00", "09:00:00"), "list": ("09:00:00", "09:00:20"), "check": ("09:00:20", "09:00:41"),
    "ceiling": ("09:00:50", "09:01:10"), "draw": ("09:01:20", "09:01:50"), "decrypt": ("09:02:00", "09:30:00"),
    "readout": ("09:30:00", "09:30:40"), "confirm": ("09:30:40", "09:34:00"), "objection": ("09:34:00", "09:36:50"),
    "sign": ("09:37:00", "09:38:20"),
}  # fmt: skip


def document(state: str) -> View:
    """Return what the record page shows beyond the view, in the form of sessions.opening.record."""
    made = view(state)
    steps = [
        {
            "step": key, "title": step["title"], "entered_at": _time(_WHEN[key][0]), "due": step["due"],
            "completed_at": _time(_WHEN[key][1]) if step["state"] != "current" else None, "missing": [],
            "extensions": [{"old": _time("09:30:00"), "new": _time("09:40:00"), "reason": "网络缓慢", "by": "李明"}]
            if key == "decrypt" else [],
        }
        for key, step in made["steps"].items() if step["state"] != "ahead"
    ]  # fmt: skip
    pause = {
        "reason": "核对签到名单",
        "incident": False,
        "by": "张立",
        "since": _time("09:05:00"),
        "until": _time("09:06:30"),
    }
    over = state == "ended"
    rows = [{"bidder": bidder[0], "name": bidder[1]} for bidder in _BIDDERS]
    turns = [
        {
            "bidder": _BIDDERS[2][0], "asked_at": _time("09:33:02"), "granted_at": _time("09:33:10"), "granted_by": "李明",
            "ended_at": _time("09:33:28"), "why": "finished", "reason": "",
        },
        {
            "bidder": _BIDDERS[3][0], "asked_at": _time("09:33:11"), "granted_at": None, "granted_by": None,
            "ended_at": _time("09:36:20"), "why": "refused", "reason": "与开标无关",
        },
    ]  # fmt: skip
    return {
        "steps": steps,
        "pauses": [pause] if over else [],
        "postponements": [],
        "rows": rows,
        "floor": turns if over else [],
    }


def summaries() -> tuple[Summary, ...]:
    """Return a calendar: two openings live, some today, some later, some past."""
    titles = (
        ("金山路排水改造工程（二标段）", "Jinshan Road drainage works, section 2", "live", "decrypt", "23T01:00"),
        (
            "县第一小学食堂设备采购",
            "Kitchen equipment for County Primary School No. 1",
            "live",
            "readout",
            "23T01:00",
        ),
        ("滨河公园绿化养护服务", "Upkeep of the Riverside Park", "checkin", None, "23T06:30"),
        ("市人民医院核磁共振设备", "MRI scanner for the City Hospital", "scheduled", None, "23T07:00"),
        ("G240 国道大修工程第一合同段", "Overhaul of National Road 240, contract 1", "scheduled", None, "24T01:00"),
        (
            "城东污水处理厂扩建工程监理",
            "Supervision of the East sewage plant extension",
            "scheduled",
            None,
            "25T01:30",
        ),
        ("老旧小区加装电梯（三期）", "Lifts for older housing, phase 3", "ended", None, "20T01:00"),
        ("智慧停车系统采购", "Parking system", "failed", None, "19T02:00"),
    )
    base = view("decrypt")
    steps = [{"id": key, "title": step["title"]} for key, step in base["steps"].items()]
    return tuple(
        Summary(
            session=SessionId(f"gc-2026-04{number}-02"),
            plan={
                "tender": {
                    "id": f"GC-2026-04{number}",
                    "lot": "02",
                    "title": {"zh": zh, "en": en},
                    "tenderer": base["session"]["tenderer"],
                    "place": base["session"]["place"],
                },
                "pack": {"title": base["session"]["rules"]["title"], "steps": steps},
                "rehearsal": number == 20,
            },
            created_at=datetime(2026, 11, 1, tzinfo=UTC),
            t0=datetime.fromisoformat(f"2026-11-{when}:00+00:00"),
            status=status,
            step=step,
            due=None,
            ended_at=None,
        )
        for number, (zh, en, status, step, when) in enumerate(titles, 17)
    )


_TOLD: Final = (
    ("07:00:00", "SessionScheduled", "开标会已公告，开标时间 09:00:00", "The opening was announced for 09:00:00"),
    ("08:30:00", "StepEntered", "签到开始", "Check-in began"),
    ("08:31:10", "ChairTaken", "主持人李明就位", "Li Ming took the host's chair"),
    ("08:35:42", "ChairTaken", "备岗王芳就位", "Wang Fang took the deputy's chair"),
    ("08:40:03", "ChairTaken", "监督人张立就位", "Zhang Li took the supervisor's chair"),
    ("09:00:00", "StepCompleted", "签到结束", "Check-in ended"),
    ("09:00:00", "SetFrozen", "投标截止，密封集合已冻结，共 5 份", "Intake closed: the sealed set of 5 bids is frozen"),
    ("09:00:00", "BiddersListed", "公布 5 家投标人名单", "The names of 5 bidders were published"),
    ("09:00:00", "LateBidRefused", "晚到建设工程有限公司逾期 412 毫秒，拒收", "A bid that came 412 ms late was refused"),
    ("09:00:41", "SealsChecked", "5 份投标文件密封完好", "All 5 seals are intact"),
    ("09:01:10", "CeilingAnnounced", "公布最高投标限价 13,200,000.00 元", "The ceiling was announced: 13,200,000.00 CNY"),
    ("09:02:00", "StepEntered", "解密窗口开启，至 09:30:00", "The unlock window opened until 09:30:00"),
    ("09:03:41", "KeyReleased", "贝塔市政工程集团有限公司解锁成功", "贝塔市政工程集团有限公司 unlocked its bid"),
    ("09:03:50", "KeyReleased", "伽马建设（集团）股份有限公司解锁成功", "伽马建设（集团）股份有限公司 unlocked its bid"),
    ("09:03:58", "AttemptFailed", "湖南阿尔法路桥建设有限公司一次尝试未成功，可重试", "湖南阿尔法路桥建设有限公司 may try again: an attempt failed"),
    ("09:04:10", "KeyReleased", "德尔塔土木工程有限公司解锁成功", "德尔塔土木工程有限公司 unlocked its bid"),
    ("09:30:00", "BarrierPassed", "解密窗口结束，4 份可开启，1 份未解锁", "The window is over: 4 bids can be opened, 1 was not unlocked"),
    ("09:30:00", "BidOpened", "全部报价同时公开", "All prices became public at the same moment"),
    ("09:30:00", "StepEntered", "唱标开始", "The read-out began"),
    ("09:30:40", "StepEntered", "确认开始，至 09:36:40", "Confirmation began, until 09:36:40"),
    ("09:31:05", "RowConfirmed", "贝塔市政工程集团有限公司确认唱标内容", "贝塔市政工程集团有限公司 confirmed its row"),
    ("09:34:00", "StepEntered", "异议开始，至 09:39:00", "Objections began, until 09:39:00"),
    ("09:34:02", "ObjectionRaised", "湖南阿尔法路桥建设有限公司提出异议 1", "湖南阿尔法路桥建设有限公司 raised objection 1"),
    ("09:34:40", "ObjectionAnswered", "异议 1 已答复", "Objection 1 was answered"),
    ("09:35:10", "ObjectionRaised", "伽马建设（集团）股份有限公司提出回避申请 2", "伽马建设（集团）股份有限公司 made recusal request 2"),
    ("09:36:01", "ObjectionAnswered", "回避申请 2 已答复", "Recusal request 2 was answered"),
    ("09:37:00", "RecordDrawn", "开标记录已形成", "The record was drawn up"),
    ("09:37:02", "RecordSigned", "主持人李明签字", "Li Ming, host, signed the record"),
    ("09:37:35", "RecordSigned", "监督人张立签字", "Zhang Li, supervisor, signed the record"),
    ("09:38:20", "SessionEnded", "开标结束，记录完整", "The opening ended, and its record is complete"),
)  # fmt: skip
_HELD: Final = (
    "09:05:00",
    "SessionPaused",
    "开标暂停，全部计时冻结",
    "The opening was paused: all timers are frozen",
)
_ALSO: Final = {
    **dict.fromkeys(("paused", "incident", "clock unsafe", "outage over"), _HELD),
    "failed": ("09:00:00", "OpeningFailed", "收到 2 份，少于 3 份，不得开标", "2 bids came, fewer than 3: none may be opened"),
    "aborted": ("09:10:00", "SessionAborted", "开标终止：主管部门要求终止本次招标", "The opening was aborted: 主管部门要求终止本次招标"),
}  # fmt: skip


def facts(state: str) -> list[View]:
    """Return the facts told so far in ``state``, oldest first, in the wire's form without their chain."""
    now = view(state)["at"]
    told = sorted((*_TOLD, _ALSO[state]) if state in _ALSO else _TOLD, key=lambda one: one[0])
    hidden = {"BidOpened"} if state == "unlocking" else set()
    hidden |= {"BiddersListed", "SealsChecked", "SetFrozen", "LateBidRefused"} if state == "failed" else set()
    return [
        {"n": n, "at": _time(clock), "type": kind, "actor": "clock", "words": {"zh": zh, "en": en}}
        for n, (clock, kind, zh, en) in enumerate(told, 1)
        if _time(clock) <= now and kind not in hidden
    ]
