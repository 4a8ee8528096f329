"""Builds bw-sandbox, and adds it to the wheel. See bindings/python/hatch_build.py."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any, Dict, List

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PROGRAM = "bw-sandbox"
VARIABLE = "BW_WEBRTC_SANDBOX_BUILD"


def load_shared(root: Path) -> ModuleType:
    """The module that builds the library's wheel."""
    spec = importlib.util.spec_from_file_location(
        "bw_webrtc_build", root.parent / "python" / "hatch_build.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.VARIABLE = VARIABLE  # type: ignore[attr-defined]
    return module


class ProgramHook(BuildHookInterface[Any]):
    """The build hook of hatchling."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> List[str]:
        """The packages from PyPI that the build needs in addition to hatchling."""
        shared = load_shared(Path(self.root))
        needed: List[str] = shared.ZIG
        sources = shared.rust_sources(Path(self.root))
        return needed if shared.way(sources, PROGRAM) == "zig" else []

    def initialize(self, version: str, build_data: Dict[str, Any]) -> None:
        """Builds the program, and adds it to the wheel."""
        if version == "editable":
            return
        shared = load_shared(Path(self.root))
        sources = shared.rust_sources(Path(self.root))
        program = shared.find_or_build(sources, PROGRAM, PROGRAM)
        include = build_data["force_include"]
        include[str(program)] = f"bw_webrtc_sandbox/{PROGRAM}"
        for notices in (shared.NOTICES, "LICENSE-MIT", "LICENSE-APACHE"):
            include[str(sources / notices)] = f"bw_webrtc_sandbox/{notices}"
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{shared.wheel_platform(program)}"
