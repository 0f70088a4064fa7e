"""What the public picture says, from the public view: words, figures and rows, without a colour or a place. Pure.

The same view and moment give the same scene, so a picture can be painted again from the record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from hall.views.readout import rows_read
from sessions.wording.moments import BEIJING

View = Mapping[str, Any]

ROWS: Final = 7  # of the table on one picture
TURN: Final = timedelta(seconds=10)  # a longer table shows its next rows after this


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One line in both languages."""

    zh: str = ""
    en: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One bidder. ``now``: its row is being read. ``state`` names what became of the bid."""

    number: int
    name: str
    state: Said
    amount: str = ""
    words: str = ""
    now: bool = False
    bad: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Everything on the picture. Equal scenes are equal pictures."""

    title: Said
    tenderer: Said
    rehearsal: bool
    day: str
    time: str
    step: Said
    place: int
    of: int
    count: str  # mm:ss to the moment ``until`` speaks of, or nothing
    until: Said
    currency: str
    rows: tuple[Row, ...]
    page: str  # "2/3" of a table that is longer than the picture
    notice: Said  # what stands where there are no rows yet
    caption: Said
    speaker: str  # who is seen in the small picture; empty without one
    floor: str = ""  # the bidder who has the floor, seen or not


_STATES: Final = {
    "waiting": Said(zh="等待解密", en="sealed"),
    "released": Said(zh="已解锁", en="unlocked"),
    "opened": Said(zh="已开启", en="opened"),
    "not_opened": Said(zh="未能开启", en="not opened"),
}
_CONFIRMED: Final = {"yes": Said(zh="已确认", en="confirmed"), "disputed": Said(zh="有异议", en="disputed")}
_SIGNED: Final = Said(zh="已签名", en="signed")
_SEALED: Final = Said(zh="密封", en="sealed")
_STAGES: Final = {
    "scheduled": Said(zh="等待开标", en="Waiting for the opening"),
    "checkin": Said(zh="签到", en="Checking in"),
    "live": Said(zh="投标截止", en="Intake closed"),
    "locks": Said(zh="移除开标锁", en="Locks being removed"),
    "failed": Said(zh="本次开标失败", en="This opening has failed"),
    "ended": Said(zh="开标结束", en="The opening has ended"),
    "aborted": Said(zh="开标终止", en="The opening was aborted"),
    "hold": Said(zh="暂停，所有计时停止", en="Paused: every clock has stopped"),
}
_NOTICES: Final = {
    "before": Said(
        zh="投标文件已加密，开标时间之前任何人都无法打开",
        en="The bids are sealed. Until the opening time nobody can open one.",
    ),
    "frozen": Said(
        zh="投标文件集合已冻结，等待公布投标人", en="The set of bids is frozen; the bidders are named next."
    ),
    "failed": Said(zh="投标文件保持密封，原样退回", en="All bids stay sealed and go back as they came."),
}
_SPEAKERS: Final = {
    "host": Said(zh="主持人", en="Host"),
    "deputy": Said(zh="副主持人", en="Deputy host"),
    "supervisor": Said(zh="监督人", en="Supervisor"),
    "bidder": Said(zh="投标人", en="Bidder"),
}
_UNTIL_OPENING: Final = Said(zh="距开标", en="to the opening")
_UNTIL_DUE: Final = Said(zh="本步剩余", en="left for this step")
_WEEKDAYS: Final = "一二三四五六日"


def scene(view: View, now: datetime, caption: Said | None = None, speaker: str = "") -> Scene:
    """Return what the picture of ``view`` says at ``now``; ``caption`` is what is being read out."""
    session = view["session"]
    local = now.astimezone(BEIJING)
    step, place, of = _step(view)
    count, until = _count(view, now)
    rows, page = _rows(view, now)
    return Scene(
        title=_said(session["title"]),
        tenderer=_joined(_said(session["tenderer"]), str(session["tender"])),
        rehearsal=bool(session.get("rehearsal")),
        day=f"{local:%Y-%m-%d} 星期{_WEEKDAYS[local.weekday()]}",
        time=f"{local:%H:%M:%S}",
        step=step,
        place=place,
        of=of,
        count=count,
        until=until,
        currency=str(session.get("currency") or ""),
        rows=rows,
        page=page,
        notice=Said() if rows else _notice(view),
        caption=caption or Said(),
        speaker=speaker,
        floor=floor(view),
    )


