"""The benches measure what they say. Runs are tiny here: their structure and their sums are tested, never a speed."""

from __future__ import annotations

import asyncio
import json
import os
import queue
import shutil
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.support import postgres
from web.bench import limits, log, machine, opening, unseal
from web.bench.fanout import contestants, goals, run, servers, turns
from web.bench.fanout.contestants import Contestant
from web.bench.fanout.crowd import NEEDLE, Crowd, Stream
from web.bench.halls import Mode
from web.cli import commands

UPGRADED = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"


@contextmanager
def answering(*pieces: bytes | Callable[[], bytes]) -> Iterator[int]:
    """A server that sends its watcher these pieces, apart from each other, and then waits for it to leave."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            watcher, _ = listening.accept()
            with watcher:
                watcher.recv(65_536)
                for piece in pieces:
                    watcher.sendall(piece if isinstance(piece, bytes) else piece())
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

LIVE = Stream(target="/live/x")


def test_a_fact_that_comes_in_two_pieces_is_counted_once() -> None:
    for cut in range(1, len(NEEDLE)):
        with (
            answering(UPGRADED, b"one " + NEEDLE[:cut], NEEDLE[cut:] + b" end") as port,
            closing(Crowd(port, LIVE)) as crowd,
        ):
            crowd.enter(1, facts=1)
            assert crowd.size == 1


def test_facts_that_come_together_are_counted_each() -> None:
    with answering(UPGRADED + NEEDLE, NEEDLE + b"..." + NEEDLE) as port, closing(Crowd(port, LIVE)) as crowd:
        crowd.enter(1, facts=3)


def test_a_crowd_that_is_not_let_in_says_what_the_server_said() -> None:
    with (
        answering(b"HTTP/1.1 503 Service Unavailable\r\n\r\n") as port,
        closing(Crowd(port, LIVE)) as crowd,
        pytest.raises(ConnectionError, match="503"),
    ):
        crowd.enter(1)


def test_a_fact_that_is_late_counts_from_when_it_was_due() -> None:
    orders: queue.Queue[bytes] = queue.Queue()

    def order() -> None:
        time.sleep(0.3)  # three times the time that there is
        orders.put(NEEDLE)

    with answering(UPGRADED, *(orders.get,) * 3) as port, closing(Crowd(port, LIVE)) as crowd:
        crowd.enter(1)
        lasts = crowd.keep_up(order, rate=10, rounds=3)
    assert len(lasts) == len(crowd.late) == 3
    assert crowd.late[0] >= 0.29  # at least: two orders later there are 0.9 s gone, and 0.2 were due
    assert crowd.late[2] >= 0.69


# -- the benches ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench")
    (folder / "fact.json").write_bytes(asyncio.run(servers.found(folder)))
    return folder


@pytest.fixture(scope="module")
def everybody(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Contestant]:
    """All but those in Node, which would have to be fetched."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contestants, "_node", lambda cache: ())
        return {each.name: each for each in contestants.contestants(tmp_path_factory.mktemp("cache"))}


SMALL = turns.Size(watchers=20, rounds=3, seconds=10)


def test_what_the_others_send_is_a_fact_of_the_hall(founded: Path) -> None:
    fact = (founded / "fact.json").read_bytes()
    assert json.loads(fact)["type"] == "SupervisorNoted"
    assert fact.count(NEEDLE) == 1


NAMES = (
    contestants.FLOOR,
    contestants.HUB,
    contestants.HUB_SSE,
    contestants.NAIVE,
    contestants.QUEUED,
    contestants.LIBRARY,
)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_contestant_delivers_every_fact_to_everybody(
    name: str, founded: Path, everybody: dict[str, Contestant]
) -> None:
    turn = turns.delivering(everybody[name], founded, machine.cores()[0], SMALL)
    assert all(turn[figure] > 0 for figure in ("cpu_us", "last_ms", "p99_ms", "accept_cpu_us", "open_ms"))


