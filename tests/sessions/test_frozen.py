"""A copy made slot by slot is the copy that the standard library makes."""

from dataclasses import dataclass, field, replace

import pytest

from sessions.frozen import changed


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    row: int
    name: str = ""
    seen: tuple[str, ...] = field(default=(), repr=False)


SEAT = Seat(row=1, name="青禾", seen=("T0",))


@pytest.mark.parametrize("changes", [{}, {"row": 2}, {"name": "云台", "seen": ()}])
def test_it_is_what_replace_makes_and_the_first_stays(changes: dict[str, object]) -> None:
    assert changed(SEAT, **changes) == replace(SEAT, **changes)  # type: ignore[arg-type]  # a table of changes
    assert (SEAT.row, SEAT.name, SEAT.seen) == (1, "青禾", ("T0",))


def test_there_is_no_field_that_the_class_does_not_have() -> None:
    with pytest.raises(AttributeError):
        changed(SEAT, rows=2)
