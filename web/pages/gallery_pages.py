"""The pages of ``/_/gallery`` that show no opening: their templates and made-up values, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from sessions.plan import Words
from sessions.wording.terms import OUTAGES
from web.pages import gallery
from web.pages.agenda import entry
from web.pages.evidence import figures
from web.wording.i18n import Language
from web.wording.words import word

Page = tuple[str, Mapping[str, Any]]

_COMPANY: Final = "湖南阿尔法路桥建设有限公司"
_SOURCES: Final = ("ntp1.example:123", "ntp2.example:123", "ntp3.example:123")


def _say(words: Words, language: Language) -> str:
    return words.zh if language == "zh" else words.en


def _names(_: Language, **changes: object) -> Page:
    read = (
        (
            _COMPANY,
            "Húnán Ā'ěrfǎ Lùqiáo Jiànshè Yǒuxiàn Gōngsī",
            "hu2 nan2 a1 er3 fa3 lu4 qiao2 jian4 she4 you3 xian4 gong1 si1",
            False,
        ),
        (
            "贝塔市政工程集团有限公司",
            "Bèitǎ Shìzhèng Gōngchéng Jítuán Yǒuxiàn Gōngsī",
            "bei4 ta3 shi4 zheng4 gong1 cheng2 ji2 tuan2 you3 xian4 gong1 si1",
            False,
        ),
        (
            "单县乐山路桥有限公司",
            "Shàn Xiàn Yuèshān Lùqiáo Yǒuxiàn Gōngsī",
            "shan4 xian4 yue4 shan1 lu4 qiao2 you3 xian4 gong1 si1",
            True,
        ),
    )
    names = [
        {"name": name, "shown": shown, "reading": reading, "own": own, "listed": not own, "key": str(number)}
        for number, (name, shown, reading, own) in enumerate(read)
    ]
    values: dict[str, object] = {
        "session": "gc-2026-0417-02",
        "title": Words(zh="金山路排水改造工程（二标段）", en="Jinshan Road drainage works, section 2"),
        "over": False, "listed": True, "names": names, "voice": True, "wrong": "", "form": {}, "longest": 200,
    }  # fmt: skip
    return "names.html", values | changes


def _incidents(language: Language, state: str, *, ended: bool) -> Page:
    kind = "clock" if state == "clock" else "outage"
    began, over = ("2026-11-23 09:05:00", "2026-11-23 09:06:30")
    reason = next(iter(OUTAGES.values()))
    one = {
        "what": word("stop", kind, language),
        "why": [_say(reason, language)] if kind == "outage" else [],
        "began": {"iso": f"{began.replace(' ', 'T')}+08:00", "text": began},
        "ended": {"iso": f"{over.replace(' ', 'T')}+08:00", "text": over} if ended else None,
        "lasted": {"zh": "1 分 30 秒", "en": "1 min 30 s"}[language] if ended else None,
    }
    clock = {"names": _SOURCES, "answered": 0 if kind == "clock" else 3, "offset_ms": -4, "uncertainty_ms": 9}
    values = {"here": "incidents", "state": state, "clock": clock, "now": "2026-11-23 09:12:40", "incidents": [one]}
    return "incidents.html", values


def _failure(language: Language) -> Page:
    evidence = {
        "checked_in_at": "2026-11-23T00:41:07.000Z", "attempts": "2", "last_attempt_code": "wrong_key",
        "others_released": "3", "seal": "ok", "sha256": gallery.hexed("evidence"),
    }  # fmt: skip
    about = {
        "session": "gc-2026-0417-02", "name": _COMPANY, "bidder": "91430100MA4L1AAA1X", "tender": "GC-2026-0417",
        "lot": "02", "tracker": "K7F2-9QWM-3TRD-A1", "cause": "B2", "consequence": "revoked", "basis": "evidence",
        "reason": "", "event": 41, "at": "2026-11-23T01:30:00.000Z", "event_sha256": gallery.hexed("event 41"),
        "evidence": evidence,
    }  # fmt: skip
    return "failure.html", {
        "f": about,
        "title": gallery.view("decrypt")["session"]["title"][language],
        "cause": word("cause", "B2", language),
        "consequence": word("consequence", "revoked", language),
        "article": None,
        "figures": figures(evidence, language),
        "statement": "eyJhbGciOiJFZERTQSJ9." + "x" * 240,
        "kid": "k" * 22,
    }  # fmt: skip


def _postpone(language: Language, **changes: object) -> Page:
    rows = [
        {"session": one.session, "title": entry(one, language).title, "t0": f"2026-11-2{4 + n} 09:00:00",
         "proposed": f"2026-11-2{4 + n} 11:00:00" if n == 0 else None, "mine": False, "may_propose": n > 0,
         "waits": n == 0}
        for n, one in enumerate(gallery.summaries()[3:6])
    ]  # fmt: skip
    values: dict[str, object] = {"rows": rows, "acted": None, "refused": [], "agreeing": True, "proposing": True}
    return "postpone.html", values | changes


def _me(language: Language) -> Page:
    lines = [
        ({**_line(entry(one, language)), "day": f"2026-11-{one.t0.day}"}, f"/host/{one.session}", "host")
        for one in gallery.summaries()[:4]
    ]
    return "me.html", {
        "here": "me",
        "name": "李明",
        "id": "li",
        "openings": lines,
        "may_announce": True,
        "mail": None,
    }


def _line(one: Any) -> dict[str, Any]:
    return {name: getattr(one, name) for name in ("id", "title", "tender", "lot", "tenderer", "t0", "hour", "status")}


PAGES: Final[Mapping[str, Callable[[Language], Page]]] = {
    "names": _names,
    "names-before": lambda language: _names(language, listed=False, names=[], wrong="reading", form={"name": "单县"}),
    "names-mute": lambda language: _names(language, voice=False, over=True),
    "incidents": lambda language: _incidents(language, "healthy", ended=True),
    "incidents-clock": lambda language: _incidents(language, "clock", ended=False),
    "incidents-out": lambda language: _incidents(language, "out", ended=False),
    "failure": _failure,
    "postpone": _postpone,
    "postpone-none": lambda language: _postpone(language, rows=[], agreeing=False, proposing=False),
    "me": _me,
    "me-none": lambda language: ("me.html", {**_me(language)[1], "openings": [], "may_announce": False}),
}
