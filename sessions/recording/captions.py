"""What was said, as chapters and captions of the recording: from the events alone, on the recording's clock.

That clock begins at the moment at which the decode time of the first part is 0; gaps take their time in it. Where
there is one part, which is nearly always, it is the file's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sessions.events import Recorded, StepEntered
from sessions.opening import Opening, evolve
from sessions.plan import Plan, Words
from sessions.recording.mp4 import Chapter
from sessions.recording.state import Part
from sessions.wording.readout import QUIET, rows_read
from sessions.wording.words import describe

LONGEST = timedelta(seconds=8)
SHORTEST = timedelta(seconds=1)
_MS = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A sentence at its moment: of the event ``number``, or of a row that is read out when that was the newest."""

    at: datetime
    words: Words
    number: int
    row: bool = False


def said(log: Iterable[Recorded]) -> Iterator[Said]:
    """Yield every sentence of the ceremony, in order: those of the events, and each row when it is read out."""
    opening: Opening | None = None
    read = 0
    for record in log:
        if opening is not None:
            rows, read = rows_read(opening, record.at, read)
            for one in rows:
                yield Said(at=one.at, words=one.words, number=opening.length, row=True)
        if type(record.event).__name__ not in QUIET:
            yield Said(at=record.at, words=describe(record, opening), number=record.number)
        opening = evolve(opening, record)


def captions(log: Sequence[Recorded], zero: datetime, until: datetime, language: str) -> str:
    """Return the sentences from ``zero`` to ``until`` as WebVTT, in ``zh`` or ``en``."""
    cues: list[tuple[datetime, list[str]]] = []
    for one in said(log):
        if not zero <= one.at <= until:
            continue
        text = one.words.zh if language == "zh" else one.words.en
        if cues and one.at - cues[-1][0] < SHORTEST:
            cues[-1][1].append(text)
        else:
            cues.append((one.at, [text]))
    lines = ["WEBVTT", ""]
    for number, (at, texts) in enumerate(cues):
        following = cues[number + 1][0] if number + 1 < len(cues) else until
        end = max(min(following, at + LONGEST), at + SHORTEST)
        lines += [f"{_stamp(at - zero)} --> {_stamp(end - zero)}", *map(_escaped, texts[-3:]), ""]
    return "\n".join(lines)


def chapters(plan: Plan, log: Iterable[Recorded], part: Part) -> tuple[Chapter, ...]:
    """Return the steps of the ceremony as chapters of one part, in Chinese, the language of the record."""
    titles = {step.id: step.title.zh for step in plan.pack.steps}
    entered = [(r.at, titles[r.event.step]) for r in log if isinstance(r.event, StepEntered)]
    before = [title for at, title in entered if at <= part.begins]
    within = [(at, title) for at, title in entered if part.begins < at < part.ends]
    told = [(part.begins, before[-1])] if before else []
    return tuple(Chapter(at_ms=(at - part.utc) // _MS, title=title) for at, title in (*told, *within))


def _stamp(since: timedelta) -> str:
    ms = since // _MS
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}.{ms % 1000:03}"


def _escaped(text: str) -> str:
    return " ".join(text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").split())
