"""A hall that lets a bidder choose its key, and with the key its price, after the others were read out."""

import random

from sessions.zipped import unpack
from tests.support.audited import by_python, by_typescript
from tests.support.bundles import failed, the_bundle
from tests.support.mutations import second_key


def test_a_sheet_that_opens_to_another_price_under_a_second_key_is_found() -> None:
    bundle, key = the_bundle()
    changed = second_key(unpack(bundle), key, random.Random(1))
    assert failed(bundle) == set()
    assert "bids.quotes" in failed(changed)
    assert by_typescript(changed) == [by_python(changed)]
