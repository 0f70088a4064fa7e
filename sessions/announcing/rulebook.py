"""Rule packs: the law and practice of one procedure, as ``packs/*.toml``. No number or article lives in code.

A plan holds its pack whole and names the digest of its file. So a pack that was published is never changed: a new one
takes its place with a new version, and the old one goes to ``packs/VERSION/``, where its digest can still be checked.
"""

from __future__ import annotations

import tomllib
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any

from crypto.digest import sha256_hex
from sessions.announcing.lock_terms import MOST_LOCKS, MOST_OFFICERS
from sessions.plan import Article, EvidenceRule, OutageRule, Phase, RulePack, StepKind, WindowRule, WitnessRule
from sessions.roles import STAFF, Role
from sessions.shape import Misshapen, from_json

EVERYBODY = STAFF | {Role.PUBLIC, Role.BIDDER}
_WINDOWS = {StepKind.CHECKIN, StepKind.DRAW, StepKind.DECRYPT, StepKind.CONFIRM, StepKind.OBJECTION, StepKind.SIGN}
_ORDER = list(StepKind)  # declared in the order of the ceremony
_TWO_PERSON = {"Postpone", "Abort", "RuleCause", "ExtendBeyond", "GrantEscrow", "MissLock", "RepeatDraw"}
_OPTIONAL = {StepKind.CEILING, StepKind.DRAW, StepKind.CONFIRM}


def available() -> tuple[str, ...]:
    """Return the ids of the packs that come with this version."""
    folder = files("sessions") / "packs"
    return tuple(sorted(path.name.removesuffix(".toml") for path in folder.iterdir() if path.name.endswith(".toml")))


@cache
def load(pack_id: str) -> RulePack:
    """Return the pack; raise KeyError if there is none of this name."""
    if pack_id not in available():
        raise KeyError(pack_id)
    return parse((files("sessions") / "packs" / f"{pack_id}.toml").read_bytes())


def parse(data: bytes) -> RulePack:
    """Return the pack that a file spells, with the SHA-256 of its bytes; raise ``Misshapen`` where it is wrong.

    Every reference to an article must lead somewhere, and the steps must come in an order that keeps the promises:
    nothing is opened before the list is out, nothing is signed before objections were heard.
    """
    try:
        table = tomllib.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Misshapen("pack", str(error)) from error
    articles = {
        name: from_json(Article, {"id": name, **article}, f"articles.{name}")
        for name, article in table.pop("articles", {}).items()
    }
    windows = {name: _window(name, rule) for name, rule in table.pop("windows", {}).items()}
    visibility = {name: _phases(name, row) for name, row in table.pop("visibility", {}).items()}
    rule, watch, fails = table.pop("witness", None), table.pop("evidence", None), table.pop("outage", None)
    table["reading_pace"] = table.pop("reading_pace_s", 0) * 1000
    if "renewal_margin_s" in table:
        table["renewal_margin"] = table.pop("renewal_margin_s") * 1000
    form = {**table, "digest": sha256_hex(data), "articles": {}, "windows": {}, "visibility": {}}
    bare = from_json(RulePack, form, "pack")
    witness = None if rule is None else from_json(WitnessRule, _in_ms(rule), "witness")
    evidence = None if watch is None else from_json(EvidenceRule, _in_ms(watch), "evidence")
    outage = None if fails is None else from_json(OutageRule, _in_ms(fails), "outage")
    pack = replace(
        bare,
        articles=articles,
        windows=windows,
        visibility=visibility,
        witness=witness,
        evidence=evidence,
        outage=outage,
    )
    _check(pack)
    return pack


def _window(name: str, rule: dict[str, Any]) -> WindowRule:
    form = _in_ms(rule)
    return from_json(WindowRule, form, f"windows.{name}")


def _in_ms(rule: dict[str, Any]) -> dict[str, Any]:
    return {key.removesuffix("_s"): value * 1000 if key.endswith("_s") else value for key, value in rule.items()}


def _phases(name: str, row: dict[str, list[str]]) -> dict[Phase, frozenset[Role]]:
    if row.keys() != set(Phase):
        raise Misshapen(f"visibility.{name}", "every phase is said, and no other")
    return {
        Phase(phase): EVERYBODY
        if roles == ["all"]
        else from_json(frozenset[Role], roles, f"visibility.{name}.{phase}")
        for phase, roles in row.items()
    }


def _check(pack: RulePack) -> None:
    kinds = [step.kind for step in pack.steps]
    if kinds != [kind for kind in _ORDER if kind in kinds] or set(_ORDER) - set(kinds) - _OPTIONAL:
        raise Misshapen("steps", "not the order of the ceremony")
    if pack.steps[0].starts != "clock":
        raise Misshapen("steps.checkin", "begins by the clock")
    if pack.windows.keys() != {kind.value for kind in _WINDOWS & set(kinds)}:
        raise Misshapen("windows", "one for each step that waits for people, and no other")
    if not all(rule.shortest <= rule.default <= rule.longest for rule in pack.windows.values()):
        raise Misshapen("windows", "the default lies between shortest and longest")
    if not 1 <= pack.barrier.fewest_locks <= MOST_LOCKS or not 1 <= pack.barrier.most_officers <= MOST_OFFICERS:
        raise Misshapen("barrier", f"at most {MOST_LOCKS} locks of {MOST_OFFICERS} officers")
    if not pack.two_person <= _TWO_PERSON:
        raise Misshapen("two_person", "not an act that two persons can share")
    if StepKind.DRAW in kinds and "RepeatDraw" not in pack.two_person:
        raise Misshapen("two_person", "nobody alone begins a draw anew")
    cited = [pack.minimum_article, *(step.article for step in pack.steps), *pack.refusals.values()]
    cited += [rule.article for rule in pack.windows.values() if rule.article]
    cited += [pack.barrier.article] if pack.barrier.article else []
    cited += [pack.witness.article] if pack.witness else []
    cited += [pack.evidence.article] if pack.evidence else []
    cited += [pack.outage.article] if pack.outage else []
    if pack.floor is not None and not pack.floor.steps <= set(kinds) - {StepKind.CHECKIN, StepKind.LIST}:
        raise Misshapen("floor.steps", "steps of this pack, after the bidders were named")
    cited += [pack.floor.article] if pack.floor else []
    for article in cited:
        if article not in pack.articles:
            raise Misshapen("articles", f"{article} is cited and not given")
