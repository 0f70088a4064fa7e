"""What the pages name is there: files, modules, commands with their options, targets of make, checks."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from sessions.verify.sentences import EXTRA, SENTENCES
from web.cli import commands

ROOT = Path(__file__).parents[1]
FILES = [
    Path(name)
    for name in subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
]
PAGES = {path: (ROOT / path).read_text("utf-8") for path in FILES if path.suffix == ".md"}
PACKAGES = ("crypto", "sessions", "hall", "web")
IDS = SENTENCES.keys() | EXTRA.keys()
CHECKS = {name.partition(".")[0] for name in IDS} - {"plan", "record"}
"""Beginnings of checks; `plan` and `record` have members of their own."""


def named(pattern: str) -> Iterator[tuple[Path, str]]:
    for page, text in PAGES.items():
        for found in re.findall(pattern, text):
            yield page, found


def a_file(page: Path, name: str) -> bool:
    """From the root, beside the page or in the page's scripts; by its name alone wherever it is."""
    alone = "/" not in name and any(name == path.name for path in FILES)
    return alone or any((ROOT / near / name).exists() for near in (".", page.parent, "web/client/src"))


def a_folder(page: Path, name: str) -> bool:
    """Or one inside the bundle, whose members the same page names."""
    return a_file(page, name) or f"`{name}" in PAGES[page].replace(f"`{name}`", "")


def a_module(_: Path, name: str) -> bool:
    place = ROOT / name.replace(".", "/")
    return place.is_dir() or place.with_suffix(".py").exists()


def a_target(_: Path, name: str) -> bool:
    return re.search(rf"^{name}:", (ROOT / "Makefile").read_text("utf-8"), re.M) is not None


def a_check(_: Path, name: str) -> bool:
    return name.partition(".")[0] not in CHECKS or name in IDS


@pytest.mark.parametrize(
    ("pattern", "there", "at_least"),
    [
        (r"(?<![\w/.{}-])(?:[\w-]+/)*[\w-]+\.(?:py|ts|md|typ)\b(?![./\w])", a_file, 100),
        (r"(?<![\w/.-])(?:crypto|sessions|hall|web|alembic|tests|docs)/[\w/.-]+\.(?:toml|txt|json|png)\b", a_file, 4),
        (r"\]\((?!https?:)([^)#]+)\)", lambda page, name: (ROOT / page.parent / name).exists(), 30),
        (r"`((?:[a-z_]+/)+)`", a_folder, 6),
        (r"python -m ([a-z_]+\.[a-z_.]+[a-z])", a_module, 4),
        (r"(?:`|\n)make ([a-z-]+)", a_target, 6),
        (r"`([a-z]+\.[a-z]+)`", a_check, 38),
    ],
    ids=["sources", "files", "links", "folders", "modules", "targets", "checks"],
)
def test_the_pages_name_only_what_is_there(pattern: str, there: Callable[[Path, str], bool], at_least: int) -> None:
    found = list(named(pattern))
    assert [f"{page}: {name}" for page, name in found if not there(page, name)] == []
    assert len(found) >= at_least  # the search sees what it looks for


def test_the_changelog_counts_the_checks_that_every_archive_gets() -> None:
    assert f"{len(SENTENCES)} named checks" in PAGES[Path("CHANGELOG.md")].replace("\n  ", " ")


def test_the_sources_name_only_files_that_are_there() -> None:
    pattern = re.compile(r"(?<![\w/.{}-])(?:[\w-]+/)+[\w-]+\.(?:py|ts|md|typ)\b(?![./\w])")
    sources = [path for path in FILES if path.suffix in (".py", ".ts", ".html", ".css") and path.parts[0] in PACKAGES]
    found = [(path, name) for path in sources for name in pattern.findall((ROOT / path).read_text("utf-8"))]
    assert [f"{path}: {name}" for path, name in found if not a_file(path, name)] == []
    assert len(found) > 50  # the search sees what it looks for


def test_the_pages_name_only_commands_and_options_that_there_are() -> None:
    program: Any = typer.main.get_command(commands(None))
    missing, seen = [], 0
    for page, line in named(r"(?:`|^|\n|/)kaibiao ((?:[^`\n#]|\\\n)+)"):
        words, command = line.replace("\\\n", " ").split(), program
        while words and words[0] in getattr(command, "commands", ()):
            command = command.commands[words.pop(0)]
        options = {option for parameter in command.params for option in parameter.opts + parameter.secondary_opts}
        whole = command is not program and "..." not in words
        missing += [f"{page}: {line}"] if command is program else []
        missing += [f"{page}: {line}: {word}" for word in words if whole and word[:2] == "--" and word not in options]
        seen += 1
    assert missing == []
    assert seen > 60  # the search sees what it looks for
