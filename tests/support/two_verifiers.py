"""Both verifiers on generated bundles, honest and not: ``python -m tests.support.two_verifiers FIRST LAST``.

Prints every bundle on which they differ, every honest one that fails, every dishonest one that passes; and how long
it took. Salts and signatures differ each time, so the same seed is the same story and not the same bytes.
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

from tests.support.audited import by_python, by_typescript
from tests.support.generated import generate, the_hall
from tests.support.mutations import mutated

AT_ONCE = 50


@dataclass(kw_only=True)
class Tally:
    """What came of it. ``harmless``: changes by the hall that nothing in the bundle contradicts."""

    bundles: int = 0
    differing: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    harmless: Counter[str] = field(default_factory=Counter)
    caught: Counter[str] = field(default_factory=Counter)

    def add(self, name: str, kind: str | None, ours: dict[str, str], theirs: dict[str, str]) -> None:
        self.bundles += 1
        if ours != theirs:
            self.differing.append(f"{name}: {_difference(ours, theirs)}")
        bad = [check for check, outcome in ours.items() if outcome == "failed"]
        if kind is None:
            self.refused += [f"{name}: {', '.join(bad)}"] if bad else []
        elif bad:
            self.caught[bad[0]] += 1
        else:
            self.harmless[kind] += 1


def _difference(ours: dict[str, str], theirs: dict[str, str]) -> str:
    checks = [check for check in {**ours, **theirs} if ours.get(check) != theirs.get(check)]
    return ", ".join(f"{check} {ours.get(check)}/{theirs.get(check)}" for check in checks[:3])


def compare(first: int, last: int, tally: Tally) -> None:
    """Make the bundles of these seeds and one changed one of each, and hear both verifiers on all of them."""
    made: list[tuple[str, str | None, bytes]] = []
    before = generate(first - 1)
    for seed in range(first, last):
        bundle = generate(seed)
        made.append((f"seed {seed}", None, bundle))
        kind, changed = mutated(bundle, before, the_hall(), random.Random(seed))
        made.append((f"seed {seed}, {kind}", kind, changed))
        before = bundle
    theirs = by_typescript(*(bundle for _, _, bundle in made))
    for (name, kind, bundle), verdict in zip(made, theirs, strict=True):
        tally.add(name, kind, by_python(bundle), verdict)


def main(first: int, last: int) -> int:
    tally, begun = Tally(), time.monotonic()
    for start in range(first, last, AT_ONCE):
        compare(start, min(start + AT_ONCE, last), tally)
        sys.stdout.write(f"{tally.bundles} bundles, {time.monotonic() - begun:.0f} s\n")
        sys.stdout.flush()
    for line in (*tally.differing, *tally.refused):
        sys.stdout.write(f"{line}\n")
    sys.stdout.write(f"caught {dict(tally.caught)}\nharmless {dict(tally.harmless)}\n")
    sys.stdout.write(f"{len(tally.differing)} differ, {len(tally.refused)} honest ones are refused\n")
    return bool(tally.differing or tally.refused)


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]), int(sys.argv[2])))
