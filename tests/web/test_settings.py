from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from web.settings import Settings, SettingsRefused, document, load


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KAIBIAO_CONFIG", raising=False)


def a_file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "hall.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_settings_page_is_what_the_code_says() -> None:
    page = Path(__file__).parents[2] / "docs" / "settings.md"
    assert page.read_text(encoding="utf-8") == document(), "run `python -m web.settings > docs/settings.md`"


def test_every_setting_is_described() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = a_file(tmp_path, 'port = 1001\nhost = "127.0.0.2"\nlogin_hours = 3\n')
    monkeypatch.setenv("KAIBIAO_HOST", "127.0.0.3")
    monkeypatch.setenv("KAIBIAO_PORT", "1002")
    settings = load(file, port=1003, host=None)
    assert (settings.port, settings.host, settings.login_hours) == (1003, "127.0.0.3", 3)


def test_the_environment_may_name_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAIBIAO_CONFIG", str(a_file(tmp_path, "port = 1001\n")))
    assert load().port == 1001


def test_an_unknown_name_in_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsRefused, match="prot"):
        load(a_file(tmp_path, "prot = 1001\n"))


def test_an_unknown_name_in_the_environment_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAIBIAO_PROT", "1")
    with pytest.raises(SettingsRefused, match="KAIBIAO_PROT"):
        load()


@pytest.mark.parametrize("text", ["port = ", "port = 70000", "workers = 0", 'log_format = "xml"'])
def test_what_a_setting_cannot_be_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsRefused):
        load(a_file(tmp_path, text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsRefused, match=r"gone\.toml"):
        load(tmp_path / "gone.toml")


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        Settings().port = 1


@pytest.mark.parametrize(
    ("url", "origin", "secure"),
    [
        ("", "http://127.0.0.1:8080", False),
        ("https://hall.example.org", "https://hall.example.org", True),
        ("https://hall.example.org/", "https://hall.example.org", True),
        ("http://localhost:9000", "http://localhost:9000", False),
    ],
)
def test_the_public_address_is_an_origin(url: str, origin: str, secure: bool) -> None:
    settings = load(public_url=url)
    assert (settings.origin, settings.secure) == (origin, secure)


@pytest.mark.parametrize(
    "url", ["hall.example.org", "ftp://hall.example.org", "https://hall.example.org/a", "http://hall.example.org"]
)
def test_what_is_no_origin_or_not_protected_is_refused(url: str) -> None:
    with pytest.raises(SettingsRefused, match="public_url"):
        load(public_url=url)


def test_a_hall_that_listens_everywhere_is_still_reached_at_an_address() -> None:
    assert load(host="0.0.0.0", port=80).origin == "http://127.0.0.1:80"


def test_the_database_is_a_file_in_the_data_folder_unless_named(tmp_path: Path) -> None:
    assert load(data_dir=tmp_path).database == f"sqlite+aiosqlite:///{tmp_path}/kaibiao.db"
    assert load(database_url="postgresql+asyncpg://db/x").database == "postgresql+asyncpg://db/x"
