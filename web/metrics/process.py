"""The process as the kernel sees it, coarsely.

Every upload takes time, memory and a connection. Figures to the byte would tell whoever sees the dashboard when bids
come in, so these are rounded to steps that show a leak or a full table of descriptors, and no single bidder.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

MEMORY: Final = 64 * 1024 * 1024  # bytes
CPU: Final = 30  # seconds
DESCRIPTORS: Final = 64


class ProcessFigures(Collector):
    """Memory, processor time and descriptors of this process; none where there is no /proc."""

    def collect(self) -> Iterable[GaugeMetricFamily | CounterMetricFamily]:
        """See Collector."""
        try:
            with open("/proc/self/statm", encoding="ascii") as file:
                resident = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            descriptors = len(os.listdir("/proc/self/fd"))
        except OSError:
            return
        times = os.times()
        yield GaugeMetricFamily(
            "process_resident_memory_bytes",
            "Memory in use, in steps of 64 MiB.",
            value=_up(resident, MEMORY),
        )
        yield CounterMetricFamily(
            "process_cpu_seconds",
            "Processor time, in steps of 30 seconds.",
            value=(times.user + times.system) // CPU * CPU,
        )
        yield GaugeMetricFamily(
            "process_open_fds", "Open files and connections, in steps of 64.", value=_up(descriptors, DESCRIPTORS)
        )
        yield GaugeMetricFamily(
            "process_max_fds",
            "How many files and connections this process may open.",
            value=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        )


def _up(value: int, step: int) -> int:
    return -(-value // step) * step
