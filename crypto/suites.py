"""The cipher suites of a sealed bid: a table, so that another suite is one row and the modules it names."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from crypto import declaration, recipients
from crypto.certificates import Credential
from crypto.chunked import COBBLESTONE_256, Scheme
from crypto.errors import SealedBidRefused


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """What a suite name stands for: the hash of the key schedule, the body cipher, slots and the declaration."""

    name: str
    hash: Callable[[], hashes.HashAlgorithm]
    body: Scheme
    slot: str
    parse_slot: Callable[[bytes], recipients.Slot]
    wrap: Callable[[x509.Certificate, bytes], bytes]
    unwrap: Callable[[bytes, PrivateKeyTypes, x509.Certificate | None], bytes]
    declare: Callable[[bytes, Credential, Iterable[x509.Certificate]], bytes]
    verify: Callable[[bytes, bytes], declaration.Declaration]


INTL_1: Final = Suite(
    name="INTL-1",
    hash=hashes.SHA256,
    body=COBBLESTONE_256,
    slot="cms",
    parse_slot=recipients.parse,
    wrap=recipients.wrap,
    unwrap=recipients.unwrap,
    declare=declaration.sign,
    verify=declaration.verify,
)

SUITES: Final = {suite.name: suite for suite in (INTL_1,)}


def named(name: str) -> Suite:
    """Return the suite called ``name``."""
    try:
        return SUITES[name]
    except KeyError:
        raise SealedBidRefused("unsupported_suite") from None
