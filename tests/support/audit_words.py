"""The words that both verifiers must know to the letter: ``python -m tests.support.audit_words`` writes them down.

Words are data. Everything else of the second verifier was written from the specifications.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from sessions.archive import readme, record_html
from sessions.plan import Words
from sessions.verify.fates import FATES
from sessions.verify.sentences import EXTRA, SENTENCES
from sessions.wording import terms

TARGET = Path(__file__).parents[2] / "web" / "client" / "src" / "audit" / "words.ts"

_HEAD = """\
/** Made by `python -m tests.support.audit_words`: the words that the record and its pages are made of. */

interface Words {
  readonly zh: string;
  readonly en: string;
}

type Table = { readonly [key: string]: Words };
"""


def text() -> str:
    """Return the module."""
    tables = {
        "ROLES": terms.ROLES,
        "CAUSES": terms.CAUSES,
        "CONSEQUENCES": terms.CONSEQUENCES,
        "OBJECTIONS": terms.OBJECTIONS,
        "TURNS": terms.TURNS,
        "STOPS": terms.STOPS,
        "SENTENCES": SENTENCES,
        "EXTRA": EXTRA,
        "FATES": FATES,
    }
    none = Words(
        zh="4. 本场没有公布投标人，也没有打开任何投标文件。",
        en="4. No bidder was published in this session and no bid was opened.",
    )
    parts = [_HEAD]
    parts += [f"export const {name}: Table = {_table(table)};\n" for name, table in tables.items()]
    parts.append(f"export const STYLE = {_quoted(record_html._CSS)};\n")
    parts.append(f"export const README = {_quoted(readme._TEXT)};\n")
    parts.append(f"export const README_BIDS: Words = {_pair(Words(zh=readme._BIDS_ZH, en=readme._BIDS_EN))};\n")
    parts.append(f"export const README_NONE: Words = {_pair(none)};\n")
    return "\n".join(parts)


def _table(table: Mapping[str, Words]) -> str:
    rows = "".join(f"  {_quoted(str(key))}: {_pair(words)},\n" for key, words in table.items())
    return "{\n" + rows + "}"


def _pair(words: Words) -> str:
    return f"{{ zh: {_quoted(words.zh)}, en: {_quoted(words.en)} }}"


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
