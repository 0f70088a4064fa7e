"""One thing wrong with a bundle, chosen by chance: a stranger's doing, or the hall's, which signs its lie itself."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from crypto.encoding import canonical
from crypto.signing import HallKey
from sessions.verify.report import Failed
from sessions.zipped import pack, unpack
from tests.support.bundles import Files, events, redrawn, retold, signed_anew, with_events
from tests.support.tampering import flipped

Cores = list[dict[str, Any]]
OPENING = "events/opening.jsonl"


def mutated(bundle: bytes, other: bytes, key: HallKey, chance: random.Random) -> tuple[str, bytes]:
    """Return what was done and the bundle it was done to; ``other`` is that of another session under the same key."""
    files = unpack(bundle)
    kinds: Sequence[tuple[str, Callable[[], bytes]]] = (
        (
            "a byte of the zip file is changed",
            lambda: flipped(bundle, chance.randrange(len(bundle)), chance.randrange(8)),
        ),
        ("a byte of a member is changed", lambda: pack(_flipped(files, chance))),
        ("a byte of a member is changed, and signed", lambda: _signed(_flipped(files, chance), key)),
        ("a member is dropped, and signed", lambda: _signed(_without(files, chance), key)),
        ("a member is another's, and signed", lambda: _signed(_exchanged(files, chance), key)),
        ("a member is of another session, and signed", lambda: _signed(_foreign(files, unpack(other), chance), key)),
        ("events are edited, and signed", lambda: _signed(_edited(files, chance), key)),
        (
            "events are edited and chained anew",
            lambda: _signed(retold(files, _edit(chance), _stream(files, chance)), key),
        ),
        ("the log is rewritten from an event on, record and all", lambda: _signed(_rewritten(files, chance), key)),
        ("the log goes on differently", lambda: _signed(_forked(files, unpack(other), chance), key)),
        ("the hall's key is another", lambda: _rotated(files)),
    )
    name, make = chance.choice(kinds)
    try:
        return name, make()
    except (ValueError, KeyError, IndexError, AssertionError, StopIteration, TypeError, AttributeError, Failed):
        return "the file is cut", bundle[: chance.randrange(len(bundle))]  # that change made no sense here


def _signed(files: Files, key: HallKey) -> bytes:
    return signed_anew(files, key)


def _rotated(files: Files) -> bytes:
    stranger = HallKey.generate()
    return signed_anew({**files, "hall-key.json": canonical(stranger.public.document())}, stranger)


def _member(files: Files, chance: random.Random) -> str:
    return chance.choice([name for name in sorted(files) if not name.startswith("manifest.") and files[name]])


def _flipped(files: Files, chance: random.Random) -> Files:
    name = _member(files, chance)
    return {**files, name: flipped(files[name], chance.randrange(len(files[name])), chance.randrange(8))}


def _without(files: Files, chance: random.Random) -> Files:
    gone = chance.choice(
        [name for name in sorted(files) if name not in ("plan.json", "manifest.json", "manifest.jws")]
    )
    return {name: data for name, data in files.items() if name != gone}


def _exchanged(files: Files, chance: random.Random) -> Files:
    name = _member(files, chance)
    alike = [each for each in sorted(files) if each.rpartition(".")[2] == name.rpartition(".")[2]]
    return {**files, name: files[chance.choice(alike)]}


def _foreign(files: Files, other: Files, chance: random.Random) -> Files:
    name = chance.choice([name for name in sorted(files.keys() & other.keys()) if not name.startswith("manifest.")])
    return {**files, name: other[name]}


def _stream(files: Files, chance: random.Random) -> str:
    return chance.choice(("opening", "opening", "intake")) if "events/intake.jsonl" in files else "opening"


def _edited(files: Files, chance: random.Random) -> Files:
    stream = _stream(files, chance)
    cores = events(files, stream)
    _edit(chance)(cores)
    return with_events(files, cores, stream)


def _rewritten(files: Files, chance: random.Random) -> Files:
    return redrawn(retold(files, _edit(chance)))


def _forked(files: Files, other: Files, chance: random.Random) -> Files:
    mine, theirs = events(files), events(other)
    cut = chance.randrange(1, len(mine))
    return retold(files, lambda cores: cores.__setitem__(slice(cut, None), theirs[cut:]))


def _edit(chance: random.Random) -> Callable[[Cores], None]:
    return chance.choice((_drop, _double, _swap, _truncate, _retime, _reattribute, _reword, _reword, _reword))(chance)


def _drop(chance: random.Random) -> Callable[[Cores], None]:
    return lambda cores: cores.__delitem__(chance.randrange(len(cores)))


def _double(chance: random.Random) -> Callable[[Cores], None]:
    def change(cores: Cores) -> None:
        at = chance.randrange(len(cores))
        cores.insert(chance.choice((at, at + 1, chance.randrange(len(cores)))), dict(cores[at]))

    return change


def _swap(chance: random.Random) -> Callable[[Cores], None]:
    def change(cores: Cores) -> None:
        at = chance.randrange(len(cores) - 1)
        cores[at], cores[at + 1] = cores[at + 1], cores[at]

    return change


def _truncate(chance: random.Random) -> Callable[[Cores], None]:
    return lambda cores: cores.__delitem__(slice(chance.randrange(1, len(cores)), None))


def _retime(chance: random.Random) -> Callable[[Cores], None]:
    def change(cores: Cores) -> None:
        at = chance.randrange(len(cores))
        cores[at]["at"] = cores[chance.randrange(max(0, at - 3), min(len(cores), at + 4))]["at"]

    return change


def _reattribute(chance: random.Random) -> Callable[[Cores], None]:
    def change(cores: Cores) -> None:
        actors = sorted({core["actor"] for core in cores} | {"host:nobody", "public:", "clock:mine", "bidder"})
        chance.choice(cores)["actor"] = chance.choice(actors)

    return change


def _reword(chance: random.Random) -> Callable[[Cores], None]:
    """Change one value somewhere inside one event's data, to another of its kind where there is one."""

    def change(cores: Cores) -> None:
        core = chance.choice([core for core in cores if core["data"]])
        inside: Any = core["data"]
        others = [value for each in cores for value in _leaves(each["data"])]
        while True:
            keys: list[Any] = sorted(inside) if isinstance(inside, Mapping) else list(range(len(inside)))
            if not keys:
                return
            key = chance.choice(keys)
            if not isinstance(inside[key], dict | list) or not inside[key]:
                break
            inside = inside[key]
        same = [value for value in others if type(value) is type(inside[key])]
        odd: list[Any] = [None, "", 0, -1, True, [], {}, "2026-11-21T01:00:00.000Z", json.dumps(inside[key])]
        inside[key] = chance.choice(chance.choice((same, same, odd)) or odd)

    return change


def _leaves(value: Any) -> list[Any]:
    match value:
        case dict():
            return [leaf for item in value.values() for leaf in _leaves(item)]
        case list():
            return [leaf for item in value for leaf in _leaves(item)]
        case _:
            return [value]
