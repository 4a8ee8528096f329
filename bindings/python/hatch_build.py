"""Builds the shared library, and adds it to the wheel.

The environment variable BW_WEBRTC_BUILD selects how:

- not set: the library that ``cargo build --release`` built, if it is newer than its sources.
  Otherwise as ``zig``.
- ``zig``: Cargo builds the library and links it with Zig, so that it runs with glibc 2.17 and
  later, or musl 1.2. Cargo must be installed; cargo-zigbuild and Zig are installed from PyPI for
  the build.
- ``native``: Cargo builds it with the machine's own linker. The wheel requires this glibc or a
  later one.
- a path: this library is used.

The platform tag of the wheel states the processor and the C library that the file in it requires.
Both are read from the file, not from the machine that builds. ``pip install -v`` shows what the
build does.
"""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

VARIABLE = "BW_WEBRTC_BUILD"
NAME = "libbw_webrtc.so.0"
LIBRARY = "libbw_webrtc.so"
# The licenses of the dependencies that are linked into the library.
NOTICES = "THIRD-PARTY-NOTICES"
OLDEST_GLIBC = 17  # 2.17
MUSL = "1_2"
MACHINES = {62: "x86_64", 183: "aarch64"}
"""The processors, by e_machine of an ELF file."""
ZIG = ["cargo-zigbuild==0.24.1", "ziglang==0.17.1"]


class LibraryHook(BuildHookInterface[Any]):
    """The build hook of hatchling."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> List[str]:
        """The packages from PyPI that the build needs in addition to hatchling."""
        return ZIG if way(rust_sources(Path(self.root)), LIBRARY) == "zig" else []

    def initialize(self, version: str, build_data: Dict[str, Any]) -> None:
        """Builds the library, and adds it to the wheel."""
        if version == "editable":
            # The modules are used from the source tree; BW_WEBRTC_LIBRARY selects the library.
            return
        sources = rust_sources(Path(self.root))
        library = find_or_build(sources, LIBRARY, "bw-webrtc")
        build_data["force_include"][str(library)] = f"bw_webrtc/{NAME}"
        build_data["force_include"][str(sources / NOTICES)] = f"bw_webrtc/{NOTICES}"
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{wheel_platform(library)}"


def rust_sources(root: Path) -> Path:
    """The folder of the crate, in a source distribution or in the repository."""
    for folder in (root / "rust", root.parents[1]):
        if (folder / "Cargo.lock").is_file() and (folder / "src" / "ffi").is_dir():
            return folder
    raise SystemExit(f"bw-webrtc: the sources of the library are not found from {root}")


def report(text: str) -> None:
    """Reports a step. pip shows it with -v."""
    print(f"bw-webrtc: {text}", file=sys.stderr, flush=True)  # noqa: T201


def target_folder(sources: Path) -> Path:
    """The directory that cargo builds into, unless its configuration contains another one."""
    return Path(os.environ.get("CARGO_TARGET_DIR") or sources / "target").resolve()


def way(sources: Path, file: str) -> str:
    """How to get a file: a path, ``native`` or ``zig``."""
    how = os.environ.get(VARIABLE, "")
    built = target_folder(sources) / "release" / file
    if how or not built.is_file():
        return how or "zig"
    inputs = [sources / name for name in ("Cargo.toml", "Cargo.lock", "build.rs")]
    inputs += (sources / ("sandbox" if file == "bw-sandbox" else "src")).rglob("*")
    newest = max(path.stat().st_mtime for path in inputs if path.is_file())
    return str(built) if built.stat().st_mtime >= newest else "zig"


def find_or_build(sources: Path, file: str, package: str) -> Path:
    """Returns the path of a file that cargo builds."""
    how = way(sources, file)
    if how in ("zig", "native"):
        what = "for glibc 2.17 or musl 1.2 and later" if how == "zig" else "for this system"
        report(f"cargo builds {file} and links it {what}; this takes minutes")
        return build(sources, file, package, with_zig=how == "zig")
    found = Path(how).resolve()
    if not found.is_file():
        raise SystemExit(f"bw-webrtc: {VARIABLE} is {how}, which is not a file")
    report(f"uses {found}, which is already built")
    return found


def build(sources: Path, file: str, package: str, *, with_zig: bool) -> Path:
    """Builds a file of a package of the workspace, and returns its path."""
    cargo = os.environ.get("CARGO", "cargo")
    if shutil.which(cargo) is None:
        raise SystemExit(
            "bw-webrtc: the build requires Rust (cargo was not found); install Rust 1.85 or later, "
            f"or set {VARIABLE} to the path of a built libbw_webrtc.so"
        )
    command = [cargo, "build"]
    target = ""
    env = dict(os.environ)
    if with_zig:
        # For the C library of the Python that loads it.
        machine, libc = machine_and_libc(Path(sys.executable))
        target = f"{machine}-unknown-linux-{'musl' if libc == 'musl' else 'gnu'}"
        # Called directly: for `cargo zigbuild`, the program would have to be on PATH.
        program = shutil.which("cargo-zigbuild", path=scripts()) or "cargo-zigbuild"
        oldest = "" if libc == "musl" else f".2.{OLDEST_GLIBC}"
        command = [program, "zigbuild", "--target", f"{target}{oldest}"]
        if libc == "musl":
            # By default, rustc and Zig link programs for musl statically, and rustc supports no
            # shared libraries.
            add_flags(env, ["-Ctarget-feature=-crt-static", "-Clink-arg=-dynamic"])
    # Passed to cargo, because its configuration may contain another directory.
    folder = target_folder(sources)
    command += ["--release", "--locked", "--package", package, "--target-dir", str(folder)]
    subprocess.run(command, cwd=sources, env=env, check=True)
    return folder / target / "release" / file


def add_flags(env: Dict[str, str], flags: List[str]) -> None:
    """Adds flags of rustc to those in an environment, where cargo reads them."""
    encoded, plain = "CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS"
    # Cargo reads only the first of them that is set.
    name, separator = (encoded, "\x1f") if encoded in env else (plain, " ")
    env[name] = separator.join([*filter(None, [env.get(name)]), *flags])


def scripts() -> str:
    """The search path, with the scripts of this Python first."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])


