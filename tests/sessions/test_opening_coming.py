"""What comes next may be asked for up to a moment: that saves work and changes no answer."""

from datetime import timedelta

from sessions.opening import Opening, evolve
from sessions.opening.steps import coming
from tests.support.hall_story import a_full_story


def test_what_is_due_by_a_moment_is_what_is_due_at_all() -> None:
    opening: Opening | None = None
    for record in a_full_story().records:
        opening = evolve(opening, record)
        due = coming(opening)
        assert due is None or coming(opening, by=due.at) == due
        for later in (timedelta(), timedelta(seconds=1), timedelta(hours=1)):
            asked = coming(opening, by=opening.at + later)
            assert asked == due if due is None or due.at <= opening.at + later else asked in (None, due)
