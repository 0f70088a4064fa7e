"""The read-out sheet as CSV (RFC 4180), from a view and so with no more in it than its reader may see.

With a byte order mark and CRLF, because spreadsheets otherwise take Chinese for Latin. A bidder writes some of the
texts, and a spreadsheet runs what begins like a formula: such a text gets an apostrophe in front (OWASP, CSV
injection).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any, Final

from web.pages.binding import Bound
from web.wording.i18n import Language
from web.wording.words import WORDS, word

_RUNS: Final = tuple("=+-@\t\r\n＝＋－＠")  # the wide forms run too in East Asian spreadsheets
_MARK: Final = "\ufeff"


def sheet_csv(view: Mapping[str, Any], language: Language) -> bytes:
    """Return a row for each bid under a row of headings; only the headings before the names are public."""
    shown = Bound(view, language)
    fields = [str(name) for name in shown.keys("fields")]
    *first, last = (word("sheet", name, language) for name in WORDS["sheet"])
    labels = (shown.shown(f"fields.{name}.label", "words") for name in fields)
    out = io.StringIO()
    write = csv.writer(out)
    write.writerow(map(plain, (*first, *labels, last)))
    for row in shown.keys("bids"):
        at = f"bids.{row}"
        write.writerow(
            map(
                plain,
                (
                    shown.shown(f"{at}.row"),
                    shown.shown(f"{at}.name"),
                    shown.shown(f"{at}.bidder"),
                    shown.shown(f"{at}.tracker"),
                    shown.shown(f"{at}.received_at", "moment"),
                    shown.shown(f"{at}.seal", "word:seal"),
                    shown.shown(f"{at}.state", "word:bid"),
                    *(shown.shown(f"{at}.quote.{name}") for name in fields),
                    shown.shown(f"{at}.confirmed", "word:row"),
                ),
            )
        )
    return (_MARK + out.getvalue()).encode()


def plain(text: str) -> str:
    """Return ``text`` so that no spreadsheet takes it for a formula, blanks in front or not."""
    return f"'{text}" if text.lstrip(" ").startswith(_RUNS) else text
