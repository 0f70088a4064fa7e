"""The pages of one opening from its view: which template, which words, what the script is told.

Pure: equal arguments give equal bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import segno
from markupsafe import Markup

from crypto.words import WORDS as CRYPTO_WORDS
from hall.rooms.lag import FEWEST, Histogram
from sessions.acts.notary import Split
from sessions.notices.expiring import Ending
from sessions.ports import Summary
from sessions.recording import Gap
from sessions.recording.sources import Sent
from sessions.shape import rfc3339
from web.media.film import Film
from web.pages.agenda import STATUSES, Entry, Filters, arrange, entry
from web.pages.binding import Bound
from web.pages.screen import said, screen
from web.pages.templates import Pages, Theme, embedded
from web.participant.officer import lock_of
from web.wording.i18n import Language
from web.wording.words import WORDS, table

View = Mapping[str, Any]
SHOWN_FACTS: Final = 200
"""How many of the newest facts a page carries; the JSON has them all."""

_PUBLIC_WORDS: Final = (
    "watch",
    "dispute",
    "status",
    "step",
    "bid",
    "row",
    "seal",
    "cause",
    "consequence",
    "flag",
    "lock",
    "officer",
    "before",
    "escrow",
    "role",
    "objection",
    "objection_kind",
    "link",
    "door",
    "ui",
)
_LIVE_WORDS: Final = (*_PUBLIC_WORDS, "held", "alarm", "proof", "lag", "programme")


def calendar_values(
    summaries: Iterable[Summary], now: datetime, language: Language, filters: Filters
) -> dict[str, Any]:
    """Return what the calendar's template needs."""
    made = arrange((entry(one, language) for one in summaries), now, language, filters)
    return {
        "live": made.live,
        "days": made.days,
        "past": made.past,
        "filters": filters,
        "filtered": bool(filters),
        "statuses": STATUSES,
    }


def live_page(
    pages: Pages,
    view: View,
    facts: Sequence[View],
    language: Language,
    *,
    theme: Theme = "auto",
    reading: int = 0,
    path: str,
    refresh: bool = True,
    login: Mapping[str, str] | None = None,
    template: str = "live.html",
    source: str | None = None,
    splits: Sequence[Split] = (),
    media: Mapping[str, str | None] | None = None,
) -> bytes:
    """Return the public page of an opening. ``splits`` convict the hall after its end.

    ``media`` says where the programme is (web.media.whereabouts); None where there is none.

    ``reading`` counts rows begun (`screen.rows_read`). ``refresh`` lets a reader without JavaScript be reloaded.
    ``source`` is where the script gets its facts; None for the API of this opening.
    """
    return opening_page(
        pages,
        template,
        view,
        facts,
        language,
        words=_LIVE_WORDS,
        role="public",
        theme=theme,
        reading=reading,
        path=path,
        login=login,
        source=source,
        refresh=refresh and view["status"] not in {"ended", "failed", "aborted"},
        splits=splits,
        media=media,
        extra={"media": media} if media is not None else None,
    )


def seat_page(
    pages: Pages,
    view: View,
    facts: Sequence[View],
    language: Language,
    *,
    envelopes: int = 1,
    origin: str = "",
    bidder: str = "",
    hall: Mapping[str, Any] | None = None,
    endings: Sequence[Ending] = (),
    **given: Any,
) -> bytes:
    """Return a bidder's seat.

    ``envelopes`` is the tender's, 1 or 2; ``origin`` the hall's address, for the command line; ``hall`` its public
    key, which receipts are checked against; ``endings`` are certificates of its own that end too soon; ``on_air``:
    whether the hall has a picture.
    """
    given = {"on_air": False, **given}
    groups = ("A", "B")[:envelopes]
    return opening_page(
        pages,
        "seat.html",
        view,
        facts,
        language,
        **{"role": "bidder", **given},
        extra={"groups": groups, "bidder": bidder, "hall": hall},
        groups=groups,
        origin=origin,
        endings=endings,
    )


def host_page(pages: Pages, view: View, facts: Sequence[View], language: Language, **given: Any) -> bytes:
    """Return the console of the host or the deputy, as ``role`` says; ``on_air``: whether the hall has a picture."""
    given = {"on_air": False, **given}
    causes = tuple(cause for cause in WORDS["cause"] if cause != "unknown")
    return opening_page(pages, "host.html", view, facts, language, causes=causes, **_whose(view, given), **given)


def supervise_page(
    pages: Pages, view: View, facts: Sequence[View], language: Language, *, tiles: Sequence[Entry] = (), **given: Any
) -> bytes:
    """Return a supervisor's desk. ``tiles`` are the other openings under the same supervision."""
    return opening_page(pages, "supervise.html", view, facts, language, tiles=tiles, **_whose(view, given), **given)


