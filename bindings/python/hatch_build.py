"""Builds the shared library into the wheel, when the wheel is built.

What is done hangs on the environment variable BW_WEBRTC_BUILD:

- not set: Rust builds it, linked by Zig so that it runs with glibc 2.17 and later (cargo-zigbuild
  and Zig come from PyPI for the time of the build; cargo must be there);
- ``native``: Rust builds it with the machine's own linker; the wheel is for this glibc and
  later;
- a path: that library is taken.

The wheel's tag tells what the library in it really asks for.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

VARIABLE = "BW_WEBRTC_BUILD"
NAME = "libbw_webrtc.so.0"
# The licences of what is linked into it.
NOTICES = "THIRD-PARTY-NOTICES"
OLDEST_GLIBC = 17  # 2.17
ZIG = ["cargo-zigbuild==0.24.1", "ziglang==0.17.1"]


class LibraryHook(BuildHookInterface[Any]):
    """Puts the library beside the modules."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> List[str]:
        """What the build needs from PyPI, beside hatchling."""
        return [] if os.environ.get(VARIABLE) else ZIG

    def initialize(self, version: str, build_data: Dict[str, Any]) -> None:
        """Builds the library, and tells hatchling where it is and what the wheel is for."""
        if version == "editable":
            # Its modules are used where they are: name a library with BW_WEBRTC_LIBRARY.
            return
        how = os.environ.get(VARIABLE, "")
        sources = rust_sources(Path(self.root))
        if how in ("", "native"):
            library = build(sources, with_zig=not how)
        else:
            library = Path(how).resolve()
            if not library.is_file():
                raise SystemExit(f"bw-webrtc: {VARIABLE} names {how}, which is no file")
        build_data["force_include"][str(library)] = f"bw_webrtc/{NAME}"
        build_data["force_include"][str(sources / NOTICES)] = f"bw_webrtc/{NOTICES}"
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{wheel_platform(library)}"


def rust_sources(root: Path) -> Path:
    """The crate: inside a source distribution, or around this folder in the repository."""
    for folder in (root / "rust", root.parents[1]):
        if (folder / "Cargo.lock").is_file() and (folder / "src" / "ffi").is_dir():
            return folder
    raise SystemExit(f"bw-webrtc: the library's sources are not beside {root}")


def build(sources: Path, *, with_zig: bool) -> Path:
    """Builds the library, and gives its path."""
    cargo = os.environ.get("CARGO", "cargo")
    if shutil.which(cargo) is None:
        raise SystemExit(
            "bw-webrtc: building it needs Rust (cargo was not found); install Rust 1.85 or later, "
            f"or set {VARIABLE} to the path of a built libbw_webrtc.so"
        )
    command = [cargo, "build"]
    target = ""
    env = dict(os.environ)
    if with_zig:
        target = f"{platform.machine()}-unknown-linux-gnu"
        # Not the word "zigbuild" to cargo: the program may be in no folder of PATH.
        program = shutil.which("cargo-zigbuild", path=scripts()) or "cargo-zigbuild"
        command = [program, "zigbuild", "--target", f"{target}.2.{OLDEST_GLIBC}"]
    # Named, because cargo's own configuration may name another directory.
    folder = Path(os.environ.get("CARGO_TARGET_DIR") or sources / "target").resolve()
    command += ["--release", "--locked", "--package", "bw-webrtc", "--target-dir", str(folder)]
    subprocess.run(command, cwd=sources, env=env, check=True)
    return folder / target / "release" / "libbw_webrtc.so"


def scripts() -> str:
    """Where programs of this Python's packages may be."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])


def wheel_platform(library: Path) -> str:
    """The platform's tag, by the newest glibc that the library asks for."""
    asked = re.findall(rb"\0GLIBC_2\.(\d+)(?=[.\0])", library.read_bytes())
    newest = max([OLDEST_GLIBC, *map(int, asked)])
    return f"manylinux_2_{newest}_{platform.machine()}"
