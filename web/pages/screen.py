"""What a screen says beyond the view: counts, where the ceremony stands, the row being read, the next lawful step.

A view may leave out members that are null, as hall.views.patch has it. A pure function of the view and of which row
is being read, so equal inputs give equal bytes and a page can be cached per event number. The same is computed by
``web/client/src/screen.ts``; ``tests/vectors/screen.json`` holds both to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hall.views.readout import row_words
from hall.views.readout import rows_read as rows_read
from web.pages.binding import keys_in_order
from web.wording.words import WORDS

View = Mapping[str, Any]


def screen(view: View, reading: int = 0) -> dict[str, Any]:
    """Return ``view`` with the member ``screen``. ``reading`` counts the rows begun, from `rows_read`."""
    return {
        **view,
        "screen": {
            **_stage(view),
            **_time(view),
            **_reading(view, reading),
            "counts": _counts(view),
            "raised": _raised(view),
            "locks": _locks(view),
            "next": _next(view),
            **_tasks(view),
        },
    }


def said() -> dict[str, dict[str, str]]:
    """Return, in both languages, what is said where no step of the rule pack says it; the script gets it too."""
    return {
        f"{group}.{key}": {"zh": words.zh, "en": words.en}
        for group in ("stage", "why")
        for key, words in WORDS[group].items()
    }


def _stage(view: View) -> dict[str, Any]:
    """Return what is happening and why: the current step of the pack, or what stands in its place."""
    status, steps = view["status"], view["steps"]
    order = keys_in_order(steps)
    step = str(view.get("step"))
    if step in steps and status in {"checkin", "live"}:
        one = steps[step]
        waits = said() if _locks(view)["holding"] else None
        return {
            "title": waits["stage.locks"] if waits else one["title"],
            "why": waits["why.locks"] if waits else one["why"],
            "article": one.get("article"),
            "kind": one["kind"],
            "place": order.index(step) + 1,
            "of": len(order),
        }
    key = "scheduled" if status == "checkin" else status
    words = said()
    return {
        "title": words[f"stage.{key}"],
        "why": words[f"why.{key}"],
        "article": None,
        "kind": key,
        "place": 0,
        "of": len(order),
    }


def _time(view: View) -> dict[str, Any]:
    """Return which moment the big figures count to: T0 before it, then the deadline of the step."""
    if view.get("hold"):
        return {"due": None, "face": "hold"}
    if view["status"] in {"scheduled", "checkin"}:
        return {"due": view["t0"], "face": "t0"}
    if _locks(view)["holding"]:
        return {"due": None, "face": "locks"}
    if view["status"] == "live" and view.get("due"):
        return {"due": view.get("due"), "face": "due"}
    return {"due": None, "face": view["status"]}


def _reading(view: View, begun: int) -> dict[str, Any]:
    """Return the row being read and, per row, whether it was read, is being read or comes later."""
    reading = view.get("reading")
    if not reading or begun == 0:
        return {"reading": None, "rows": {}}
    rows = [str(row) for row in reading["rows"]]
    states = {row: "read" if i + 1 < begun else "now" if i + 1 == begun else "next" for i, row in enumerate(rows)}
    now = view["bids"].get(rows[begun - 1]) if begun <= len(rows) else None
    if now is None:
        return {"reading": None, "rows": states}
    words = row_words(view, begun)
    return {
        "reading": {
            "place": begun,
            "of": len(rows),
            "name": now["name"],
            "amount": now.get("amount"),
            "words": None if words is None else {"zh": words.zh, "en": words.en},
        },
        "rows": states,
    }


def _next(view: View) -> dict[str, Any] | None:
    """Return the step that the host may begin next, what it needs and whether that is given; None if none is due.

    The rules decide, in sessions.opening; this only spares the host a refusal.
    """
    steps = view["steps"]
    order = keys_in_order(steps)
    if view["status"] != "live" or view.get("step") not in steps or view["step"] == order[-1]:
        return None
    current, following = steps[view["step"]], order[order.index(view["step"]) + 1]
    step = steps[following]
    if step["starts"] != "host":
        return None
    counts = _counts(view)
    needs = {"complete": current["state"] == "complete", "running": not view.get("hold")}
    if step["kind"] == "decrypt":
        needs["chairs"] = all((view["chairs"].get("required") or {}).values())
        if view.get("locks"):
            needs["locks"] = not _locks(view)["waiting"]
        if view.get("watch"):
            needs["witnessed"] = bool(view["watch"].get("ready"))
    if step["kind"] == "sign":
        needs |= {"objections": not counts["objections_open"], "causes": not counts["undecided"]}
    return {
        "step": following,
        "title": step["title"],
        "kind": step["kind"],
        "needs": needs,
        "ready": all(needs.values()),
    }


_TASKS = ("seal", "checkin", "unlock", "confirm", "objection", "sign")


def _tasks(view: View) -> dict[str, Any]:
    """Return a bidder's tasks with their states, the one to show large, and its bid; nothing for other readers.

    Before T0 no view says who bid; ``own.sent`` and ``own.checked_in`` are what the seat itself knows by then.
    """
    own = view.get("own")
    if own is None:
        return {}
    bid = view["bids"].get(str(own.get("row")))
    status, kinds = view["status"], [view["steps"][key]["kind"] for key in keys_in_order(view["steps"])]
    step = view["steps"].get(view.get("step"))
    here = kinds.index(step["kind"]) if step and status == "live" else len(kinds) if status == "ended" else -1

    def task(kind: str, done: bool) -> str:
        place = kinds.index(kind) if kind in kinds else len(kinds)
        if done:
            return "done"
        if here == place and step and step["state"] == "current":
            return "current"
        return "ahead" if here < place else "missed"

    before = status in {"scheduled", "checkin"}
    present = own.get("checked_in") or (bid and bid.get("checked_in"))
    tasks = {
        "seal": "done" if bid or own.get("sent") else "current" if before else "missed",
        "checkin": "done" if present else "current" if status in {"checkin", "live"} else "ahead",
        "unlock": task("decrypt", bool(bid and bid.get("state") in {"released", "opened"})),
        "confirm": task("confirm", bool(bid and bid.get("confirmed"))),
        "objection": task("objection", bool(bid and bid.get("none_declared"))),
        "sign": task("sign", bool(bid and bid.get("signed"))),
    }
    return {"tasks": tasks, "act": _act(view, bid, tasks), "own": bid, **_floor(view, str(own.get("bidder")))}


def _act(view: View, bid: View | None, tasks: Mapping[str, str]) -> str:
    status = view["status"]
    if status in {"ended", "failed", "aborted"}:
        return "over"
    if status in {"scheduled", "checkin"}:
        return "seal"
    if bid is None:
        return "none"
    return next((name for name in _TASKS[2:] if tasks[name] == "current"), "wait")


def _floor(view: View, bidder: str) -> dict[str, Any]:
    """Return where a bidder stands with the floor: ``speaking``, ``asked``, and as which of those who ask, or not."""
    floor = view.get("floor") or {}
    if (floor.get("speaker") or {}).get("bidder") == bidder:
        return {"floor": "speaking", "turn": 0}
    asked = floor.get("asked") or {}
    turn = next((n for n, key in enumerate(keys_in_order(asked), start=1) if asked[key]["bidder"] == bidder), 0)
    return {"floor": "asked" if turn else "", "turn": turn}


def _locks(view: View) -> dict[str, int]:
    """Return how many locks wait for officers to be ready, and how many hold the bids behind the barrier."""
    locks = list((view.get("locks") or {}).values())
    return {
        "waiting": sum(lock["state"] == "waiting" and lock["kind"] != "escrow" for lock in locks),
        "holding": sum(lock["state"] == "holding" for lock in locks) if view["status"] == "live" else 0,
    }


def _raised(view: View) -> dict[str, Any]:
    """Return who raised each objection, by its number: the name on its row."""
    bids = view.get("bids") or {}
    return {
        number: (bids.get(str(one.get("row"))) or {}).get("name")
        for number, one in (view.get("objections") or {}).items()
    }


def _counts(view: View) -> dict[str, int]:
    bids = list((view.get("bids") or {}).values())

    def count(member: str, *values: object) -> int:
        return sum(bid.get(member) in values for bid in bids)

    def open_ones(member: str) -> int:
        return sum(one["state"] == "open" for one in (view.get(member) or {}).values())

    return {
        "listed": len(bids),
        "checked_in": count("checked_in", True),
        "released": count("state", "released", "opened"),
        "opened": count("state", "opened"),
        "not_opened": count("state", "not_opened"),
        "answered": count("confirmed", "yes", "disputed"),
        "none_declared": count("none_declared", True),
        "signed": count("signed", True),
        "undecided": count("consequence", "pending"),
        "escrow_asked": count("escrow", "asked"),
        "objections_open": open_ones("objections"),
        "proposals_open": open_ones("proposals"),
        "asking": len((view.get("floor") or {}).get("asked") or {}),
    }
