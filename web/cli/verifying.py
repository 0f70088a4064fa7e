"""``kaibiao verify``: a stranger checks an archive, offline."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from sessions.verify import Outcome, Report, verify


def register(app: typer.Typer) -> None:
    """Add the command of this module to ``app``."""
    app.command("verify")(verify_bundle)


def verify_bundle(
    bundle: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="session.zip of an opening.")],
    *,
    receipt: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="A bidder's receipt: what became of its bid?")
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Checkpoint or .tlog-proof held outside, to be compared."),
    ] = None,
    head: Annotated[
        str, typer.Option(help="Head of the event chain from the foot of a printed record, to be compared.")
    ] = "",
    hall_key: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="The hall's key, or list of keys, that you kept: is this one of them?"
        ),
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Policy of the witnesses you go by: did they hold the log?"),
    ] = None,
    authorities: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="PEM file of the roots you trust: are there others?"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of lines.")] = False,
) -> None:
    """Check an archive offline, from the file alone. Exit 0 only if every named check holds.

    With a receipt, also only if its bid was counted, replaced or withdrawn: a bid that was dropped convicts the hall.
    With a checkpoint that somebody held outside, or the head of the chain from a printed record, also only if that is
    of the same log. With the hall's key
    (/api/v1/hall-key, kept earlier), also only if that key signed the archive, or one that follows from it. With a
    policy of witnesses or a file of authorities, also only if those held the log, and if it trusts no others.
    """
    held = (head.encode() or None) if checkpoint is None else _checkpoint(checkpoint)
    trusted = None if hall_key is None else hall_key.read_bytes()
    brought = {"policy": policy, "authorities": authorities}
    report = verify(
        bundle,
        None if receipt is None else receipt.read_bytes(),
        held=held,
        trusted=trusted,
        **{name: None if file is None else file.read_bytes() for name, file in brought.items()},
    )
    if as_json:
        sys.stdout.write(json.dumps(report.to_json(), ensure_ascii=False, indent=1) + "\n")
    else:
        sys.stdout.write("".join(_lines(report)))
    raise SystemExit(0 if report.ok else 1)


def _checkpoint(file: Path) -> bytes:
    """A checkpoint by itself, or the one in a proof that somebody kept."""
    data = file.read_bytes()
    return data.partition(b"\n\n")[2] if data.startswith(b"c2sp.org/tlog-proof@v1\n") else data


_MARKS = {Outcome.PASSED: "ok  ", Outcome.FAILED: "FAIL", Outcome.SKIPPED: "-   "}


def _lines(report: Report) -> Iterator[str]:
    for check in report.checks:
        yield f"{_MARKS[check.outcome]}  {check.id}: {check.zh}\n      {check.en}"
        yield f" ({check.detail})\n" if check.detail else "\n"
    title = f", {report.title.zh} {report.title.en}" if report.title else ""
    yield f"\nOpening {report.session or 'unknown'}{title}\nHall key {report.hall_key or 'unknown'}: "
    yield "compare it with what the hall publishes.\n"
    if report.taken:
        yield "\n以下由档案自己提出，档案无法自证，请与各方公布的核对：\n"
        yield "The archive names these itself, and cannot show that they deserve trust. Compare them with what\n"
        yield "others publish, or bring your own (--hall-key, --authorities, --policy):\n"
        yield from (f"      - {each.zh}\n        {each.en}\n" for each in report.taken)
    held = sum(check.passed for check in report.checks)
    yield f"{held} of {len(report.checks)} checks hold.\n"
    if (verdict := report.verdict) is not None:
        yield f"\n{'ok  ' if verdict.ok else 'FAIL'}  receipt: {verdict.words.zh}\n      {verdict.words.en}\n"
        yield from (f"      - {sentence}\n" for sentence in verdict.evidence)
