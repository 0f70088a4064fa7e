"""Every page in every state, in both languages: whole, translated, without a line of script or style in it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, get_args

import pytest
from jinja2.ext import babel_extract

from hall.views.patch import without_nulls
from web.answers.errors import said
from web.answers.problems import SAYINGS, Problem
from web.forms import tender as tender_form
from web.forms.tender import values
from web.pages import gallery, gallery_pages
from web.pages.agenda import Filters
from web.pages.binding import Bound
from web.pages.gallery import STATES
from web.pages.showing import (
    air_page,
    calendar_values,
    host_page,
    live_page,
    record_page,
    script_data,
    seat_page,
    supervise_page,
)
from web.pages.templates import TEMPLATES, Pages, Theme, embedded
from web.wording.i18n import LANGUAGES, Language, catalogue, choose
from web.wording.words import WORDS

PAGES = Pages(lambda name: f"/static/x/{name}")
DESKS = ("live", "embed", "record", "seat", "host", "deputy", "supervise", "air", "mine")
VOID = {"meta", "link", "input", "br", "hr", "img", "path", "rect", "source"}
NOW = gallery.datetime.fromisoformat("2026-11-23T01:04:12+00:00")


def rendered(page: str, state: str, language: Language, **changes: Any) -> str:
    own = "bidder:91430100MA4L1AAA1X"
    audience = {
        "seat": own,
        "mine": own,
        "air": "host",
        "host": "host",
        "deputy": "deputy",
        "supervise": "supervisor",
    }
    view = without_nulls(gallery.view(state, audience.get(page, "public")) | changes)  # as the hub has it
    facts, reading = gallery.facts(state), 3 if state == "readout" else 0
    given: dict[str, Any] = {"path": "/x", "reading": reading}
    match page:
        case "live":
            body = live_page(PAGES, view, facts, language, **given)
        case "embed":
            body = live_page(PAGES, view, facts, language, template="embed.html", **given)
        case "record":
            origin = "https://hall.example"
            body = record_page(PAGES, view, facts, gallery.document(state), language, origin=origin, **given)
        case "seat":
            body = seat_page(PAGES, view, facts, language, **given)
        case "air" | "mine":
            role, place = ("host", "host") if page == "air" else ("bidder", "seat")
            media = {"video": "h264", "notice": 1}
            body = air_page(PAGES, view, language, media=media, place=place, role=role, **given)
        case "supervise":
            body = supervise_page(PAGES, view, facts, language, role="supervisor", **given)
        case _:
            body = host_page(PAGES, view, facts, language, role=page, **given)
    return body.decode()


def others(language: Language) -> Iterator[tuple[str, str]]:
    page = script_data(language)
    given_to: dict[str, dict[str, Any]] = {
        "calendar.html": calendar_values(gallery.summaries(), NOW, language, Filters()),
        "login.html": {"page": page, "next": "/", "problem": said(Problem("login_failed")), "account": ""},
        "verify.html": {
            "page": script_data(language, ("ui", "verify")),
            "hall": {"kid": "k", "x": "x"},
            "older": [{"kid": "a", "x": "b"}],
        },
        "new.html": values(tender_form.blank(), language, rehearsals=True),
        "me.html": {"name": "甲", "id": "a", "openings": [], "may_announce": True, "mail": None},
        "gallery.html": {"states": STATES, "shown": ("s",), "plain": tuple(gallery_pages.PAGES)},
    }
    for name, given in given_to.items():
        yield name, PAGES.render(name, language, **given).decode()
    for name, make in gallery_pages.PAGES.items():
        template, made = make(language)
        yield name, PAGES.render(template, language, **made).decode()
    for code in SAYINGS:
        yield (
            code,
            PAGES.render("errors/problem.html", language, problem=said(Problem(code), incident="7F3K")).decode(),
        )


class Reader(HTMLParser):
    """Reads a page strictly: what opens must close, in order; ids are given once; nothing runs or styles in line."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.ids: set[str] = set()
        self.text: list[str] = []
        self.faults: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if len(given) != len(attrs):
            self.faults.append(f"<{tag}> has an attribute twice")
        if tag not in VOID:
            self.open.append(tag)
        if "template" not in self.open and (name := given.get("id")) is not None:
            if name in self.ids:
                self.faults.append(f"id {name} is given twice")
            self.ids.add(name)
        if tag == "style" or "style" in given:
            self.faults.append(f"<{tag}> carries style")
        if tag == "script" and "src" not in given and given.get("type") != "application/json":
            self.faults.append("a script in the page")
        self.faults += [f"<{tag} {name}>" for name in given if name.startswith("on")]
        for name in ("href", "src", "action"):
            if re.match(r"(?i)\s*(javascript|data|https?):", given.get(name) or ""):
                self.faults.append(f"<{tag}> leads to {given[name]}")

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> closes nothing")

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in {"script"}:
            self.text.append(data)


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("page", DESKS)
def test_each_page_is_whole_in_each_state(page: str, state: str, language: Language) -> None:
    assert read(rendered(page, state, language)).faults == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_pages_without_an_opening_are_whole(language: Language) -> None:
    for name, page in others(language):
        assert read(page).faults == [], name


def sentences() -> set[str]:
    found = set()
    for path in TEMPLATES.rglob("*.html"):
        with path.open("rb") as file:
            found |= {message for _, _, message, _ in babel_extract(file, ["_"], [], {"silent": "false"})}
    return found


def test_every_sentence_of_the_templates_has_its_chinese() -> None:
    assert sentences() - catalogue().keys() == set()


