"""A bundle under a later key of the hall: who holds an earlier one can follow, and nobody is led astray."""

from __future__ import annotations

from collections.abc import Mapping

from crypto.encoding import canonical, parse_canonical
from crypto.signing import HallKey
from sessions.keys.hallkey import HallKeys
from sessions.verify import verify
from tests.support.bundles import failed, signed_anew, the_bundle, the_files

KEYS = "hall-keys.json"


def key() -> HallKey:
    return the_bundle()[1]


def earlier() -> tuple[HallKey, Mapping[str, bytes]]:
    """A key that endorses the bundle's, and the list that says so."""
    from crypto.endorsements import endorse

    first = HallKey.generate()
    keys = HallKeys([first, key()], [endorse(first, key().public)])
    return first, {KEYS: canonical(keys.document())}


def refused(bundle: bytes, trusted: HallKey) -> str:
    report = verify(bundle, trusted=canonical(trusted.public.document()))
    assert [check.id for check in report.failed] == ["hall.key"]
    return report.failed[0].detail


def test_the_key_itself_is_trusted() -> None:
    report = verify(the_bundle()[0], trusted=canonical(key().public.document()) + b"\n")
    assert report.ok
    assert "hall.key" in {check.id for check in report.checks}


def test_an_earlier_key_leads_to_the_bundles_own() -> None:
    first, listed = earlier()
    bundle = signed_anew({**the_files(), **listed})
    assert failed(bundle) == set()
    assert verify(bundle, trusted=canonical(first.public.document())).ok


def test_a_key_that_nobody_endorsed_is_shown_and_refused() -> None:
    stranger = HallKey.generate()
    said = refused(the_bundle()[0], stranger)
    assert key().public.kid in said
    assert stranger.public.kid in said


def test_a_list_kept_from_the_hall_is_trusted_as_a_whole() -> None:
    _, listed = earlier()
    assert verify(the_bundle()[0], trusted=listed[KEYS]).ok
    assert not verify(the_bundle()[0], trusted=b"no list").ok


def test_a_list_that_leads_elsewhere_is_found_out() -> None:
    _, listed = earlier()
    other = parse_canonical(listed[KEYS])
    other["keys"].pop()
    other["endorsements"].pop()
    assert "bundle.signature" in failed(signed_anew({**the_files(), KEYS: canonical(other)}))
    forged = parse_canonical(listed[KEYS])
    forged["keys"][0] = HallKey.generate().public.document()
    assert "bundle.signature" in failed(signed_anew({**the_files(), KEYS: canonical(forged)}))


def test_a_bundle_under_another_key_than_announced_is_found_out() -> None:
    files = the_files()
    plan = parse_canonical(files["plan.json"], limit=10**7) | {"hall_key": HallKey.generate().public.kid}
    assert failed(signed_anew({**files, "plan.json": canonical(plan)})) >= {"bundle.signature"}
