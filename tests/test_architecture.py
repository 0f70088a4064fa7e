"""The house rules that a tool can check."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("crypto", "sessions", "hall", "web")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
ASKS_THE_TIME = re.compile(r"datetime\.now\(|datetime\.utcnow\(|time\.time\(|date\.today\(")


def test_only_the_clock_asks_what_time_it_is() -> None:
    asking = [str(path.relative_to(ROOT)) for path in SOURCES if ASKS_THE_TIME.search(path.read_text("utf-8"))]
    assert asking == ["sessions/clock.py"]


def test_no_module_takes_a_name_of_the_standard_library() -> None:
    import sys

    names = {path.stem for path in SOURCES} - {"__init__", "__main__"}
    assert names & sys.stdlib_module_names == set()


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_says_what_it_is_for(path: Path) -> None:
    if path.read_text("utf-8").strip():
        assert ast.get_docstring(ast.parse(path.read_text("utf-8")))


def test_a_docstring_names_only_what_is_there() -> None:
    def module(path: Path) -> str:
        return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")

    texts = {module(path): path.read_text("utf-8") for path in SOURCES}
    named = re.compile(r"\(((?:crypto|sessions|hall|web)(?:\.[a-z_]+)+)(?=[).,:;\s])")
    found = {name for text in texts.values() for name in named.findall(text)}
    lost = set()
    for name in found - texts.keys():
        parent, _, attribute = name.rpartition(".")
        if not re.search(rf"^(?:async def |def |class )?{attribute}\b", texts.get(parent, ""), re.M):
            lost.add(name)
    assert lost == set()
    assert len(found) > 50  # the search sees what it looks for


def test_the_alembic_folder_is_no_package() -> None:
    assert not (ROOT / "alembic" / "__init__.py").exists()


def test_the_lock_names_no_address() -> None:
    assert "://" not in (ROOT / "requirements.lock").read_text("utf-8")
    assert '"resolved"' not in (ROOT / "web/client/package-lock.json").read_text("utf-8")


def test_the_lock_has_every_declared_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    locked = set(re.findall(r"^([a-z0-9.-]+)==", (ROOT / "requirements.lock").read_text("utf-8"), re.M))
    declared = list(project["project"]["dependencies"])
    for group in (*project["project"]["optional-dependencies"].values(), *project["dependency-groups"].values()):
        declared += group
    wanted = {re.split(r"[\[<>=!~ ;]", line)[0].lower().replace("_", "-") for line in declared}
    assert wanted - locked == set()


def test_no_committed_file_is_large() -> None:
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.split(b"\0")
    large = [name for name in map(bytes.decode, filter(None, files)) if (ROOT / name).stat().st_size > 1_500_000]
    assert large == []


def test_what_is_logged_has_a_name_that_never_changes() -> None:
    """A monitor finds an event by its words: values stand beside them, by name (``extra``)."""
    told = [
        (path, call)
        for path in SOURCES
        for call in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id.lower() in ("_log", "log", "logger", "logging")
        and call.func.attr in ("debug", "info", "warning", "error", "exception", "critical")
    ]
    loose = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path, call in told
        if len(call.args) != 1 or not isinstance(call.args[0], ast.Constant)
    ]
    assert loose == []
    assert len(told) > 25  # the search sees what it looks for


SECRETS = {
    "a private key": re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:\\n|\s)+[A-Za-z0-9+/]{16}"),
    "a token of a service": re.compile(rb"\b(?:AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36}|xox[abps]-[\w-]{10,})"),
    "an otpauth address": re.compile(rb"otpauth://totp/\S*secret=[A-Z2-7]{16}"),
    "a password in an address": re.compile(rb"\b[a-z][a-z0-9+]*://[^\s/:@\"'{}<>$]+:[^\s/@\"'{}<>$]+@[a-z0-9]"),
}
VECTORS = "tests/vectors/crypto/"
"""Keys that were made to be published: known answers need them."""


def _committed() -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    return [name.decode() for name in listed.split(b"\0") if name]


def test_the_repository_holds_no_secret_but_those_of_its_vectors() -> None:
    found = {
        (name, what)
        for name in _committed()
        for what, looks in SECRETS.items()
        if looks.search((ROOT / name).read_bytes())
    }
    strays = {(name, what) for name, what in found if not (name.startswith(VECTORS) and name.endswith(".json"))}
    strays.discard(("tests/web/test_revocation.py", "a password in an address"))  # one that is refused
    assert strays == set()
    assert (f"{VECTORS}release.json", "a private key") in found  # the search sees what it looks for


def test_no_key_file_is_committed() -> None:
    kinds = (".pem", ".key", ".p12", ".pfx", ".db", ".rescue")
    assert [name for name in _committed() if name.endswith(kinds) and not name.startswith("tests/vectors/")] == []