def wheel_platform(library: Path) -> str:
    """The platform tag for the processor and the C library that a library or program requires."""
    machine, libc = machine_and_libc(library)
    if libc == "musl":
        return f"musllinux_{MUSL}_{machine}"
    required = re.findall(rb"\0GLIBC_2\.(\d+)(?=[.\0])", library.read_bytes())
    newest = max([OLDEST_GLIBC, *map(int, required)])
    return f"manylinux_2_{newest}_{machine}"


def machine_and_libc(file: Path) -> Tuple[str, str]:
    """The processor and the C library (``glibc`` or ``musl``) of a dynamically linked ELF file."""
    content = file.read_bytes()
    if content[:6] != b"\x7fELF\x02\x01":
        raise SystemExit(f"bw-webrtc: {file} is not a 64-bit little-endian ELF file")
    try:
        (number,) = struct.unpack_from("<H", content, 18)
        libraries = list(needed_libraries(content))
    except (struct.error, OverflowError, ValueError) as error:
        raise SystemExit(f"bw-webrtc: {file} is damaged: {error}") from None
    if number not in MACHINES:
        raise SystemExit(f"bw-webrtc: {file} is for processor {number} of ELF, which has no wheel")
    if "libc.so.6" in libraries:
        return MACHINES[number], "glibc"
    # The name of musl's library at Zig's and at Alpine's linker.
    if any(name == "libc.so" or name.startswith("libc.musl-") for name in libraries):
        return MACHINES[number], "musl"
    raise SystemExit(f"bw-webrtc: {file} requires neither glibc nor musl, but {libraries}")


def needed_libraries(content: bytes) -> Iterator[str]:
    """The shared libraries that a 64-bit ELF file requires (DT_NEEDED)."""
    (table,) = struct.unpack_from("<Q", content, 32)
    size, count = struct.unpack_from("<HH", content, 54)
    # p_type, p_offset, p_vaddr, p_filesz
    segments = [
        struct.unpack_from("<I4xQQ8xQ", content, table + index * size) for index in range(count)
    ]
    entries = [
        struct.unpack_from("<qQ", content, position)
        for kind, offset, _, length in segments
        if kind == 2  # PT_DYNAMIC
        for position in range(offset, offset + length, 16)
    ]
    names = dict(entries).get(5)  # DT_STRTAB, an address
    for kind, offset, address, length in segments:
        if kind == 1 and names is not None and address <= names < address + length:  # PT_LOAD
            strings = offset + names - address
            for tag, value in entries:
                if tag == 1:  # DT_NEEDED
                    start = strings + value
                    yield content[start : content.index(b"\0", start)].decode()
