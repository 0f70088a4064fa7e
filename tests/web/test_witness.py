"""A witness: what it says to whom, on a real socket, and what it still knows after somebody pulled the plug."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from crypto.digest import sha256_hex
from crypto.signing import HallKey
from crypto.tlog import (
    Checkpoint,
    Tree,
    VerifierKey,
    WitnessKey,
    WitnessSecret,
    open_checkpoint,
    peek_checkpoint,
    sign_checkpoint,
    verify_cosignature,
    with_signatures,
    write_request,
)
from crypto.tlog.notes import ED25519
from tests.support.ports import free_port
from tests.vectors.tlog import entry
from web.cli import commands
from web.witness.judging import SIZE, Fault, judge
from web.witness.keeping import InUse, Keeping

HALL = HallKey.generate()
WITNESS = WitnessSecret("w.example", HallKey.generate())
LOG = VerifierKey("hall.example", ED25519, HALL.public.raw)
ORIGIN = "hall.example/s/gx-1"
TREE = Tree(map(entry, range(60)))
OTHER = Tree([b"another entry", *map(entry, range(1, 60))])
NOW = 1_795_222_800


def a_note(size: int, *, tree: Tree = TREE, hall: HallKey = HALL, origin: str = ORIGIN) -> str:
    return sign_checkpoint(Checkpoint(origin=origin, size=size, root=tree.root(size)), hall)


def ask(old: int, size: int, *, tree: Tree = TREE, **changes: object) -> str:
    proof = tree.consistency_proof(old, size) if old <= size else ()
    return write_request(old, proof, a_note(size, tree=tree, **changes))  # type: ignore[arg-type]


def cosigned(size: int) -> str:
    verdict = judge(ask(0, size), None, [LOG], WITNESS, NOW)
    assert verdict.state is not None
    return verdict.state


def test_the_first_checkpoint_of_a_known_hall_is_cosigned() -> None:
    verdict = judge(ask(0, 20), None, [LOG], WITNESS, NOW)
    assert verdict.status == 200
    assert verify_cosignature(with_signatures(a_note(20), verdict.body), WITNESS.public) == NOW
    assert verdict.state is not None
    assert open_checkpoint(verdict.state, HALL.public, ORIGIN).size == 20


def test_a_later_checkpoint_is_cosigned_with_its_proof() -> None:
    verdict = judge(ask(20, 33), cosigned(20), [LOG], WITNESS, NOW)
    assert (verdict.status, verdict.fault) == (200, None)


def test_the_same_checkpoint_again_is_cosigned_again() -> None:
    assert judge(ask(20, 20), cosigned(20), [LOG], WITNESS, NOW).status == 200


@pytest.mark.parametrize("origin", ["hall.example", "hall.example/s/other", "hall.example/s/gx-1/intake"])
def test_every_log_under_a_hall_is_known(origin: str) -> None:
    assert judge(ask(0, 5, origin=origin), None, [LOG], WITNESS, NOW).status == 200


@pytest.mark.parametrize("origin", ["hall.example.evil/s/1", "hall.exampl", "other.example/s/gx-1"])
def test_a_log_of_nobody_is_404(origin: str) -> None:
    assert judge(ask(0, 5, origin=origin), None, [LOG], WITNESS, NOW).status == 404


def test_after_a_rotation_a_hall_has_two_keys_and_each_opening_its_own() -> None:
    newer = HallKey.generate()
    both = [LOG, VerifierKey("hall.example", ED25519, newer.public.raw)]
    assert judge(ask(0, 20), None, both, WITNESS, NOW).status == 200
    later = ask(0, 20, hall=newer, origin="hall.example/s/gx-2")
    assert judge(later, None, both, WITNESS, NOW).status == 200
    assert judge(later, None, [LOG], WITNESS, NOW).status == 403
    assert judge(ask(0, 5, hall=HallKey.generate()), None, both, WITNESS, NOW).status == 403


def test_another_halls_signature_is_403_and_so_is_a_broken_one() -> None:
    assert judge(ask(0, 5, hall=HallKey.generate()), None, [LOG], WITNESS, NOW).status == 403
    broken = ask(0, 20).replace("\n20\n", "\n21\n")
    assert judge(broken, None, [LOG], WITNESS, NOW).status == 403


@pytest.mark.parametrize(
    "body",
    ["", "old 5\n", "nonsense\n\n", ask(0, 20).replace("old 0", "old 00"), ask(0, 20).replace("old 0", "old -1"),
     ask(21, 20), write_request(0, (), "no checkpoint\n"), ask(0, 20).replace("—", "-")],
)  # fmt: skip
def test_what_is_not_in_form_is_400(body: str) -> None:
    assert judge(body, None, [LOG], WITNESS, NOW).status == 400


@pytest.mark.parametrize("old", [0, 5, 25])
def test_another_old_size_is_409_with_the_known_one(old: int) -> None:
    verdict = judge(ask(old, 30), cosigned(20), [LOG], WITNESS, NOW)
    assert (verdict.status, verdict.body, verdict.media_type) == (409, "20\n", SIZE)
    assert judge(ask(7, 30), None, [LOG], WITNESS, NOW).body == "0\n"


def test_a_proof_that_proves_nothing_is_422_and_kept_with_both_notes() -> None:
    good = ask(20, 33)
    for wrong in (
        write_request(20, (), a_note(33)),
        write_request(20, TREE.consistency_proof(19, 33), a_note(33)),
        ask(20, 33, tree=OTHER),
    ):
        verdict = judge(wrong, cosigned(20), [LOG], WITNESS, NOW)
        assert (verdict.status, verdict.state) == (422, None)
        assert verdict.fault is not None
        assert verdict.fault[0] is Fault.NO_PROOF
    assert judge(good, cosigned(20), [LOG], WITNESS, NOW).status == 200


def test_a_proof_from_nothing_is_422() -> None:
    verdict = judge(write_request(0, [b"x" * 32], a_note(20)), None, [LOG], WITNESS, NOW)
    assert (verdict.status, verdict.fault) == (422, None)


def test_an_empty_log_with_another_root_is_422() -> None:
    note = sign_checkpoint(Checkpoint(origin=ORIGIN, size=0, root=b"x" * 32), HALL)
    assert judge(write_request(0, (), note), None, [LOG], WITNESS, NOW).status == 422
    assert judge(ask(0, 0), None, [LOG], WITNESS, NOW).status == 200


@pytest.mark.parametrize(("old", "status"), [(20, 422), (0, 409)])
def test_two_roots_of_one_size_are_a_split_view_proven_by_two_notes(old: int, status: int) -> None:
    given = write_request(old, (), a_note(20, tree=OTHER))
    verdict = judge(given, cosigned(20), [LOG], WITNESS, NOW)
    assert (verdict.status, verdict.state) == (status, None)
    assert verdict.fault is not None
    fault, note = verdict.fault
    assert fault is Fault.TWO_ROOTS
    one, two = peek_checkpoint(cosigned(20)), open_checkpoint(note, HALL.public, ORIGIN)
    assert (one.origin, one.size) == (two.origin, two.size)
    assert one.root != two.root


def test_what_strangers_signed_below_is_not_kept() -> None:
    stranger = judge(ask(0, 20), None, [LOG], WitnessSecret("x.example", HallKey.generate()), NOW)
    request = write_request(0, (), with_signatures(a_note(20), stranger.body))
    state = judge(request, None, [LOG], WITNESS, NOW).state
    assert state is not None
    assert "x.example" not in state


def test_a_witness_is_made_once_and_its_key_stays(tmp_path: Path) -> None:
    keeping = Keeping.found(tmp_path / "w", "w.example")
    assert keeping.secret.public == Keeping(tmp_path / "w").secret.public
    with pytest.raises(FileExistsError):
        Keeping.found(tmp_path / "w", "w.example")
    assert (tmp_path / "w" / "witness-key.pem").stat().st_mode & 0o077 == 0


def test_two_processes_do_not_serve_one_folder(tmp_path: Path) -> None:
    first, second = Keeping.found(tmp_path, "w.example"), Keeping(tmp_path)
    first.open()
    with pytest.raises(InUse):
        second.open()
    first.close()
    second.open()
    second.close()


def test_init_prints_the_vkey_that_halls_list(tmp_path: Path) -> None:
    made = CliRunner().invoke(commands("witness"), ["witness", "init", str(tmp_path / "w"), "--name", "w.example"])
    assert made.exit_code == 0
    assert WitnessKey.parse(made.stdout.strip()) == Keeping(tmp_path / "w").secret.public


# -- a process of its own ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Served:
    url: str
    process: subprocess.Popen[bytes]
    key: WitnessKey

    def ask(self, body: str) -> httpx.Response:
        return httpx.post(f"{self.url}/add-checkpoint", content=body.encode(), timeout=60)


@contextmanager
def served(folder: Path, port: int) -> Iterator[Served]:
    """The real command on a real socket. It is killed without warning at the end."""
    if not (folder / "name").exists():
        Keeping.found(folder, "w.example")
    command = [
        sys.executable,
        "-m",
        "web.cli",
        "witness",
        "serve",
        str(folder),
        "--log",
        str(LOG),
        "--port",
        str(port),
    ]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[2], stderr=subprocess.PIPE, env=os.environ)
    try:
        url = f"http://127.0.0.1:{port}"
        while True:
            try:
                httpx.get(url, timeout=60)
                break
            except httpx.TransportError:
                assert process.poll() is None, process.stderr and process.stderr.read()
                time.sleep(0.05)
        yield Served(url, process, Keeping(folder).secret.public)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        if process.stderr:
            process.stderr.close()


@pytest.fixture
def port() -> int:
    return free_port()


def test_a_real_witness_remembers_over_a_kill_what_it_cosigned_and_whom_it_convicted(
    tmp_path: Path, port: int
) -> None:
    folder, address = tmp_path / "w", sha256_hex(ORIGIN.encode())
    with served(folder, port) as witness:
        assert httpx.get(witness.url).text == f"{witness.key}\n"
        assert httpx.get(f"{witness.url}/{address}/checkpoint").status_code == 404
        answer = witness.ask(ask(0, 20))
        assert answer.status_code == 200
        verify_cosignature(with_signatures(a_note(20), answer.text), witness.key)
    with served(folder, port) as witness:
        again = witness.ask(ask(0, 33))
        assert (again.status_code, again.text, again.headers["content-type"]) == (409, "20\n", SIZE)
        assert witness.ask(ask(20, 33)).status_code == 200
        assert witness.ask(write_request(33, (), a_note(33, tree=OTHER))).status_code == 422
    with served(folder, port) as witness:
        note = httpx.get(f"{witness.url}/{address}/checkpoint").text
        assert open_checkpoint(note, HALL.public, ORIGIN).size == 33
        verify_cosignature(note, witness.key)
        faults = httpx.get(f"{witness.url}/faults").json()["faults"]
        assert [fault["fault"] for fault in faults] == ["two_roots"]
        held, given = (open_checkpoint(faults[0][name], HALL.public, ORIGIN) for name in ("held", "given"))
        assert (held.size, given.size) == (33, 33)
        assert held.root != given.root
        assert witness.ask("x" * 300_000).status_code == 413
        assert witness.ask("old 0\n\n\ud7ff").status_code == 400


def test_askers_at_once_never_roll_a_log_back(tmp_path: Path, port: int) -> None:
    with served(tmp_path / "w", port) as witness, ThreadPoolExecutor(8) as crowd:
        answers = list(crowd.map(witness.ask, [ask(0, size) for size in range(1, 41)]))
        cosigned_at = [size for size, answer in enumerate(answers, start=1) if answer.status_code == 200]
        assert len(cosigned_at) == 1  # whoever came first; for all others the old size was wrong by then
        assert {answer.text for answer in answers if answer.status_code == 409} == {f"{cosigned_at[0]}\n"}