def air_page(
    pages: Pages, view: View, language: Language, *, media: Mapping[str, object] | None, place: str, **given: Any
) -> bytes:
    """Return the page where somebody with a part goes on air.

    ``media`` is told to the script: ``video``, the hall's codec, and ``notice``, the number of the notice; None where
    there is no picture and sound. ``place`` is where its part is played: ``host``, ``supervise``, ``seat``.
    """
    return opening_page(pages, "air.html", view, (), language, media=media, place=place, extra=media, **given)


def _whose(view: View, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what depends on whom the page is for (``extra.account``): its lock, and when it has not signed yet.

    An account that is no path into the view is asked to sign until the end; the hall refuses it a second time.
    """
    account = str((given.get("extra") or {}).get("account", ""))
    unsigned = f"!record.signatures.{account}" if re.fullmatch(r"[\w-]+", account) else ""
    return {"lock": lock_of(view, account), "unsigned": unsigned}


def record_page(
    pages: Pages,
    view: View,
    facts: Sequence[View],
    document: Mapping[str, Any],
    language: Language,
    *,
    origin: str,
    splits: Sequence[Split] = (),
    lag: Histogram | None = None,
    film: Film | None = None,
    sources: Sequence[Sent] = (),
    gaps: Sequence[Gap] = (),
    again: Sequence[tuple[str, str]] = (),
    search: Sequence[View] | None = None,
    asked: str = "",
    **given: Any,
) -> bytes:
    """Return the opening record as a sheet, with the opening to replay. ``document`` is sessions.opening.record's.

    ``sources``: what each camera and microphone sent. ``gaps``: times of which there is no picture.
    ``again``: bidders whose authority had been silent when the bid was taken, with what it said when asked again.
    ``search``: the facts found for what was ``asked``.
    """
    place = f"{origin}/s/{view['session']['id']}/record"
    drawn = segno.make(place, error="m").svg_inline(scale=2, border=2, omitsize=True)
    qr = Markup(drawn)  # noqa: S704 - drawn by segno from our own address
    return opening_page(
        pages,
        "record.html",
        view,
        facts,
        language,
        words=_PUBLIC_WORDS,
        role="public",
        r=Bound(document, language),
        qr=qr,
        place=place,
        splits=splits,
        lag=lag if lag is not None and lag.count >= FEWEST else None,
        film=film,
        sources=[(one, rfc3339(one.part.begins), rfc3339(one.part.ends)) for one in sources],
        gaps=[(rfc3339(gap.since), rfc3339(gap.until)) for gap in gaps],
        again=again,
        found=None if search is None else [Bound(fact, language) for fact in search],
        asked=asked,
        extra={"film": film.told() if film is not None else None},
        **given,
    )


def script_data(language: Language, groups: Sequence[str] = ("ui",), **more: object) -> Markup:
    """Return what the script of a page without an opening is told."""
    return embedded({"language": language, "words": table(groups, language) | refused_words(language), **more})


def refused_words(language: Language) -> dict[str, str]:
    """Return what the browser's own refusals mean, by code, with the next step."""
    said_by_crypto = {
        code: f"{words.zh}{words.hint_zh}" if language == "zh" else f"{words.en} {words.hint_en}"
        for code, words in CRYPTO_WORDS.items()
    }
    own = {code: words.zh if language == "zh" else words.en for code, words in WORDS["refused"].items()}
    return {f"refused.{code}": text for code, text in (said_by_crypto | own).items()}


def hook(attribute: str) -> Markup:
    """Return an empty element that a script finds by ``attribute`` and fills."""
    return Markup("<span {}></span>").format(attribute)


def opening_page(
    pages: Pages,
    template: str,
    view: View,
    facts: Sequence[View],
    language: Language,
    *,
    words: Sequence[str] = tuple(WORDS),
    role: str,
    theme: Theme = "auto",
    reading: int = 0,
    path: str,
    login: Mapping[str, str] | None = None,
    source: str | None = None,
    extra: Mapping[str, object] | None = None,
    **values: Any,
) -> bytes:
    """Return a page that shows one opening to ``role`` and follows it.

    ``extra`` is told to the script on top of what each page's script is told.
    """
    shown = [Bound(fact, language) for fact in reversed(facts[-SHOWN_FACTS:])]
    page = {
        "view": view,
        "language": language,
        "role": role,
        "source": source or f"/api/v1/sessions/{view['session']['id']}",
        "socket": None if source else f"/live/{view['session']['id']}",
        "live": source is None,
        "reading": reading,
        "words": table(words, language) | (refused_words(language) if role != "public" else {}),
        "said": said(),
        **(extra or {}),
    }
    return pages.render(
        template,
        language,
        theme=theme,
        path=path,
        login=login,
        role=role,
        v=Bound(screen(view, reading), language),
        facts=shown,
        empty=Bound({}, language),
        page=embedded(page),
        watching=hook("data-watching-count"),
        hook=hook,
        **values,
    )
