"""What a dishonest hall might change in a bundle before it signs it anew, and the check that finds it out."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from crypto.encoding import canonical
from crypto.tlog import Tree
from tests.support.bundles import Files, events, named, redrawn, retold, with_events


def flipped(data: bytes, at: int, bit: int = 0) -> bytes:
    return data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]


def without(*names: str) -> Callable[[Files], Files]:
    return lambda files: {name: data for name, data in files.items() if name not in names}


def replaced(name: str, by: str) -> Callable[[Files], Files]:
    return lambda files: {**files, name: files[by]}


def altered(name: str, at: int = 10) -> Callable[[Files], Files]:
    return lambda files: {**files, name: flipped(files[name], at)}


def changing(kind: str, stream: str = "opening", **data: Any) -> Callable[[Files], Files]:
    def change(cores: list[dict[str, Any]]) -> None:
        named(cores, kind)["data"] |= data

    return lambda files: (
        redrawn(retold(files, change, stream)) if stream == "opening" else retold(files, change, stream)
    )


def dropped(kind: str, stream: str = "opening") -> Callable[[Files], Files]:
    return lambda files: retold(files, lambda cores: cores.remove(named(cores, kind)), stream)


def dropped_without_chaining(files: Files) -> Files:
    cores = events(files)
    return with_events(files, [core for core in cores if core["n"] != 9])


def swapped_without_chaining(files: Files) -> Files:
    cores = events(files)
    cores[8], cores[9] = cores[9], cores[8]
    return with_events(files, cores)


def doubled(kind: str) -> Callable[[Files], Files]:
    def change(cores: list[dict[str, Any]]) -> None:
        event = named(cores, kind)
        cores.insert(cores.index(event), dict(event))

    return lambda files: retold(files, change)


def earlier(kind: str, before: str) -> Callable[[Files], Files]:
    def change(cores: list[dict[str, Any]]) -> None:
        event, other = named(cores, kind), named(cores, before)
        cores.remove(event)
        cores.insert(cores.index(other), {**event, "at": other["at"]})

    return lambda files: retold(files, change)


def later(kind: str, at: str, stream: str = "opening") -> Callable[[Files], Files]:
    def change(cores: list[dict[str, Any]]) -> None:
        event = named(cores, kind)
        for core in cores[cores.index(event) :]:
            core["at"] = max(core["at"], at)

    return lambda files: retold(files, change, stream)


def by_somebody_else(files: Files) -> Files:
    def change(cores: list[dict[str, Any]]) -> None:
        named(cores, "StepEntered")["actor"] = "host:lin"

    return retold(files, change)


def another_private_text(files: Files) -> Files:
    shown = [json.loads(line) for line in files["events/opening.private.jsonl"].splitlines()]
    shown[-1]["value"] = {"code": "wrong_key"}
    return {**files, "events/opening.private.jsonl": b"".join(canonical(line) + b"\n" for line in shown)}


def noted_without_gaps(files: Files) -> Files:
    """Have the opening's log, and the record, say that the recording misses nothing."""

    def change(cores: list[dict[str, Any]]) -> None:
        for core in cores:
            if core["type"] == "RecordingNoted":
                core["data"] |= {"gaps": []}

    return redrawn(retold(files, change))


def told_less(files: Files) -> Files:
    lines = files["events/opening.private.jsonl"].splitlines(keepends=True)
    return {**files, "events/opening.private.jsonl": b"".join(lines[:-1])}


def another_record(files: Files) -> Files:
    record = json.loads(files["record.json"])
    record["rows"][0]["name"] = "别的公司"
    return {**files, "record.json": canonical(record)}


def another_page(files: Files) -> Files:
    return {**files, "record.html": files["record.html"].replace(b"1,000,000.00", b"1,000,001.00")}


def another_plan(files: Files) -> Files:
    plan = json.loads(files["plan.json"])
    plan["tender"]["ceiling"] = "9.00"
    return {**files, "plan.json": canonical(plan)}


def swapped_entries(files: Files) -> Files:
    data = files["log/intake.entries"]
    return {**files, "log/intake.entries": data[32:64] + data[:32] + data[64:]}


def relogged(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[Files], Files]:
    """Let the hall lock another log of receipts, and say so in the record too."""

    def told(files: Files) -> Files:
        data = files["log/intake.entries"]
        entries = change([data[at : at + 32] for at in range(0, len(data), 32)])
        lock = {"intake_log_size": len(entries), "intake_log_root": Tree(entries).root().hex()}
        return {**changing("SetFrozen", **lock)(files), "log/intake.entries": b"".join(entries)}

    return told


FOUR = [bytes([number]) * 32 for number in range(4)]


def receipts_late(entries: list[bytes]) -> list[bytes]:
    """Move the first batch of receipts behind the second."""
    return [*entries[4:8], *entries[:4], *entries[8:]]


PRICE = {"price": "1000001.00"}
CERTIFICATE = "signing-certificate.pem"