def floor(view: View) -> str:
    """Return the name of the bidder who has the floor; empty while nobody has it."""
    held = (view.get("floor") or {}).get("speaker")
    return str(held["name"]) if held else ""


def speaker_of(view: View, source: str) -> str:
    """Return who is seen in the small picture: the name of a bidder where it is public, and what the person is."""
    kind, _, bidder = source.partition(":")
    words = _SPEAKERS.get(kind, _SPEAKERS["bidder"])
    row = next((bid for bid in (view.get("bids") or {}).values() if bidder and bid.get("bidder") == bidder), None)
    return str(row["name"]) if row is not None else f"{words.zh} {words.en}"


def _step(view: View) -> tuple[Said, int, int]:
    steps = view.get("steps") or {}
    order = sorted(steps, key=lambda key: int(steps[key]["order"]))
    status, step = view["status"], view.get("step")
    if view.get("hold"):
        return _STAGES["hold"], order.index(step) + 1 if step in steps else 0, len(order)
    if status in {"checkin", "live"} and step in steps:
        holding = status == "live" and any(one["state"] == "holding" for one in (view.get("locks") or {}).values())
        words = _STAGES["locks"] if holding else _said(steps[step]["title"])
        return words, order.index(step) + 1, len(order)
    return _STAGES[status], len(order) if status == "ended" else 0, len(order)


def _count(view: View, now: datetime) -> tuple[str, Said]:
    if view.get("hold"):
        return "", Said()
    if view["status"] in {"scheduled", "checkin"}:
        due, until = view["t0"], _UNTIL_OPENING
    elif view["status"] == "live" and view.get("due"):
        due, until = view["due"], _UNTIL_DUE
    else:
        return "", Said()
    left = max(0, -((now - datetime.fromisoformat(due)) // timedelta(seconds=1)))
    minutes, seconds = divmod(left, 60)
    hours, minutes = divmod(minutes, 60)
    return (f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes:02}:{seconds:02}"), until


def _rows(view: View, now: datetime) -> tuple[tuple[Row, ...], str]:
    """Return the rows of this moment: those round the one being read, else in turns."""
    bids = sorted((view.get("bids") or {}).values(), key=lambda bid: int(bid["row"]))
    if not bids:
        return (), ""
    reading, begun = view.get("reading"), rows_read(view, now)
    order = [int(row) for row in reading["rows"]] if reading and begun else []
    current = order[begun - 1] if order and begun <= len(order) else None
    unread = set(order[begun:]) if order else set()
    pages = -(-len(bids) // ROWS)
    if current is not None:
        page = next((k for k, bid in enumerate(bids) if bid["row"] == current), 0) // ROWS
    else:
        page = int(now.timestamp() // TURN.total_seconds()) % pages
    shown = tuple(_row(bid, current, unread) for bid in bids[page * ROWS : (page + 1) * ROWS])
    return shown, f"{page + 1}/{pages}" if pages > 1 else ""


def _row(bid: View, current: int | None, unread: set[int]) -> Row:
    amount = bid.get("amount")
    state = _STATES.get(str(bid.get("state")), _SEALED)
    if bid.get("confirmed"):
        state = _CONFIRMED[bid["confirmed"]]
    if bid.get("signed"):
        state = _SIGNED
    row = Row(
        number=int(bid["row"]),
        name=str(bid["name"]),
        state=state,
        amount=str(amount["grouped"]) if amount else "",
        words=str(amount["zh"]) if amount else "",
        now=bid["row"] == current,
        bad=bid.get("state") == "not_opened" or bid.get("confirmed") == "disputed",
    )
    return replace(row, amount="", words="") if bid["row"] in unread else row


def _notice(view: View) -> Said:
    status = view["status"]
    if status in {"scheduled", "checkin"}:
        return _NOTICES["before"]
    return _NOTICES["frozen"] if status == "live" else _NOTICES["failed"] if status == "failed" else Said()


def _said(words: Any) -> Said:
    return Said(zh=str(words["zh"]), en=str(words["en"])) if isinstance(words, Mapping) else Said(zh=str(words))


def _joined(words: Said, more: str) -> Said:
    return Said(zh=f"{words.zh} · {more}", en=words.en)
