"""Print ``docs/metrics.md`` from the figures themselves: ``python -m web.metrics.document``."""

from __future__ import annotations

import sys

from hall.hub import Census
from sessions.clock import SystemClock
from sessions.watch.steady import ClockGuard
from web.metrics.instruments import Metrics

ABOUT = """# Metrics

`metrics_listen` opens a door of its own for Prometheus at `/metrics`, on this machine unless the setting names
another address. Each process shows its own figures; of several workers, number *k* (from 0) takes the port plus
*k*. Units are in the names. Printed by `python -m web.metrics.document`.

Before T0 these figures tell neither how many bids there are nor when one came in. Bids, check-ins, uploads, logins
and streams of bidders, and what they make the hall ask of certification authorities, are not counted until the
opening has listed who bid. No figure has a session or a person for a label. What every upload moves (memory,
processor, descriptors, short delays) is shown in coarse steps. The machine under the hall tells more: keep its own
monitoring (disk, network) from people who may not know who bids.

| name | kind | labels | what it is |
| --- | --- | --- | --- |
"""


class _Nobody:
    def census(self) -> Census:
        return Census(rooms=0, readers={})


def document() -> str:
    """Return ``docs/metrics.md``."""
    metrics = Metrics()
    metrics.watch(_Nobody())
    metrics.watch_clock(ClockGuard(SystemClock()))
    labels = {next(iter(each.describe())).name: each._labelnames for each in metrics.instruments}
    labels["kaibiao_readers"] = ("door", "who")
    lines = [
        f"| `{family.name}{'_total' if family.type == 'counter' else ''}` | {family.type} "
        f"| {', '.join(labels.get(family.name, ()))} | {family.documentation} |"
        for family in sorted(metrics.registry.collect(), key=lambda family: family.name)
    ]
    return ABOUT + "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(document())
