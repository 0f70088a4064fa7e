"""The runbooks are true: what they say to type is typed here, and what they quote stands in the program."""

from __future__ import annotations

import asyncio
import re
import shlex
import shutil
from pathlib import Path

import pytest

from sessions.backup import keychest
from tests.support import team
from tests.support.commands import Ran, kaibiao
from tests.support.house import a_house
from web.settings import Settings

ROOT = Path(__file__).parents[2]
BOOKS = ROOT / "docs" / "runbooks"
NAMES = sorted(path.name.removesuffix(".en.md") for path in BOOKS.glob("*.en.md"))
OTHERS = {"curl", "systemctl", "journalctl", "timedatectl", "df", "cp"}
"""Programs of the machine: they are named right, and only `cp` is run here."""


def book(name: str, language: str) -> str:
    return (BOOKS / f"{name}.{language}.md").read_text("utf-8")


def lines(text: str) -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S)
    return [line for block in blocks for line in block.splitlines()]


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hall with an announced opening, a folder for backups, and its keys kept apart."""
    folder = tmp_path_factory.mktemp("books")

    async def announced() -> None:
        async with a_house(folder) as house:
            await house.announce()

    asyncio.run(announced())
    (folder / "backups").mkdir()
    (folder / "keys").mkdir()
    for path in keychest.key_files(folder / "hall").values():
        shutil.copy2(path, folder / "keys")
    return folder


def typed(folder: Path, line: str, into: Path) -> Ran | None:
    """Type one line of a runbook, with the places of this machine."""
    places = {"/var/lib/kaibiao-new": str(into), "/var/backups/hall-keys": str(folder / "keys")}
    places["/var/backups/kaibiao"] = str(folder / "backups")
    for there, here in places.items():
        line = line.replace(there, here)
    made = sorted((folder / "backups").glob("kaibiao-*.zip"))
    words = shlex.split(line.replace(f"{folder}/backups/newest.zip", str(made[-1]) if made else "missing"))
    told = {"data_dir": str(folder / "hall"), "rehearsal_allowed": "true"}
    if team.TEAM and "restore" not in words and str(into) not in line:
        told["database_url"] = team.database_url(folder / "hall")
    while "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        told[name.removeprefix("KAIBIAO_").lower()] = value
    match words[0]:
        case "kaibiao":
            return kaibiao(folder, *words[1:], **told)
        case "cp":
            for path in Path(words[2].removesuffix("/*")).iterdir():
                shutil.copy2(path, words[3])
            return None
        case other:
            assert other in OTHERS
            return None


@pytest.mark.parametrize("name", NAMES)
def test_what_a_runbook_says_to_type_works(hall: Path, tmp_path: Path, name: str) -> None:
    if not any((hall / "backups").iterdir()):
        typed(hall, "kaibiao backup /var/backups/kaibiao/kaibiao-0.zip", tmp_path)
    for line in lines(book(name, "en")):
        ran = typed(hall, line, tmp_path / "new")
        assert ran is None or ran.returncode == 0 or _only_the_tests_own(ran), f"{line}\n{ran.stdout}{ran.stderr}"
        for path in (hall / "backups").glob("kaibiao-2*.zip"):
            path.rename(path.with_name("kaibiao-0.zip"))  # two in one second have one name


@pytest.mark.parametrize("name", NAMES)
def test_both_languages_say_the_same_to_type_and_have_the_same_steps(name: str) -> None:
    english, chinese = book(name, "en"), book(name, "zh")
    assert lines(english) == lines(chinese)
    steps = [re.findall(r"^(\d)\. ", text, re.M) for text in (english, chinese)]
    assert steps[0] == steps[1] != []
    assert english.count("](") == chinese.count("](")


def _only_the_tests_own(ran: Ran) -> bool:
    """The tests' PostgreSQL does without what costs time, and the doctor is right to say so."""
    wrong = [each for each in ran.stdout.splitlines() if each.startswith("fix ")]
    return team.TEAM and wrong == ["fix  PostgreSQL: fsync and full_page_writes is off"]


async def test_the_addresses_in_them_answer(tmp_path: Path) -> None:
    told = "".join(book(name, "en") for name in NAMES)
    paths = set(re.findall(r"http://127\.0\.0\.1:8080(/\S+)", told)) | set(re.findall(r"`(/api/\S+)`", told))
    assert {"/readyz", "/api/v1/log-key"} == paths
    async with a_house(tmp_path) as house, house.client() as client:
        assert {(await client.get(path)).status_code for path in paths} == {200}


def test_what_they_quote_stands_in_the_program() -> None:
    source = "".join(path.read_text("utf-8") for part in ("sessions", "web") for path in (ROOT / part).rglob("*.py"))
    for words in ("a witness holds another log", "Fit to hold an opening", "newer  "):
        assert words in source
    for name in NAMES:
        for language in ("en", "zh"):
            text = book(name, language)
            for setting in re.findall(r"KAIBIAO_([A-Z_]+)", text):
                assert setting.lower() in Settings.model_fields
            for other in re.findall(r"([a-z-]+\.(?:en|zh)\.md)", text):
                assert (BOOKS / other).exists(), f"{name}: {other}"
    assert "max_watchers" in Settings.model_fields


def test_every_runbook_is_listed_and_every_mention_in_the_program_leads_to_one() -> None:
    listed = (BOOKS / "README.md").read_text("utf-8")
    for path in BOOKS.glob("*.*.md"):
        assert f"({path.name})" in listed
    for source in (ROOT / "web").rglob("*.py"):
        for name in re.findall(r"docs/runbooks/([\w.-]+\.md)", source.read_text("utf-8")):
            assert (BOOKS / name).exists(), source
