"""Read the golden vectors that every language we ship runs."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from crypto.encoding import unb64u

FOLDER = Path(__file__).parents[1] / "vectors" / "crypto"


@cache
def vector(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text())


def malformed_file(case: dict[str, Any]) -> bytes:
    """Return the bytes of one malformed case: whole, or spliced out of its base."""
    if "file" in case:
        return unb64u(case["file"])
    data = unb64u(vector(case["base"])["file"])
    for start, end, new in case["splices"]:
        data = data[:start] + bytes.fromhex(new) + data[end:]
    return data
