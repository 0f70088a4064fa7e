"""One thing wrong with a bundle, chosen by chance: a stranger's doing, or the hall's, which signs its lie itself."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from crypto.chain import event_digest
from crypto.chunked import HEAD, SALT, derive
from crypto.digest import sha256_hex
from crypto.encoding import b64u, canonical
from crypto.header import QUOTE, parse
from crypto.keys import part_context
from crypto.signing import HallKey
from sessions.quote import read_sheet
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
        ("evidence is edited, and signed", lambda: _signed(_evidence(files, chance)[0], key)),
        ("evidence is edited, and the log names it", lambda: _signed(_named(*_evidence(files, chance)), key)),
        ("evidence is edited, and the log names it", lambda: _signed(_named(*_evidence(files, chance)), key)),
        ("a sheet is read under a second key, and the log says so", lambda: second_key(files, key, chance)),
        ("a note has other lines", lambda: _signed(_noted(files, unpack(other), chance), key)),
    )
    name, make = chance.choice(kinds)
    try:
        return name, make()
    except (ValueError, KeyError, IndexError, AssertionError, StopIteration, TypeError, AttributeError, Failed):
        return "the file is cut", bundle[: chance.randrange(len(bundle))]  # that change made no sense here


def _signed(files: Files, key: HallKey) -> bytes:
    return signed_anew(files, key)


def second_key(files: Files, key: HallKey, chance: random.Random) -> bytes:
    """Let the sealed sheet of one bid open to another price, under another key than the one it committed to.

    What a two-price ciphertext is for (AES-GCM takes one under two keys): who may choose the key after the deadline
    chooses the price. Bytes, key, sheet and record agree with one another; only the commitment before the deadline
    does not.
    """
    told = chance.choice([core for core in events(files) if core["type"] == "BidOpened"])
    headers = {name: parse(data) for name, data in files.items() if name.endswith("/header.json")}
    name, header = next(each for each in headers.items() if each[1].bidder == told["data"]["bidder"])
    folder, part = name.removesuffix("header.json"), header.part(QUOTE)
    # The last figure alone, so that nothing else in the record would have to be another.
    sheet = re.sub(rb"[0-9](?=[^0-9]*$)", lambda digit: b"%d" % (9 - int(digit[0])), files[f"{folder}quote.json"])
    if sheet == files[f"{folder}quote.json"]:
        raise ValueError("a sheet without a figure")
    secret, head = chance.randbytes(32), files[f"{folder}quote.sbid-part"][:HEAD]
    stream = derive(header.suite.body, secret, head[:SALT], part_context(header.context(part.group), QUOTE))
    sealed = AESGCM(stream.key).encrypt(stream.nonce(0), sheet, None)

    def change(cores: Cores) -> None:
        for core in cores:
            if core["type"] == "BidOpened" and core["data"]["bidder"] == header.bidder:
                said = {
                    "quote": dict(read_sheet(sheet)),
                    "quote_sha256": sha256_hex(sheet),
                    "quote_key": b64u(secret),
                }
                core["data"] = core["data"] | said

    shown = {"quote.sbid-part": head + sealed, "quote.key": b64u(secret).encode(), "quote.json": sheet}
    changed = {**files, **{f"{folder}{member}": data for member, data in shown.items()}}
    return _signed(redrawn(retold(changed, change)), key)


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
    taken = ("opening", "opening", "intake") if "events/intake.jsonl" in files else ("opening",)
    filmed = ("recording",) if files.get("events/recording.jsonl") else ()
    return chance.choice((*taken, *filmed))


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


EVIDENCE = (
    "proofs.jsonl",
    "evidence.jsonl",
    "reach.jsonl",
    "probes.jsonl",
    ".tst",
    ".der",
    "quote.json",
    ".entries",
    ".mp4",
)


def _evidence(files: Files, chance: random.Random) -> tuple[Files, dict[str, str]]:
    """Return the files with one that the log names by its digest changed, and the digests before and after."""
    name = chance.choice([name for name in sorted(files) if name.endswith(EVIDENCE) and files[name]])
    before, lines = files[name], files[name].splitlines(keepends=True)
    if name.endswith(".jsonl"):
        changed = chance.choice((_lines_moved, _lines_moved, _line_reworded, _line_reworded, _line_reworded))(
            lines, chance
        )
    elif name.endswith(".json"):
        changed = _line_reworded([before], chance)
    else:
        changed = [flipped(before, chance.randrange(len(before)), chance.randrange(8))]
    after = b"".join(changed)
    digests = {sha256_hex(before): sha256_hex(after)}
    if len(changed) == len(lines):
        digests |= {
            sha256_hex(a.rstrip(b"\n")): sha256_hex(b.rstrip(b"\n")) for a, b in zip(lines, changed, strict=True)
        }
    return {**files, name: after}, {a: b for a, b in digests.items() if a != b}


def _lines_moved(lines: list[bytes], chance: random.Random) -> list[bytes]:
    a, b = chance.randrange(len(lines)), chance.randrange(len(lines))
    match chance.randrange(3):
        case 0:
            return lines[:a] + lines[a + 1 :]
        case 1:
            return [*lines[:a], lines[a], *lines[a:]]
        case _:
            lines[a], lines[b] = lines[b], lines[a]
            return lines


def _line_reworded(lines: list[bytes], chance: random.Random) -> list[bytes]:
    place = chance.randrange(len(lines))
    whole = {"data": json.loads(lines[place])}
    _reworded([whole], whole, chance)
    changed = list(lines)
    changed[place] = canonical(whole["data"]) + (b"\n" if lines[place].endswith(b"\n") else b"")
    return changed


def _named(files: Files, digests: Mapping[str, str]) -> Files:
    """Let both streams name what was changed, and all follow from that which the hall can say by itself."""

    def change(cores: Cores) -> None:
        for core in cores:
            text = json.dumps(core["data"], ensure_ascii=False)
            for before, after in digests.items():
                text = text.replace(before, after)
            core["data"] = json.loads(text)

    told = retold(files, change, "intake") if "events/intake.jsonl" in files else files
    head = event_digest(events(told, "intake")[-1]) if "events/intake.jsonl" in told else None

    def frozen(cores: Cores) -> None:
        change(cores)
        for core in cores:
            if core["type"] == "SetFrozen" and head is not None:
                core["data"]["intake_head"] = head

    return redrawn(retold(told, frozen))


def _noted(files: Files, other: Files, chance: random.Random) -> Files:
    """Change the signature lines of a checkpoint: one gone, twice there, another's, or from another session."""
    notes = [name for name in sorted(files) if name.endswith(".checkpoint")]
    name = chance.choice(notes)
    text, _, lines = files[name].rpartition(b"\n\n")
    signed = lines.splitlines(keepends=True)
    foreign = [each for each in (*notes, *other) if each.endswith(".checkpoint")]
    place = chance.randrange(len(signed))
    more = (files | other)[chance.choice(foreign)].rpartition(b"\n\n")[2].splitlines(keepends=True)
    changed = chance.choice(
        (
            signed[:place] + signed[place + 1 :],
            [*signed, signed[place]],
            [*signed, chance.choice(more)],
            [*signed[:place], chance.choice(more), *signed[place + 1 :]],
            list(reversed(signed)),
        )
    )
    return {**files, name: text + b"\n\n" + b"".join(changed)}


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
    return lambda cores: _reworded(cores, chance.choice([core for core in cores if core["data"]]), chance)


def _reworded(cores: Cores, core: dict[str, Any], chance: random.Random) -> None:
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


def _leaves(value: Any) -> list[Any]:
    match value:
        case dict():
            return [leaf for item in value.values() for leaf in _leaves(item)]
        case list():
            return [leaf for item in value for leaf in _leaves(item)]
        case _:
            return [value]
