"""The benches measure what they say. Runs are tiny here: their structure and their sums are tested, never a speed."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.support import postgres
from web.bench import fanout, log, machine, opening, servers, unseal
from web.bench.crowd import NEEDLE, Crowd
from web.bench.halls import Mode
from web.cli import commands

UPGRADED = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"


@contextmanager
def answering(*pieces: bytes) -> Iterator[int]:
    """A server that sends every watcher these pieces, apart from each other, and then waits for it to leave."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            watcher, _ = listening.accept()
            with watcher:
                watcher.recv(65_536)
                for piece in pieces:
                    watcher.sendall(piece)
                    time.sleep(0.02)
                watcher.settimeout(10)
                try:
                    watcher.recv(1)
                except ConnectionResetError:
                    return

        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1]
        thread.join()


def ratios_are_of(cases: dict[str, Any], figure: str, ratio: str, reference: str) -> None:
    assert cases[reference][ratio] == 1
    for case in cases.values():
        assert case[ratio] == pytest.approx(case[figure] / cases[reference][figure], rel=0.02, abs=0.001)


# -- the machine ---------------------------------------------------------------------------------------------------


def test_a_report_says_on_what_and_of_what_it_is() -> None:
    report = machine.describe()
    assert f"Python {sys.version_info.major}.{sys.version_info.minor}" in report["machine"]
    assert report["commit"]
    assert machine.heading(report | {"what": "a test"}).splitlines()[-2:] == ["a test", ""]


def test_a_busy_machine_is_noted_and_a_quiet_one_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (1.51, 0.0, 0.0))
    busy = machine.describe() | {"what": "a test"}
    assert "load average 1.5" in machine.heading(busy)
    monkeypatch.setattr(os, "getloadavg", lambda: (1.5, 9.0, 9.0))
    assert "note" not in machine.describe()


def test_the_processor_time_of_a_process_is_its_own() -> None:
    before = time.process_time()
    seen = machine.cpu_seconds(os.getpid())
    assert before <= seen <= time.process_time()


def test_pinning_ends_with_its_block() -> None:
    before = os.sched_getaffinity(0)
    with machine.pinned(min(before)):
        assert os.sched_getaffinity(0) == {min(before)}
    assert os.sched_getaffinity(0) == before


def test_more_open_files_than_the_machine_allows_are_refused() -> None:
    with pytest.raises(OSError, match="ulimit"):
        machine.allow_descriptors(2**40)


# -- the crowd -----------------------------------------------------------------------------------------------------


def test_a_fact_that_comes_in_two_pieces_is_counted_once() -> None:
    for cut in range(1, len(NEEDLE)):
        with (
            answering(UPGRADED, b"one " + NEEDLE[:cut], NEEDLE[cut:] + b" end") as port,
            closing(Crowd(port)) as crowd,
        ):
            crowd.enter(1, "/live/x")
            assert list(crowd._heard.values()) == [1]


def test_facts_that_come_together_are_counted_each() -> None:
    with answering(UPGRADED + NEEDLE, NEEDLE + b"..." + NEEDLE) as port, closing(Crowd(port)) as crowd:
        crowd.enter(1, "/live/x")
        crowd.hear()
        assert list(crowd._heard.values()) == [2]


def test_a_crowd_that_is_not_let_in_says_what_the_server_said() -> None:
    with (
        answering(b"HTTP/1.1 503 Service Unavailable\r\n\r\n") as port,
        closing(Crowd(port)) as crowd,
        pytest.raises(ConnectionError, match="503"),
    ):
        crowd.enter(1, "/live/x")


# -- the benches ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench")
    (folder / "fact.json").write_bytes(asyncio.run(servers.found(folder)))
    return folder


def test_what_the_others_send_is_a_fact_of_the_hall(founded: Path) -> None:
    fact = (founded / "fact.json").read_bytes()
    assert json.loads(fact)["type"] == "SupervisorNoted"
    assert fact.count(NEEDLE) == 1


@pytest.mark.parametrize("name", fanout.CONTESTANTS)
def test_a_contestant_delivers_every_fact_to_everybody(name: str, founded: Path) -> None:
    turn = fanout._turn(name, founded, machine.cores()[0], 30, 3)
    assert len(turn.heard) == len(turn.ready) == 3
    assert all(0 < ready <= heard for heard, ready in zip(turn.heard, turn.ready, strict=True))
    assert min(turn.cpu, turn.crowd_cpu, turn.act_cpu, turn.entering) > 0


def test_figures_are_for_each_delivery_and_each_watcher() -> None:
    turn = fanout.Turn(
        watchers=101, events=2, cpu=0.0404, crowd_cpu=0.0202, act_cpu=0.004, entering=0.5, memory=102_400
    )
    turn.heard, turn.ready = [0.020, 0.010], [0.002, 0.002]
    figures = fanout._figures([turn])
    assert figures["cpu_s_per_million"] == 200
    assert figures["crowd_cpu_s_per_million"] == 100
    assert (figures["p50_ms"], figures["p99_ms"], figures["ready_ms"]) == (15, 20, 2)
    assert figures["kib_per_connection"] == 1
    assert figures["accepts_per_s"] == 200
    assert figures["act_cpu_ms"] == 4