def test_without_a_compiler_the_floor_is_in_python(
    founded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    floor = contestants._floor(tmp_path)
    assert "no C compiler" in floor.of
    assert turns.delivering(floor, founded, machine.cores()[0], SMALL)["cpu_us"] > 0


def test_who_cannot_take_part_is_named_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert {each.absent for each in contestants._node(tmp_path)} == {"there is no node on this machine"}
    monkeypatch.setattr(shutil, "which", lambda name: "/bin/false")
    failed = contestants._node(tmp_path)
    assert all(each.absent.startswith("npm ci failed") for each in failed)
    table = run._table({contestants.FLOOR: dict.fromkeys([*run.COLUMNS, "undisturbed", "turns"], 1.0)}, failed)
    assert [row[0] for row in table["rows"]] == [contestants.NODE_WS, contestants.SOCKET_IO]
    assert all("npm ci failed" in row[1] for row in table["rows"])


def test_the_lock_of_the_peers_names_no_registry() -> None:
    lock = json.loads((contestants.PEERS / "package-lock.json").read_text("utf-8"))
    packages = [each for name, each in lock["packages"].items() if name]
    assert packages
    assert all("resolved" not in each and each["integrity"] for each in packages)


def test_everybody_goes_forwards_and_then_backwards() -> None:
    order: list[str] = []

    def turn(name: str) -> Callable[[], turns.Turn]:
        def took() -> turns.Turn:
            order.append(name)
            return {"disturbed": 0.0}

        return took

    run.interleaved({name: turn(name) for name in "abc"}, 3)
    assert "".join(order) == "abccbaabc"


def test_figures_are_medians_of_the_turns_that_nobody_disturbed() -> None:
    measured = [{"cpu_us": cpu, "disturbed": share} for cpu, share in ((9, 0.0), (7, 0.1), (8, 0.05), (90, 0.5))]
    assert turns.figures(measured) == {"cpu_us": 8, "disturbed": 0.05, "turns": 4, "undisturbed": 3}
    assert turns.figures(measured[3:])["undisturbed"] == 0
    assert turns.figures(measured[3:])["cpu_us"] == 90


def test_a_goal_is_met_missed_or_has_nobody_to_be_compared_with() -> None:
    figures = dict.fromkeys(("cpu_us", "last_ms", "kib", "open_ms", "accept_cpu_us", "burst_cpu_us"), 10.0)
    cases = {contestants.HUB: figures, contestants.FLOOR: figures | {"cpu_us": 8.0}}
    judged = goals.goals(cases, {"page": {"made each time": {"cpu_us": 10.0}, "kept": {"cpu_us": 1.0}}})
    by_what = {(each["what"], each["against"]): each for each in judged}
    assert by_what["CPU a delivery, WebSocket", "floor"]["reached"] == 1.25
    assert by_what["CPU a delivery, WebSocket", "floor"]["met"]
    assert by_what["CPU of a session's page made each time", "kept page"]["met"] is False
    assert by_what["CPU a delivery", "Node ws"]["met"] is None
    assert ["CPU a delivery", "Node ws", "at most 0.85", "-", "not compared"] in goals.measured_goals(judged)["rows"]


def test_a_server_that_does_not_start_ends_the_bench_with_what_it_said(tmp_path: Path) -> None:
    (tmp_path / "hall").write_text("a file where the hall wants its folder")
    (tmp_path / "fact.json").write_text("{}")
    with pytest.raises(RuntimeError, match=r"(?s)servers.*hall.*Error"), turns.serving(run.HALL, tmp_path, 0):
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
    report = asyncio.run(opening.measure(3, 12, 4, Mode.TEAM, 1.0))
    assert [times["t0"] < 0 for times in report["sessions"].values()] == [True] * 3 + [False] * 4
    for times in report["sessions"].values():
        assert times.keys() >= opening.MILESTONES.keys()
        assert times["LastKeySent"] <= times["BarrierPassed"] <= times["FirstScreen"] <= times["LastScreen"]
    figures = {each["name"]: each["value"] for each in report["figures"]}
    assert figures.keys() >= {"processor, postgresql", "processor, redis"}
    alone, *together = (
        [times["BarrierPassed"] - times["LastKeySent"] for times in list(report["sessions"].values())[part]]
        for part in (slice(3), slice(3, None))
    )
    longest = 1000 * (max(together[0]) - min(alone))
    assert figures["last key sent to barrier, waited for others, longest"] == pytest.approx(longest, abs=2)
    assert "How long an opening waited for the others" in limits.part(report)


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
    assert limits.part(report | {"command": "kaibiao bench log"}).count("every check holds") >= 1
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
@pytest.mark.timeout(900)  # a server for each of twenty turns
def test_the_fanout_bench_prints_tables_or_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, everybody: dict[str, Contestant]
) -> None:
    absent = [Contestant(name=contestants.NODE_WS, words=(), absent="nobody looked")]
    monkeypatch.setattr(run, "contestants", lambda cache: (*everybody.values(), *absent))
    words = ("fanout", "--watchers", "20", "--events", "3", "--rounds", "1")
    report = json.loads(said(*words, "--json"))
    monkeypatch.setattr(run, "measure", lambda *measured: report)
    table = said(*words)
    assert all(name in table for name in NAMES)
    assert "Node, ws is absent: nobody looked." in table
    assert list(report["cases"]) == list(NAMES)
    assert report["peers"][contestants.NODE_WS] == "nobody looked"
    compared = {each["what"] for each in report["goals"] if each["reached"] is not None}
    assert {each.what for each in goals.GOALS} == compared


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
    assert "## An opening with 3 bidders before 4 spectators, Solo" in limits.part(report)
    assert all(words in opening.table(report) for words in opening.MILESTONES.values())
