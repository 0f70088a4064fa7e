"""The interface in words: ``/api/docs``, written by the server itself, and ``/api/openapi.json`` for programs."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse, Response

from sessions import commands
from sessions.codec import BY_PEOPLE
from web.routes.reader import reader

router = APIRouter(include_in_schema=False)

_KINDS: Mapping[Any, dict[str, str]] = {
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    datetime: {"type": "string", "format": "date-time"},
}


@router.get("/api/docs", response_class=HTMLResponse)
async def docs(request: Request) -> Response:
    """Show every door and every command, without a script."""
    app: FastAPI = request.app
    return reader(request).page("api.html", here="api", doors=_doors(app), commands=_commands())


def command_schema() -> dict[str, Any]:
    """Return the JSON schema of what ``POST .../commands`` takes: one alternative for each command people may send.

    ``bidder`` and ``signer`` may be left out: they are the login's.
    """
    return {"oneOf": [_schema(name) for name in sorted(BY_PEOPLE)]}


def _schema(name: str) -> dict[str, Any]:
    kind = getattr(commands, name)
    hints = typing.get_type_hints(kind)
    fields = [field for field in dataclasses.fields(kind) if field.name != "proof"]  # the hall's to find
    members = {field.name: _KINDS.get(hints[field.name], {"type": "string"}) for field in fields}
    required = [
        field.name
        for field in fields
        if field.default is dataclasses.MISSING and field.name not in ("bidder", "signer")
    ]
    return {
        "type": "object",
        "description": (inspect.getdoc(kind) or "").split("\n")[0],
        "properties": {"command": {"const": name}, **members},
        "required": ["command", *required],
        "additionalProperties": False,
    }


def _commands() -> list[dict[str, Any]]:
    return [
        {
            "name": schema["properties"]["command"]["const"],
            "about": schema["description"],
            "members": [
                {"name": member, "type": form.get("format", form["type"]), "required": member in schema["required"]}
                for member, form in schema["properties"].items()
                if member != "command"
            ],
        }
        for schema in command_schema()["oneOf"]
    ]


def _doors(app: FastAPI) -> list[dict[str, str]]:
    return [
        {
            "method": method.upper(),
            "path": path,
            "summary": operation.get("summary", ""),
            "about": operation.get("description", ""),
        }
        for path, operations in app.openapi()["paths"].items()
        for method, operation in operations.items()
    ]
