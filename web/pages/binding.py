"""One markup, two deliveries: what a page shows is bound to the view by its attributes.

A template never writes a value of the view as mere text. It asks a `Bound` for it, which writes the value *and* where
it came from (``data-text="bids.3.name"``). ``web/client/src/dom.ts`` reads the same attributes and fills the same
places when the view has changed, so a page that lived through events is the page a fresh reader gets.

============  =====================================================================================================
attribute     meaning
============  =====================================================================================================
data-text     text of the element: a path into the data, shown as ``data-as`` says (see `Bound.shown`)
data-show     hidden unless it holds: words separated by blanks, each ``path``, ``!path`` or ``path=value,value``
data-mark     ``data-value`` becomes the value at the path, for the style sheet
data-apart    what is within speaks of other data: a fact of the log, not the view
data-current  ``aria-current`` is ``step`` while the condition holds
data-rows     one child per member of the object at the path, made from the ``template`` within; ``*`` is its key
============  =====================================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape

from web.wording.i18n import Language
from web.wording.words import word

BEIJING = ZoneInfo("Asia/Shanghai")
_WEEKDAYS = {"zh": "一二三四五六日", "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def at(data: object, path: str) -> Any:
    """Return what stands at ``path`` in ``data``, None when there is nothing."""
    for name in path.split("."):
        if isinstance(data, Mapping):
            data = data.get(name)
        elif isinstance(data, list) and name.isdecimal() and int(name) < len(data):
            data = data[int(name)]
        else:
            return None
    return data


def holds(condition: str, data: object) -> bool:
    """Return whether every word of ``condition`` holds in ``data``. Empty objects and lists count as nothing."""
    return all(_holds(one, data) for one in condition.split())


def _holds(one: str, data: object) -> bool:
    path, equals, values = one.partition("=")
    value = at(data, path.removeprefix("!"))
    if path.startswith("!"):
        return not (bool(value) if not equals else _plain(value) in values.split(","))
    return bool(value) if not equals else _plain(value) in values.split(",")


def _plain(value: object) -> str:
    """Return a scalar as the browser would write it."""
    match value:
        case None:
            return ""
        case True:
            return "true"
        case False:
            return "false"
        case _:
            return str(value)


def keys_in_order(rows: object) -> list[str]:
    """Return the keys of ``rows`` by their ``order``, else as numbers, else as text."""
    if not isinstance(rows, Mapping):
        return []
    return sorted(map(str, rows), key=lambda key: _place(key, rows.get(key)))


def _place(key: str, row: object) -> tuple[int, str]:
    order = row.get("order") if isinstance(row, Mapping) else None
    if isinstance(order, int):
        return order, key
    return (int(key), key) if key.isdecimal() else (0, key)


def local(moment: str) -> datetime:
    """Return a moment of the wire in Beijing time."""
    return datetime.fromisoformat(moment).astimezone(BEIJING)


def day(when: datetime, language: Language) -> str:
    """Return the date with its weekday: ``2026年11月23日 星期一``, ``Mon 23 Nov 2026``."""
    weekday = _WEEKDAYS[language][when.weekday()]
    if language == "zh":
        return f"{when.year}年{when.month}月{when.day}日 星期{weekday}"
    return f"{weekday} {when.day} {_MONTHS[when.month - 1]} {when.year}"


_TIMES = frozenset({"clock", "fine", "moment", "day"})


def _markup(text: str) -> Markup:
    """Return markup that this module has put together from escaped pieces; Markup.format is four times as slow."""
    return Markup(text)  # noqa: S704 - every piece is escaped where it is put in


class Bound:
    """A page's data and language; each method returns markup bound to a path."""

    def __init__(self, data: Mapping[str, Any], language: Language) -> None:
        self.data = data
        self.language = language

    def get(self, path: str) -> Any:
        """Return the bare value, for what never changes while a page is open."""
        return at(self.data, path)

    def holds(self, condition: str) -> bool:
        """Return whether ``condition`` holds now."""
        return holds(condition, self.data)

    def shown(self, path: str, as_: str = "text") -> str:
        """Return the text for ``path``.

        ``as_``: ``text``; ``words`` ({"zh", "en"}); ``clock`` 09:00:00; ``fine`` with milliseconds; ``moment`` with
        its date; ``day``; ``digest`` shortened; ``size`` how many members; ``word:GROUP`` the words for a code.
        """
        value = at(self.data, path)
        if value is None or value == "":
            return word("bid", "none", self.language) if as_ == "word:bid" else ""
        match as_:
            case "words":
                return str(value[self.language])
            case "clock":
                return f"{local(value):%H:%M:%S}"
            case "fine":
                return f"{local(value):%H:%M:%S.%f}"[:-3]
            case "moment":
                return f"{local(value):%Y-%m-%d %H:%M:%S}"
            case "day":
                return day(local(value), self.language)
            case "digest":
                return f"{value[:8]}…{value[-6:]}"
            case "size":
                return str(len(value))
            case _ if as_.startswith("word:"):
                return word(as_.removeprefix("word:"), value, self.language)
            case _:
                return _plain(value)

    def text(self, path: str, as_: str = "text", *, tag: str = "span", cls: str = "", lang: str = "") -> Markup:
        """Return an element that shows the text for ``path`` and keeps showing it."""
        attributes = f' data-text="{escape(path)}"'
        if as_ != "text":
            attributes += f' data-as="{escape(as_)}"'
        if cls:
            attributes += f' class="{escape(cls)}"'
        if lang:
            attributes += f' lang="{escape(lang)}"'
        if as_ in _TIMES:
            tag = "time"
            attributes += f' datetime="{escape(_plain(at(self.data, path)))}"'
        return _markup(f"<{tag}{attributes}>{escape(self.shown(path, as_))}</{tag}>")

    def show(self, condition: str) -> Markup:
        """Return the attributes that hide an element unless ``condition`` holds."""
        hidden = "" if holds(condition, self.data) else " hidden"
        return _markup(f' data-show="{escape(condition)}"{hidden}')

    def mark(self, path: str) -> Markup:
        """Return the attributes that tell the style sheet the value at ``path``."""
        return _markup(f' data-mark="{escape(path)}" data-value="{escape(_plain(at(self.data, path)))}"')

    def current(self, condition: str) -> Markup:
        """Return the attributes that point out the current step while ``condition`` holds."""
        now = ' aria-current="step"' if holds(condition, self.data) else ""
        return _markup(f' data-current="{escape(condition)}"{now}')

    def rows(self, path: str) -> Markup:
        """Return the attribute of a container whose children follow the members of the object at ``path``."""
        return _markup(f' data-rows="{escape(path)}"')

    def keys(self, path: str) -> list[str]:
        """Return the keys of the rows as they stand."""
        return keys_in_order(at(self.data, path))
