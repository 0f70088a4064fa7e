"""How the certificate of a timestamp authority stood when it gave a token: in the archive, judged again by both."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest

from crypto.certificates import Usage
from crypto.digest import sha256_hex
from crypto.encoding import canonical, parse_canonical
from sessions.plan import IntakeLog, Plan, Watch
from sessions.proofs import Act, OnSilence, State
from sessions.verify import verify
from sessions.zipped import unpack
from tests.support.audited import by_python, by_typescript
from tests.support.bundles import Files, failed, signed_anew
from tests.support.ceremony import MINUTE, a_plan
from tests.support.generated import Making
from tests.support.outside import TIME_BY, the_hall

WATCH = Watch(origin="hall.example/s/gx-1", witnesses=(), quorum=0, authorities=TIME_BY)


class _Proved(Making):
    """An opening of which two authorities hold what it was, each with what was known of its certificate."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.checkpoints.proving = 1.0

    def _plan(self) -> Plan:
        return replace(a_plan("cn-works"), watch=WATCH, intake_log=IntakeLog(every=20 * MINUTE, leaves=4))


class _Strict(_Proved):
    """The same under rules that take no stamp of an authority that is not known to stand."""

    def _plan(self) -> Plan:
        plan = super()._plan()
        rules = {**(plan.pack.revocation or {}), Act.STAMP: OnSilence.REFUSE}
        return replace(plan, proofs=True, pack=replace(plan.pack, revocation=rules))


@cache
def the_files() -> Files:
    """A bundle with every state there may be, among the tokens over both logs and over the end."""
    for seed in range(300):
        files = unpack(asyncio.run(_Proved(seed).play().bundle()))
        if {"good", "unasked", "unavailable"} <= set(states(files).values()) and the_end(files):
            return files
    raise AssertionError("no seed tells such a story")


def states(files: Files) -> dict[str, str]:
    found = {name: data for name, data in files.items() if name.startswith("stamps/") and name.endswith(".json")}
    return {name: json.loads(data)["looked"][0]["state"] for name, data in found.items()}


def the_end(files: Files) -> bool:
    return {"stamps/final-1.json", "stamps/final-2.json", "stamps/close-1.json"} <= files.keys()


def one(state: str) -> str:
    return next(name for name, found in sorted(states(the_files()).items()) if found == state)


def both(files: Files) -> set[str]:
    """The checks that fail when the hall itself signs these files, in both verifiers."""
    bundle = signed_anew(files, the_hall())
    assert by_typescript(bundle) == [by_python(bundle)]
    return failed(bundle)


def detail(files: Files) -> str:
    report = verify(signed_anew(files, the_hall()))
    return next(check.detail for check in report.checks if check.id == "stamps.tokens")


def test_the_evidence_is_in_the_bundle_and_comes_to_the_same_verdict_again() -> None:
    assert both(the_files()) == set()
    for state in (State.GOOD, State.UNASKED, State.UNAVAILABLE):
        assert f"{list(states(the_files()).values()).count(state)} {state}" in detail(the_files())


def without(*names: str) -> Callable[[Files], Files]:
    return lambda files: {name: data for name, data in files.items() if name not in names}


def told(name: str, **changes: object) -> Callable[[Files], Files]:
    """Another document in that place: of what was looked at, or of the whole."""

    def change(files: Files) -> Files:
        document = dict(parse_canonical(files[name]))
        whole = {key: value for key, value in changes.items() if key in document}
        looked = {**document["looked"][0], **{k: v for k, v in changes.items() if k not in document}}
        return {**files, name: canonical({**document, "looked": [looked], **whole})}

    return change


def test_an_archive_of_before_has_none_and_says_so() -> None:
    """Tokens over the end and over receipts are no events: a hall of an earlier version kept no evidence of them."""
    files = {
        name: data
        for name, data in the_files().items()
        if not (name.startswith(("stamps/final", "stamps/intake")) and name.endswith(".json"))
    }
    kept = {digest for name in states(files) for digest in _named(files[name])}
    files = {name: d for name, d in files.items() if not name.startswith(_FOLDERS) or name.split("/")[2][:-4] in kept}
    assert both(files) == set()
    assert "not looked at" in detail(files)


_FOLDERS = ("stamps/certificates/", "stamps/lists/")


def _named(document: bytes) -> set[str]:
    (looked,) = json.loads(document)["looked"]
    return {looked["certificate"], *looked["chain"], *looked["crls"]}


CHANGES: dict[str, Callable[[], Callable[[Files], Files]]] = {
    "what an event says of it is gone": lambda: without("stamps/close-1.json"),
    "it is of another authority": lambda: lambda f: {**f, "stamps/final-1.json": f["stamps/final-2.json"]},
    "it is of another moment": lambda: told(
        "stamps/final-1.json",
        at=(json.loads(the_files()["stamps/final-1.json"])["at"]).replace("Z", "Z")[:-5] + "999Z",
    ),
    "it says more than it shows": lambda: told(one("unasked"), state="good"),
    "it says less than it shows": lambda: told(one("good"), state="unasked"),
    "it says revoked": lambda: told(one("unasked"), state="revoked"),
    "it is for signing": lambda: told("stamps/final-1.json", usage=Usage.SIGN),
    "nobody was asked": lambda: told(one("unavailable"), tried=[]),
    "its chain leads elsewhere": lambda: told("stamps/final-1.json", chain=[]),
    "a certificate is gone": lambda: without(*(n for n in the_files() if n.startswith("stamps/certificates/"))),
    "a file has another name": lambda: lambda f: {**f, f"stamps/lists/{'0' * 64}.der": b"no list"},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_evidence_that_is_not_what_it_says_is_found(change: Callable[[], Callable[[Files], Files]]) -> None:
    assert both(change()(dict(the_files()))) == {"stamps.tokens"}


def test_a_certificate_that_no_evidence_names_is_found() -> None:
    stray = {f"stamps/certificates/{sha256_hex(b'stray')}.der": b"stray"}
    assert both({**the_files(), **stray}) == {"stamps.tokens"}


def test_where_the_rules_ask_for_it_no_stamp_may_lack_it() -> None:
    files = next(f for n in range(300) if the_end(f := unpack(asyncio.run(_Strict(n).play().bundle()))))
    assert both(files) == set()
    assert set(states(files).values()) == {"good"}
    gone = {name: data for name, data in files.items() if name != "stamps/final-1.json"}
    assert "unproved" in detail(gone)
    assert "stamps.tokens" in both(gone)
