"""Make the golden vectors of the sealed bid: ``python -m tests.vectors.remake``.

Keys, salts and signatures are random, so a new run makes new files; they are recorded once and then only read. A
vector that stops passing shows a broken format, not an old file: make new ones only with a new version of the format.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crypto.authority import Algorithm
from tests.support.bidders import a_bidder, a_sealed_bid
from tests.vectors.bids import release_case, sealed_case, slot_cases
from tests.vectors.layers import layered_bid, layered_case, shares_case, split_release_case
from tests.vectors.malformed import malformed_cases
from tests.vectors.primitives import canonical_cases, chain_case, chunked_cases, draw_case, two_prices_case
from tests.vectors.receipt_file import receipt_file_case
from tests.vectors.statements import statement_cases
from tests.vectors.tlog import tlog_case

HERE = Path(__file__).parent / "crypto"


def write(name: str, value: Mapping[str, Any]) -> None:
    HERE.mkdir(exist_ok=True)
    (HERE / f"{name}.json").write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n")


def main() -> None:
    """Write every vector file."""
    base = a_sealed_bid(b"%PDF-1.7 technical")
    write("canonical", canonical_cases())
    write("chunked", chunked_cases())
    write("sealed-ec", sealed_case(base))
    write(
        "sealed-rsa", sealed_case(a_sealed_bid(b"%PDF-1.7 technical", bidder=a_bidder(algorithm=Algorithm.RSA3072)))
    )
    write("sealed-two", sealed_case(a_sealed_bid(b"%PDF technical", commercial=(b"%PDF bill", b""), envelopes=2)))
    write("release", release_case(base))
    write("slots", slot_cases())
    write("statements", statement_cases())
    write("chain", chain_case())
    write("draw", draw_case())
    write("two-prices", two_prices_case())
    write("malformed", malformed_cases(base))
    write("shares", shares_case())
    layered = layered_bid()
    write("sealed-layers", layered_case(layered))
    write("split-release", split_release_case(layered))
    write("tlog", tlog_case())
    write("receipt-file", receipt_file_case())


if __name__ == "__main__":
    main()
