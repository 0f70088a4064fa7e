"""The pages of one opening from its view: which template, which words, what the script is told.

Pure: equal arguments give equal bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from markupsafe import Markup

from sessions.ports import Summary
from web.binding import Bound
from web.calendar import STATUSES, Filters, arrange, entry
from web.i18n import Language
from web.pages import Pages, Theme, embedded
from web.screen import said, screen
from web.words import WORDS, table

View = Mapping[str, Any]
SHOWN_FACTS: Final = 200
"""How many of the newest facts a page carries; the JSON has them all."""

_PUBLIC_WORDS: Final = (
    "status", "step", "bid", "row", "seal", "cause", "consequence", "flag", "late", "role", "objection",
    "objection_kind", "link", "door", "ui",
)  # fmt: skip


def calendar_values(
    summaries: Iterable[Summary], now: datetime, language: Language, filters: Filters
) -> dict[str, Any]:
    """Return what the calendar's template needs."""
    made = arrange((entry(one, language) for one in summaries), now, language, filters)
    return {
        "live": made.live, "days": made.days, "past": made.past,
        "filters": filters, "filtered": bool(filters), "statuses": STATUSES,
    }  # fmt: skip


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
) -> bytes:
    """Return the public page of an opening.

    ``reading`` counts rows begun (`screen.rows_read`). ``refresh`` lets a reader without JavaScript be reloaded.
    ``source`` is where the script gets its facts; None for the API of this opening.
    """
    return opening_page(
        pages, template, view, facts, language, words=_PUBLIC_WORDS, role="public", theme=theme, reading=reading,
        path=path, login=login, source=source, refresh=refresh and view["status"] not in {"ended", "failed", "aborted"},
    )  # fmt: skip


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
    **values: Any,
) -> bytes:
    """Return a page that shows one opening to ``role`` and follows it."""
    shown = [Bound(fact, language) for fact in reversed(facts[-SHOWN_FACTS:])]
    page = {
        "view": view,
        "language": language,
        "role": role,
        "source": source or f"/api/v1/sessions/{view['session']['id']}",
        "socket": None if source else f"/live/{view['session']['id']}",
        "live": source is None,
        "reading": reading,
        "words": table(words, language),
        "said": said(),
    }
    return pages.render(
        template,
        language,
        theme=theme,
        path=path,
        login=login,
        v=Bound(screen(view, reading), language),
        facts=shown,
        empty=Bound({}, language),
        page=embedded(page),
        watching=Markup("<span data-watching-count></span>"),
        **values,
    )
