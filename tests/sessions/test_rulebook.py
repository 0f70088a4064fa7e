"""The rule packs: they read, they cite, and a careless one is refused."""

from __future__ import annotations

import hashlib
import re
from importlib.resources import files

import pytest

from sessions.announcing.rulebook import EVERYBODY, available, load, parse
from sessions.plan import Phase, StepKind
from sessions.roles import STAFF, Role
from sessions.shape import Misshapen

HAN = re.compile("[\u4e00-\u9fff]")
DATA = {
    *("plan", "count", "names", "receipts", "bond", "decrypt_status", "cause", "quote", "objection_title"),
    *("objection_text", "notes", "proposals", "attendance"),
}

PUBLISHED = {
    "cn-gov 2026.1": "761cdfa11572cb36",
    "cn-gov 2026.2": "f49080bc24085c91",
    "cn-works 2026.1": "dca2055af82ec298",
    "cn-works 2026.2": "05930badcb20fe6d",
    "intl-two-role 2026.1": "c1995687eb70c359",
    "intl-two-role 2026.2": "f38cd27cd584c9f4",
}


def source(pack: str = "cn-works") -> str:
    return (files("sessions") / "packs" / f"{pack}.toml").read_text(encoding="utf-8")


def test_three_packs_come_with_the_hall() -> None:
    assert available() == ("cn-gov", "cn-works", "intl-two-role")
    assert [load(pack).minimum_bidders for pack in available()] == [3, 3, 1]
    assert load("intl-two-role").chairs == (Role.HOST, Role.SUPERVISOR)
    with pytest.raises(KeyError):
        load("../cn-works")


@pytest.mark.parametrize("pack", available())
def test_a_pack_is_named_by_the_digest_of_its_file(pack: str) -> None:
    assert load(pack).id == pack
    assert load(pack).digest == hashlib.sha256(source(pack).encode()).hexdigest()


def test_no_pack_that_was_published_is_ever_changed() -> None:
    root = files("sessions") / "packs"
    published = [path for folder in root.iterdir() if folder.is_dir() for path in folder.iterdir()]
    packs = [parse(path.read_bytes()) for path in published] + [load(pack) for pack in available()]
    assert {f"{pack.id} {pack.version}": pack.digest[:16] for pack in packs} == PUBLISHED


@pytest.mark.parametrize("pack", available())
def test_every_text_of_a_pack_is_there_in_both_languages(pack: str) -> None:
    rules = load(pack)
    words = [rules.title, *(step.title for step in rules.steps), *(step.why for step in rules.steps)]
    words += [text for article in rules.articles.values() for text in (article.cite, article.gist)]
    for text in words:
        assert HAN.search(text.zh)
        assert re.search("[A-Za-z]{3}", text.en)
        assert not HAN.search(text.en)


@pytest.mark.parametrize("pack", available())
def test_the_public_voice_is_two_short_sentences(pack: str) -> None:
    for step in load(pack).steps:
        assert step.why.zh.count("。") == 2
        assert len(re.findall(r"\.( |$)", step.why.en)) == 2
        assert len(step.why.zh) <= 70
        assert len(step.why.en) <= 200


@pytest.mark.parametrize("pack", available())
def test_before_t0_nobody_learns_who_bid_and_before_the_barrier_nobody_learns_a_price(pack: str) -> None:
    sees = load(pack).visibility
    assert sees.keys() == DATA
    for datum in DATA - {"plan", "notes", "proposals"}:
        assert sees[datum][Phase.BEFORE] == frozenset()
    for phase in (Phase.BEFORE, Phase.LISTED, Phase.DECRYPT):
        assert sees["quote"][phase] == sees["cause"][phase] == frozenset()
    assert sees["quote"][Phase.OPENED] == EVERYBODY
    assert sees["notes"][Phase.ENDED] == {Role.SUPERVISOR}
    assert sees["objection_text"][Phase.OPENED] == STAFF | {Role.BIDDER}


@pytest.mark.parametrize("pack", available())
def test_every_article_given_is_cited_or_told_for_its_own_sake(pack: str) -> None:
    rules = load(pack)
    assert all(step.article in rules.articles for step in rules.steps)
    assert all(rule.article in rules.articles for rule in rules.windows.values())
    assert rules.minimum_article in rules.articles
    assert {step.kind for step in rules.steps} >= set(StepKind) - {StepKind.CEILING, StepKind.DRAW}


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('article = "bl-35"', 'article = "bl-99"', "bl-99 is cited"),
        ('late = "bl-28"', 'late = "nothing"', "nothing is cited"),
        ('chairs = ["host"]', 'chairs = ["king"]', "not one of"),
        ('two_person = ["Postpone"', 'two_person = ["Advance"', "two_person"),
        ('kind = "sign"', 'kind = "list"', "order of the ceremony"),
        ('kind = "objection"', 'kind = "dance"', "not one of"),
        (
            'id = "checkin"\nkind = "checkin"\nstarts = "clock"',
            'id = "checkin"\nkind = "checkin"\nstarts = "host"',
            "clock",
        ),
        ("minimum_bidders = 3", 'minimum_bidders = "3"', "not a int"),
        ("minimum_bidders = 3", "minimum_bidders = 3\nmaximum_bidders = 9", "unknown: maximum_bidders"),
        ("confirm = { default_s = 300", "confirm = { default_s = 30", "default lies between"),
        ("sign = { default_s", "farewell = { default_s", "no other"),
        ('before = ["all"], listed', "listed", "every phase"),
        ('[floor]\nsteps = ["confirm"', '[floor]\nsteps = ["checkin"', "after the bidders were named"),
        ('[floor]\nsteps = ["confirm"', '[floor]\nsteps = ["coffee"', "not one of"),
        ("[[steps]]", "[[steps", "pack"),
    ],
)
def test_a_careless_pack_is_refused(old: str, new: str, complaint: str) -> None:
    text = source()
    assert old in text
    with pytest.raises(Misshapen, match=complaint):
        parse(text.replace(old, new).encode())
