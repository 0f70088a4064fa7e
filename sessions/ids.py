"""The kinds of name a ceremony uses, each with a type of its own so that one cannot stand in for another."""

from typing import NewType

SessionId = NewType("SessionId", str)
"""One opening of one lot: letters, digits and hyphens, as it stands in every address."""

BidderId = NewType("BidderId", str)
"""Who bids: unified social credit code (统一社会信用代码, GB 32100), or the foreign identifier in the certificate."""

AccountId = NewType("AccountId", str)
"""A staff account of the trading centre, the tenderer or the supervising authority."""

StepId = NewType("StepId", str)
"""A step of a rule pack, such as ``decrypt``."""

Digest = NewType("Digest", str)
"""A SHA-256 in 64 lower-case hexadecimal digits."""

Jws = NewType("Jws", str)
"""A signed statement in JWS compact serialization (RFC 7515)."""
