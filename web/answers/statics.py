"""Style sheets, scripts and pictures, from memory, under an address that changes with their content.

``/static/BUILD/css/hall.css`` may be kept for ever by anybody; scripts import one another by relative addresses and
so stay within one build. A page that an older build rendered still gets its files, but does not keep them.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import posixpath
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from web.answers.problems import Problem

FOLDER: Final = Path(__file__).parents[1] / "static"

_TYPES: Final = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".woff2": "font/woff2"}
_IMPORTED: Final = re.compile(r"""^\s*(?:import|export)\b[^;'"]*?["'](\.{1,2}/[\w./-]+\.js)["']""", re.M)
_SQUEEZED: Final = frozenset({".js", ".css", ".svg", ".json", ".txt", ".webmanifest"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    content: bytes
    squeezed: bytes | None
    media_type: str
    etag: str


class Statics:
    """The files as they were when the server started; about a hundred, all small."""

    def __init__(self, folder: Path = FOLDER) -> None:
        names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        self._files = {name: _read(folder / name) for name in names if not Path(name).name.startswith(".")}
        lines = "".join(f"{file.etag}  {name}\n" for name, file in self._files.items())
        self.build = hashlib.sha256(lines.encode()).hexdigest()[:12]

    def url(self, name: str) -> str:
        """Return the address of a file, such as ``css/hall.css``; raise ``KeyError`` if there is none."""
        if name not in self._files:
            raise KeyError(name)
        return f"/static/{self.build}/{name}"

    def needs(self, name: str) -> tuple[str, ...]:
        """Return the addresses of all that the script ``name`` imports, and what that imports, each once.

        A page names them so that a browser asks for all at once: each level of imports would cost it a round trip.
        """
        found = dict.fromkeys([name])
        for one in (order := [name]):
            for wanted in _IMPORTED.findall(self._files[one].content.decode()):
                imported = posixpath.normpath(posixpath.join(posixpath.dirname(one), wanted))
                if imported in self._files and imported not in found:
                    found[imported] = None
                    order.append(imported)
        return tuple(self.url(one) for one in order[1:])

    def routes(self) -> list[BaseRoute]:
        """Return the routes that serve the files."""
        return [Route("/static/{build:str}/{name:path}", self._serve, methods=["GET", "HEAD"])]

    async def _serve(self, request: Request) -> Response:
        file = self._files.get(request.path_params["name"])
        if file is None:
            raise Problem("not_found")
        current = request.path_params["build"] == self.build
        headers = {
            "etag": f'"{file.etag}"',
            "cache-control": "public, max-age=31536000, immutable" if current else "no-cache",
            "vary": "accept-encoding",
        }
        if headers["etag"] in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        content = file.content
        if file.squeezed is not None and "gzip" in request.headers.get("accept-encoding", ""):
            content = file.squeezed
            headers["content-encoding"] = "gzip"
        return Response(content, media_type=file.media_type, headers=headers)


def _read(path: Path) -> _File:
    content = path.read_bytes()
    squeezed = gzip.compress(content, 9, mtime=0) if path.suffix in _SQUEEZED else None
    return _File(
        content=content,
        squeezed=squeezed if squeezed is not None and len(squeezed) < len(content) else None,
        media_type=_TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream",
        etag=hashlib.sha256(content).hexdigest(),
    )
