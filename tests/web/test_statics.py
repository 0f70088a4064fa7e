from __future__ import annotations

import gzip
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, Request, Response

from web.answers.problems import Problem
from web.answers.statics import Statics


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "css").mkdir()
    (tmp_path / "css" / "hall.css").write_text("body { color: black }\n" * 50, encoding="utf-8")
    (tmp_path / "mark.png").write_bytes(b"\x89PNG")
    (tmp_path / ".half-written").write_bytes(b"no")
    (tmp_path.parent / "secret.txt").write_text("no", encoding="utf-8")
    return tmp_path


async def got(statics: Statics, url: str, **headers: str) -> httpx.Response:
    async def gone(request: Request, problem: Exception) -> Response:
        return Response(status_code=404)

    app = FastAPI(routes=statics.routes(), exception_handlers={Problem: gone})
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://hall") as client:
        return await client.get(url, headers={name.replace("_", "-"): value for name, value in headers.items()})


async def test_a_file_of_this_build_is_kept_for_ever(folder: Path) -> None:
    statics = Statics(folder)
    answer = await got(statics, statics.url("css/hall.css"), accept_encoding="identity")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert answer.text.startswith("body")


async def test_the_address_changes_with_any_file(folder: Path) -> None:
    before = Statics(folder).url("mark.png")
    (folder / "css" / "hall.css").write_text("body {}", encoding="utf-8")
    assert Statics(folder).url("mark.png") != before


async def test_a_page_of_an_older_build_gets_its_files_but_does_not_keep_them(folder: Path) -> None:
    answer = await got(Statics(folder), "/static/000000000000/mark.png")
    assert answer.content == b"\x89PNG"
    assert answer.headers["cache-control"] == "no-cache"


async def test_what_the_reader_has_is_not_sent_again(folder: Path) -> None:
    statics = Statics(folder)
    first = await got(statics, statics.url("mark.png"))
    again = await got(statics, statics.url("mark.png"), if_none_match=first.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["cache-control"] == first.headers["cache-control"]


async def test_text_travels_squeezed_to_those_who_can_read_it(folder: Path) -> None:
    statics = Statics(folder)
    squeezed = await got(statics, statics.url("css/hall.css"), accept_encoding="gzip")
    assert squeezed.headers["content-encoding"] == "gzip"
    assert squeezed.headers["vary"] == "accept-encoding"
    assert int(squeezed.headers["content-length"]) < len(gzip.compress(squeezed.content)) + 50
    assert squeezed.text.startswith("body")


@pytest.mark.parametrize("name", ["../secret.txt", "..%2fsecret.txt", ".half-written", "css", "css/", "gone.css", ""])
async def test_nothing_but_the_files_is_served(folder: Path, name: str) -> None:
    statics = Statics(folder)
    answer = await got(statics, f"/static/{statics.build}/{name}")
    assert answer.status_code in (404, 307)


def test_a_page_cannot_name_a_file_that_is_not_there(folder: Path) -> None:
    with pytest.raises(KeyError):
        Statics(folder).url("css/gone.css")
