"""Templates into bytes: one environment, both languages, the light or the dark paper.

What a page shows depends only on what is handed in, so public pages can be kept as bytes per event number.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from web.pages.binding import local
from web.wording.i18n import HTML_LANG, Language, sentence
from web.wording.words import word

TEMPLATES: Final = Path(__file__).parents[1] / "templates"
Theme = Literal["auto", "light", "dark"]


class Pages:
    """Renders the templates. ``url`` turns a static file's name into its address, ``needs`` into what it imports."""

    def __init__(self, url: Callable[[str], str], needs: Callable[[str], Sequence[str]] = lambda _: ()) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals["url"] = url
        self._environment.globals["needs"] = needs

    def render(
        self,
        name: str,
        language: Language,
        /,
        *,
        theme: Theme = "auto",
        path: str = "/",
        here: str = "",
        login: Mapping[str, str] | None = None,
        **values: Any,
    ) -> bytes:
        """Return the page ``name`` as UTF-8.

        ``path`` is the page's own address, for the links that change language and theme; ``here`` the place in the
        site's navigation; ``login`` has ``name`` and ``home`` of whoever is logged in.
        """
        return (
            self._environment.get_template(name)
            .render(
                _=lambda english: Markup(sentence(english, language)),  # noqa: S704 - written by us, in the catalogue
                word=lambda group, value: word(group, value, language),
                moment=lambda text: f"{local(text):%Y-%m-%d %H:%M:%S}",
                lang=language,
                html_lang=HTML_LANG[language],
                theme=theme,
                path=path,
                here=here,
                login=login,
                **values,
            )
            .encode()
        )


def embedded(data: Mapping[str, Any]) -> Markup:
    """Return ``data`` as JSON that may stand in a ``script`` element: no character of it can end the element."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - escaped just above