def test_a_server_that_does_not_start_ends_the_bench_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "hall").write_text("a file where the hall wants its folder")
    with pytest.raises(RuntimeError, match=r"servers.*hall"), fanout._serving("hall", tmp_path, 0):
        pass


async def test_the_log_bench_has_both_ways_beside_the_bare_work(tmp_path: Path) -> None:
    report = await log.measure(tmp_path, acts=20, events=600, rounds=2)
    assert set(report["appending"]) == {log.TOGETHER, log.SINGLY, log.SYNC}
    assert set(report["checking"]) == {log.CHAIN, log.READ, log.HASH}
    ratios_are_of(report["appending"], "ms", "ratio", log.SYNC)
    ratios_are_of(report["checking"], "ms", "ratio", log.HASH)
    for case in (*report["appending"].values(), *report["checking"].values()):
        assert len(case["seconds"]) == 2
        assert case["per_s"] > 0
    appending = report["appending"]
    assert report["together_to_singly"] == pytest.approx(
        appending[log.TOGETHER]["ms"] / appending[log.SINGLY]["ms"], abs=0.001
    )


@pytest.mark.slow
def test_openings_with_one_t0_all_pass_their_barrier_on_two_workers() -> None:
    report = asyncio.run(opening.measure(3, 12, 6, Mode.TEAM))
    assert len(report["sessions"]) == 6
    for times in report["sessions"].values():
        assert times.keys() >= opening.MILESTONES.keys()
        assert times["LastKey"] <= times["BarrierPassed"] <= times["FirstScreen"] <= times["LastScreen"]
    assert {each["name"] for each in report["figures"]} >= {"processor, postgresql", "processor, redis"}


# -- the command line ----------------------------------------------------------------------------------------------


def said(*words: str) -> str:
    result = CliRunner().invoke(commands("bench"), ["bench", *words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_log_bench_prints_a_table_or_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("ACTS", 5), ("EVENTS", 20), ("ROUNDS", 1), ("BIDDERS", 3)):
        monkeypatch.setattr(log, name, value)
    table = said("log", "--folder", str(tmp_path))
    cases = (log.TOGETHER, log.SINGLY, log.SYNC, log.CHAIN, log.READ, log.HASH, "Python", "every check holds")
    assert all(case in table for case in cases)
    report = json.loads(said("log", "--json"))
    assert report["what"].startswith("5 acts and a chain of 20 events")
    assert report["postgresql"]["fsync"]
    ratios_are_of(report["postgresql"]["appending"], "ms", "ratio", log.SYNC)
    assert list(tmp_path.iterdir()) == []


def test_the_log_bench_writes_into_no_database_that_has_something_in_it(tmp_path: Path) -> None:
    url = postgres.cluster().url(postgres.cluster().database(tmp_path))
    asyncio.run(log.measure_postgresql(tmp_path, url, acts=2, rounds=1))
    with pytest.raises(log.NotEmpty):
        asyncio.run(log.measure_postgresql(tmp_path, url, acts=2, rounds=1))


def test_the_unseal_bench_prints_a_table_or_json(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("SIZE", 100_000), ("FILES", 1), ("ROUNDS", 1)):
        monkeypatch.setattr(unseal, name, value)
    assert "kaibiao, written and re-hashed" in said("unseal")
    assert "openssl enc -d -aes-256-ctr" in json.loads(said("unseal", "--json"))["cases"]


@pytest.mark.slow
def test_the_fanout_bench_prints_a_table_or_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fanout, "ROUNDS", 1)
    table = said("fanout", "--watchers", "5", "--events", "2")
    assert all(case in table for case in fanout.CONTESTANTS)
    report = json.loads(said("fanout", "--watchers", "5", "--events", "2", "--json"))
    cases = report["cases"]
    assert list(cases) == list(fanout.CONTESTANTS)
    for case in cases.values():
        for figure, ratio in case["ratio_to_naive"].items():
            assert ratio == pytest.approx(case[figure] / cases[fanout.NAIVE][figure], abs=0.006)


@pytest.mark.slow
def test_the_opening_bench_prints_json_or_a_table_with_every_milestone_in_order() -> None:
    report = json.loads(said("opening", "--bidders", "3", "--spectators", "4", "--json"))
    times = report["seconds_after_t0"]
    assert list(times) == list(opening.MILESTONES)
    assert list(times.values()) == sorted(times.values())
    figures = {each["name"]: each["value"] for each in report["figures"]}
    assert figures["processor, hall"] > 0
    assert figures["facts delivered to spectators"] % 4 == 0  # everybody had the same
    assert {each["command"] for each in report["figures"]} == {report["command"]}
    assert all(words in opening.table(report) for words in opening.MILESTONES.values())
