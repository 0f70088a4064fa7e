"""Other histories of one opening, as a stranger or the hall itself might tell them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from crypto.chain import event_digest, link
from crypto.encoding import canonical
from crypto.endorsements import endorse
from crypto.signing import HallKey
from crypto.tlog import Checkpoint, Tree, peek_checkpoint, sign_checkpoint
from sessions.archive.watched import FINAL_CHECKPOINT
from sessions.keys.hallkey import HallKeys
from tests.support.bundles import Files, events, redrawn, retold, signed_anew, with_events

Cores = list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """One changed bundle, and what was done to it; the hall signed its manifest."""

    said: str
    bundle: bytes


def told_wrongly(files: Files, key: HallKey, every: int = 1) -> list[History]:
    """The log with one event dropped, twice there, exchanged with the next or put elsewhere, and not chained anew."""
    cores, length = events(files), len(events(files))
    made: list[tuple[str, Cores]] = []
    for k in range(0, length, every):
        made.append((f"event {k + 1} is dropped", cores[:k] + cores[k + 1 :]))
        made.append((f"event {k + 1} is there twice", cores[: k + 1] + cores[k:]))
        foreign = {**cores[k], "data": {**cores[k]["data"], "more": 1}}
        made.append((f"an event is put in before event {k + 1}", [*cores[:k], foreign, *cores[k:]]))
        if k + 1 < length:
            made.append((f"events {k + 1} and {k + 2} are exchanged", _exchanged(cores, k, k + 1)))
            made.append((f"event {k + 1} is put at the end", cores[:k] + cores[k + 1 :] + [cores[k]]))
    return [History(said=said, bundle=signed_anew(with_events(files, told), key)) for said, told in made]


def _exchanged(cores: Cores, a: int, b: int) -> Cores:
    told = list(cores)
    told[a], told[b] = told[b], told[a]
    return told


def cut(files: Files, key: HallKey, k: int) -> History:
    """The log ends after event ``k``; the hall signs manifest and checkpoint of what is left."""
    told = with_events(files, events(files)[:k])
    return History(said=f"the log is cut after event {k}", bundle=signed_anew(logged_anew(told, key), key))


def rewritten(files: Files, key: HallKey, k: int) -> History:
    """Without event ``k``, and everything after it chained, anchored, drawn and signed anew.

    It is all that a hall can do by itself. What others said, cosignatures and timestamps, it cannot make again.
    """
    gone = events(files)[k - 1]
    told = retold(files, lambda cores: cores.__delitem__(k - 1))
    for _ in range(2):  # the record is drawn between the points: its digest is under the later ones
        told = redrawn(retold(told, lambda cores: _anchor(cores, k)))
    said = [name for name, data in told.items() if data.decode("latin-1") == gone["data"].get("statement")]
    left = {name: data for name, data in told.items() if name not in said}
    return History(said=f"rewritten without event {k}", bundle=signed_anew(logged_anew(left, key), key))


def _anchor(cores: Cores, k: int) -> None:
    """Let every answer from outside be to the log as it is now."""
    tree, prev = Tree(), None
    for number, core in enumerate(cores, start=1):
        if core["type"] == "Anchored" and number >= k:
            size = min(core["data"]["size"], number - 1)
            core["data"] |= {"size": size, "root": tree.root(size).hex()}
        core.update(link(prev, {**core, "n": number}))
        prev = event_digest(core)
        tree.append(bytes.fromhex(prev))


def logged_anew(files: Files, key: HallKey) -> Files:
    """Let the hall sign a checkpoint of the log as it is now; what witnesses said of another one is left out."""
    watch = json.loads(files["plan.json"])["watch"]
    tree = Tree(bytes.fromhex(event_digest(core)) for core in events(files))
    note = sign_checkpoint(Checkpoint(origin=watch["origin"], size=len(tree), root=tree.root()), key)
    return {**{n: data for n, data in files.items() if not _another(n, data, tree)}, FINAL_CHECKPOINT: note.encode()}


def _another(name: str, note: bytes, tree: Tree) -> bool:
    """Whether this is a checkpoint of a point, and of another log."""
    if not name.startswith("log/opening-"):
        return False
    checkpoint = peek_checkpoint(note)
    return checkpoint.size > len(tree) or tree.root(checkpoint.size) != checkpoint.root


def under_another_key(files: Files, old: HallKey, new: HallKey) -> dict[str, bytes]:
    """Return the bundles of a hall that signs with its next key what was announced under the one before."""
    stated = {**files, "hall-key.json": canonical(new.public.document())}
    listed = canonical(HallKeys([old, new], [endorse(old, new.public)]).document())

    def announce(cores: Cores) -> None:
        cores[0]["data"]["plan"]["hall_key"] = new.public.kid

    told = redrawn(retold(stated, announce))
    told = {**told, "plan.json": canonical(events(told)[0]["data"]["plan"]), "hall-keys.json": listed}
    return {
        "the manifest is signed by the next key": signed_anew(stated, new),
        "and the next key is endorsed": signed_anew({**stated, "hall-keys.json": listed}, new),
        "and the checkpoints are too": signed_anew(logged_anew({**stated, "hall-keys.json": listed}, new), new),
        "and the log begins with the next key": signed_anew(logged_anew(told, new), new),
    }
