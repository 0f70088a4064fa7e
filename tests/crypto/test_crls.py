"""What revocation lists come to together: under another key, on hold, partial, with deltas, and by strangers."""

import pytest

from crypto import paths
from crypto.certificates import Usage
from crypto.errors import Revoked
from crypto.paths import Trust
from tests.support.bidders import DURING, a_bidder, the_authority
from tests.support.listed import Story, stories


def standing(story: Story) -> str:
    trust = Trust(anchors=(the_authority().certificate,), intermediates=story.also, crls=story.lists)
    try:
        found = paths.standing(a_bidder().sign.certificate, usage=Usage.SIGN, trust=trust, at=DURING)
    except Revoked:
        return "revoked"
    return "good" if found.known else "unknown"


@pytest.mark.parametrize("name", stories())
def test_lists_come_to_what_they_say_together(name: str) -> None:
    assert standing(stories()[name]) == stories()[name].comes_to