TAMPERINGS: list[tuple[str, Callable[[Files], Files], str]] = [
    ("an event is dropped", dropped_without_chaining, "chain.opening"),
    ("two events are swapped", swapped_without_chaining, "chain.opening"),
    ("an event is told by the wrong person", by_somebody_else, "rules.opening"),
    ("an event is dropped and the rest chained anew", dropped("KeyReleased"), "rules.opening"),
    ("an event is there twice", doubled("CeilingAnnounced"), "rules.opening"),
    ("the barrier passes before the keys are in", earlier("BarrierPassed", "KeyReleased"), "rules.opening"),
    ("a bid is opened before the barrier", earlier("BidOpened", "BarrierPassed"), "rules.opening"),
    ("the set is frozen later", later("SetFrozen", "2026-11-21T01:00:00.400Z"), "rules.opening"),
    ("the window ends late", later("BarrierPassed", "2026-11-21T01:45:00.000Z"), "rules.opening"),
    ("another price is read out", changing("BidOpened", quote=PRICE), "bids.quotes"),
    ("another price is put on record", changing("BidOpened", quote=PRICE), "record.signatures"),
    ("another key is told", changing("BidOpened", quote_key="A" * 43), "bids.quotes"),
    ("a flag is added to a row", changing("BidOpened", flags=["over_ceiling"]), "rules.opening"),
    ("another cause is recorded", changing("BidNotOpened", cause="P1", consequence="withdrawn"), "rules.opening"),
    ("another ceiling is announced", changing("CeilingAnnounced", amount="9.00"), "rules.opening"),
    ("a bid is dropped from intake", dropped("BidReceived", "intake"), "chain.intake"),
    ("a bid came after the deadline", later("BidReceived", "2026-11-21T01:00:00.000Z", "intake"), "chain.intake"),
    ("intake is withheld", without("events/intake.jsonl"), "bundle.contents"),
    ("a private part is exchanged", another_private_text, "chain.private"),
    ("a private part is withheld", told_less, "rules.opening"),
    ("a file is slipped in", lambda files: {**files, "bids/9/header.json": b"{}"}, "bundle.contents"),
    ("an entry of the receipts' log is altered", altered("log/intake.entries"), "log.intake"),
    ("two entries of it are swapped", swapped_entries, "log.intake"),
    ("it is cut", lambda f: {**f, "log/intake.entries": f["log/intake.entries"][:-32]}, "log.intake"),
    ("it is withheld", without("log/intake.entries"), "bundle.contents"),
    ("another log of receipts is locked", relogged(lambda e: [*e[:-1], b"\7" * 32]), "log.intake"),
    ("a tick's entries are left out of it", relogged(lambda e: e[:-4]), "log.intake"),
    (
        "a tick's entries are added to it",
        relogged(lambda e: [*e, *FOUR]),
        "log.intake",
    ),
    ("receipts change their places in it", relogged(receipts_late), "log.intake"),
    ("a withdrawal's certificate is withheld", without("withdrawn/1.pem"), "log.withdrawn"),
    ("a certificate of no withdrawal is added", replaced("withdrawn/2.pem", "withdrawn/1.pem"), "log.withdrawn"),
    ("a header is exchanged", replaced("bids/1/header.json", "bids/2/header.json"), "set.complete"),
    ("a header is withheld", without("bids/1/header.json"), "set.complete"),
    ("a declaration is exchanged", replaced("bids/1/declaration.der", "bids/2/declaration.der"), "bids.declarations"),
    ("a declaration is altered", altered("bids/1/declaration.der", 900), "bids.declarations"),
    ("a certificate is exchanged", replaced(f"bids/1/{CERTIFICATE}", f"bids/2/{CERTIFICATE}"), "bids.declarations"),
    ("another authority is trusted", replaced("trust/anchor-1.pem", f"bids/1/{CERTIFICATE}"), "bids.certificates"),
    ("no authority is given", without("trust/anchor-1.pem"), "bids.certificates"),
    ("a receipt is exchanged", replaced("bids/1/receipt.jws", "bids/2/receipt.jws"), "bids.receipts"),
    ("a receipt is withheld", without("bids/1/receipt.jws"), "bids.receipts"),
    ("a sealed sheet is exchanged", replaced("bids/1/quote.sbid-part", "bids/2/quote.sbid-part"), "bids.quotes"),
    ("a sheet is exchanged", replaced("bids/1/quote.json", "bids/2/quote.json"), "bids.quotes"),
    ("a key is exchanged", replaced("bids/1/quote.key", "bids/2/quote.key"), "bids.quotes"),
    ("a slip is exchanged", replaced("slips/1.jws", "bids/1/receipt.jws"), "late.slips"),
    ("a check-in is exchanged", replaced("bids/1/checkin.jws", "bids/2/checkin.jws"), "statements.checkin"),
    ("a confirmation is exchanged", replaced("bids/1/confirm.jws", "bids/1/record.jws"), "statements.confirm"),
    ("a signature is exchanged", replaced("bids/1/record.jws", "bids/2/record.jws"), "record.signatures"),
    ("a host's signature is exchanged", replaced("signatures/1.jws", "signatures/2.jws"), "record.signatures"),
    ("the record is altered", another_record, "record.projection"),
    ("the page is altered", another_page, "record.page"),
    ("the instructions are altered", altered("README.txt"), "record.page"),
    ("the plan is exchanged", another_plan, "plan.announced"),
]