def test_the_catalogue_holds_nothing_that_no_template_says() -> None:
    assert catalogue().keys() - sentences() - {"Public bid openings"} == set()


def test_both_languages_fill_the_same_places() -> None:
    places = re.compile(r"%\((\w+)\)s")
    assert [en for en, zh in catalogue().items() if set(places.findall(en)) != set(places.findall(zh))] == []


def test_every_word_is_written_in_both_languages() -> None:
    assert [
        f"{group}.{name}" for group, words in WORDS.items() for name, one in words.items() if not one.zh or not one.en
    ] == []


@pytest.mark.parametrize("page", ["live", "record", "embed", "supervise", "host"])
@pytest.mark.parametrize("state", ["scheduled", "checkin"])
def test_before_t0_no_page_says_who_bids_or_how_many(page: str, state: str) -> None:
    text = rendered(page, state, "zh")
    listed = gallery.view("listed")["bids"]
    assert not any(bid["name"] in text or bid["tracker"] in text for bid in listed.values())
    assert json.loads(text.split('id="page">')[1].split("</script>")[0])["view"]["bids"] == {}


@pytest.mark.parametrize("state", ["listed", "checked", "ceiling", "decrypt", "paused"])
def test_before_the_barrier_no_page_shows_a_price(state: str) -> None:
    page = rendered("live", state, "zh")
    assert not any(
        bid["amount"]["grouped"] in page for bid in gallery.view("readout")["bids"].values() if bid["amount"]
    )


def test_a_failed_opening_says_how_many_and_names_nobody() -> None:
    text = "".join(read(rendered("live", "failed", "en")).text)
    assert "Fewer bids arrived than the law asks for" in text
    assert not any(bid["name"] in text for bid in gallery.view("listed")["bids"].values())


HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "{{7*7}}",
    "%(time)s",
    "'\" onmouseover=x",
    "\u202egnp.exe",
    "<!--",
    "]]>",
    "&lt;b&gt;",
)


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("page", ["live", "record", "host"])
def test_a_hostile_name_is_only_text(page: str, name: str) -> None:
    view = gallery.view("readout")
    view["bids"]["1"]["name"] = name
    shown = read(rendered(page, "readout", "en", bids=view["bids"]))
    assert shown.faults == []
    assert name in "".join(shown.text)


def test_data_in_a_page_cannot_end_its_script() -> None:
    text = embedded({"name": "</script><!--<script>&\u2028"})
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == {"name": "</script><!--<script>&\u2028"}


def test_a_page_without_scripts_says_when_it_was_made_and_reloads_itself() -> None:
    page = rendered("live", "decrypt", "en")
    assert '<noscript><meta http-equiv="refresh" content="10"></noscript>' in page
    assert 'href="?refresh=off"' in page
    assert "Page as of" in page


def test_an_ended_opening_is_not_reloaded() -> None:
    assert "http-equiv" not in rendered("live", "ended", "en")


def test_equal_views_give_equal_bytes() -> None:
    assert rendered("live", "readout", "zh") == rendered("live", "readout", "zh")


@pytest.mark.parametrize("theme", get_args(Theme))
def test_the_paper_is_told_to_the_style_sheet(theme: Theme) -> None:
    page = PAGES.render(
        "verify.html", "en", theme=theme, page=script_data("en"), hall={"kid": "k", "x": "x"}, older=[]
    ).decode()
    assert f'<html lang="en" data-theme="{theme}">' in page


@pytest.mark.parametrize(
    ("query", "cookie", "accepted", "language"),
    [
        (None, None, None, "zh"),
        ("en", "zh", "zh-CN", "en"),
        (None, "en", "zh-CN", "en"),
        (None, None, "en-GB,en;q=0.9,zh;q=0.8", "en"),
        (None, None, "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        (None, None, "fr,de;q=0.5", "zh"),
        (None, None, "en;q=0", "zh"),
        (None, None, "en;q=bad,,;;,zh;q=0.1", "zh"),
        ("xx", "yy", "*", "zh"),
    ],
)
def test_the_language_is_what_is_asked_for_then_what_was_then_what_the_browser_likes(
    query: str | None, cookie: str | None, accepted: str | None, language: str
) -> None:
    assert choose(query, cookie, accepted) == language


def test_the_record_says_what_a_silent_authority_told_when_it_was_asked_again() -> None:
    given: dict[str, Any] = {"origin": "https://hall.example", "path": "/x"}
    sheet = (PAGES, gallery.view("ended", "public"), gallery.facts("ended"), gallery.document("ended"))
    asked = record_page(*sheet, "en", again=[("甲<公司>", "revoked")], **given).decode()
    assert '<th scope="row">甲&lt;公司&gt;</th><td data-label="Asked again at the opening time">revoked</td>' in asked
    assert "asked about again" not in record_page(*sheet, "en", **given).decode()


def test_a_bound_text_says_where_it_came_from() -> None:
    bound = Bound({"a": {"b": "<x>"}}, "en")
    assert bound.text("a.b") == '<span data-text="a.b">&lt;x&gt;</span>'
    assert bound.show("a.c") == ' data-show="a.c" hidden'
    assert bound.mark("a.b") == ' data-mark="a.b" data-value="&lt;x&gt;"'


def test_the_style_sheet_stays_small() -> None:
    sheet = (Path(PAGES.render.__globals__["TEMPLATES"]).parent / "static" / "css" / "kaibiao.css").read_bytes()
    assert len(__import__("gzip").compress(sheet)) < 12_000
