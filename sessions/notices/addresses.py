"""Mail addresses: the plain ones that every server takes, and nothing else. Pure."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

LONGEST: Final = 254  # RFC 5321 section 4.5.3.1.3, without the angle brackets
_LONGEST_LOCAL: Final = 64
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ATOM: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_ADDRESS: Final = re.compile(rf"({_ATOM}(?:\.{_ATOM})*)@{_LABEL}(?:\.{_LABEL})+")


class NotAnAddress(ValueError):
    """It is no ``name@company.example`` in ASCII of at most 254 characters, which is what every mail server takes."""


def address_of(text: str) -> str:
    """Return the address that somebody typed, full-width signs made plain ones; raise NotAnAddress.

    Only what RFC 5321 calls a Dot-string before an ordinary host name: no quotes, comments, spaces or line ends, so
    that it can stand in a header as it is.
    """
    plain = unicodedata.normalize("NFKC", text).strip()
    found = _ADDRESS.fullmatch(plain)
    if found is None or len(plain) > LONGEST or len(found[1]) > _LONGEST_LOCAL:
        raise NotAnAddress
    return plain
