"""A secret is never part of how a value shows itself: in a traceback, a log line or a debugger."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import Field, fields, is_dataclass

import pytest

from crypto.signing import HallKey
from sessions.ids import SessionId
from sessions.intake.log import Blinding
from web.asking.challenges import Challenges

ALWAYS = frozenset(
    {
        *("decoy_key", "leaf_salt", "password", "private", "salt", "secret", "secrets", "seed", "seeds", "ticket"),
        *("second", "totp", "pin", "group_key"),
    }
)
"""Names of fields that hold a secret wherever they stand."""

BYTES = frozenset({"key", "_key", "value"})
"""Names of fields that hold a secret if they hold bytes or a private key."""

PUBLIC = {
    "sessions.events.DrawMade.seeds": "shown by everybody, and drawn with",
    "sessions.opening.state.Draw.seeds": "the same",
    "sessions.events.SheetRescued.salt": "public with the event",
    "sessions.service.Stores.secrets": "the store, not what is in it",
}


def every() -> Iterator[tuple[str, type, Field[object]]]:
    for package in ("crypto", "sessions", "hall", "web"):
        for found in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            if found.name.endswith("__main__"):
                continue
            for name, value in vars(importlib.import_module(found.name)).items():
                if isinstance(value, type) and is_dataclass(value) and value.__module__ == found.name:
                    yield from ((f"{found.name}.{name}.{one.name}", value, one) for one in fields(value))


def is_secret(field: Field[object]) -> bool:
    kind = str(field.type)
    return field.name in ALWAYS or (field.name in BYTES and ("bytes" in kind or "PrivateKey" in kind))


def is_hidden(owner: type, field: Field[object]) -> bool:
    return not field.repr or not owner.__dataclass_params__.repr  # type: ignore[attr-defined]


def test_every_field_that_holds_a_secret_is_hidden() -> None:
    told = {name for name, owner, field in every() if is_secret(field) and not is_hidden(owner, field)}
    assert told - PUBLIC.keys() == set()
    assert PUBLIC.keys() - told == set()  # no exception outlives its reason


def test_the_list_finds_those_that_are_known() -> None:
    found = {name for name, _, field in every() if is_secret(field)}
    assert found > {
        "crypto.keys.GroupKey.secret",
        "crypto.shares.Share.value",
        "crypto.signing.HallKey.private",
        "crypto.certificates.Credential.key",
        "sessions.intake.log.Blinding.secret",
        "sessions.commands.RevealDraw.seed",
        "sessions.store.staff.StoredAccount.totp",
        "web.asking.challenges.Challenges._key",
    }


@pytest.mark.parametrize(
    ("value", "secret"),
    [
        (Blinding(session=SessionId("gx-1"), secret=b"\x01" * 32), "\\x01"),
        (Challenges(vault=None, once=None, _key=b"\x02" * 32), "\\x02"),  # type: ignore[arg-type]
        (HallKey.generate(), "private"),
    ],
)
def test_a_value_shows_itself_without_its_secret(value: object, secret: str) -> None:
    assert secret not in repr(value)
