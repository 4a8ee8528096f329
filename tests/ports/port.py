"""A target of ``make dist-all``: its unpacked archives, and how to run its programs here.

Programs for another processor run in QEMU's user mode, with the userland of their system. Programs
for musl run with the loader of Alpine Linux, and also in its root.
"""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import sys
from pathlib import Path
from typing import Dict, List, Optional

import pytest

from bw_webrtc import __version__
from packages import DIST, RELEASE_PYTHON, ROOT, Word, archive_name, run

BUILD = Path(os.environ["BW_PORTS"])
"""The folder with the userlands. It is kept from run to run."""
VERSION = "3.11"
"""The version of Python in Debian's userland."""


class Port:
    """A target. ``folder`` is emptied, and contains the unpacked archives and the programs."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.machine = target.split("-")[0]
        self.is_musl = target.endswith("-musl")
        self.is_foreign = self.machine != platform.machine()
        userland = BUILD / target
        run(ROOT / "tests" / "ports" / "userland", target, userland)
        self.root = userland / "root"
        # In the root of Alpine Linux, so that its programs see the files.
        self.folder = self.root / "port"
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        run("tar", "-xzf", DIST / f"{archive_name(target)}.tar.gz", "-C", self.folder)
        self.unpacked = self.folder / archive_name(target)
        self.library = self.unpacked / "lib" / "libbw_webrtc.so.0"
        self.site = self.folder / "site"
        self.sandbox = self.script("bw-sandbox", self.unpacked / "bin" / "bw-sandbox")

    def emulator(self) -> List[str]:
        """The command that runs a program for the target's processor."""
        return [f"qemu-{self.machine}-static", "-L", str(self.root)] if self.is_foreign else []

    def command(self, program: Path) -> List[str]:
        """The command that runs a program of the target."""
        if self.is_musl and not self.is_foreign:
            return [str(self.root / "lib" / f"ld-musl-{self.machine}.so.1"), str(program)]
        return [*self.emulator(), str(program)]

    def script(self, name: str, program: Path, *more: str) -> Path:
        """A script that runs a program of the target, for programs that start it by its path."""
        file = self.folder / "scripts" / name
        file.parent.mkdir(exist_ok=True)
        words = self.command(program)
        if self.is_foreign:
            words[1:1] = ["-0", str(file)]
        file.write_text(f'#!/bin/sh\nexec {shlex.join([*words, *more])} "$@"\n')
        file.chmod(0o755)
        return file

    def in_root(self, program: Path, *arguments: str) -> str:
        """Runs a program of ``folder`` in the root of Alpine Linux."""
        if os.geteuid() != 0:
            missing = "Alpine's root needs root: sudo make test-ports"
            if os.environ.get("CI"):
                pytest.fail(missing)
            pytest.skip(missing)
        words: List[Word] = ["chroot", self.root]
        if self.is_foreign:
            qemu = shutil.which(f"qemu-{self.machine}-static")
            assert qemu is not None
            shutil.copy(qemu, self.folder)
            words.append(Path("/port") / Path(qemu).name)
        return run(*words, Path("/") / program.relative_to(self.root), *arguments)

    def compile(self, source: Path, *, static: bool = False) -> Path:
        """Compiles a C program of the tests for the target, with the shipped library.

        With ``static``, it contains the library, and, for musl, also the C library.
        """
        program = self.folder / (source.stem + ("-static" if static else ""))
        libraries = self.unpacked / "lib"
        link: List[Word]
        if static:
            link = [libraries / "libbw_webrtc.a", "-lunwind"]
        else:
            # The second path is that in the root of Alpine Linux.
            paths = [libraries, Path("/") / libraries.relative_to(self.root)]
            link = [f"-L{libraries}", "-Wl,--as-needed", "-lbw_webrtc"]
            link += [f"-Wl,-rpath,{path}" for path in paths]
        if self.is_musl:
            link.append("-static" if static else "-dynamic")
        system = "linux-musl" if self.is_musl else "linux-gnu.2.17"
        run(
            *(RELEASE_PYTHON, "-m", "ziglang", "cc", "-target", f"{self.machine}-{system}"),
            # By default, Zig adds 256 KiB of thread-local data for its sanitizer to each program,
            # and a stack size of 16 MiB, of which musl takes 8 MiB for each thread.
            *("-fno-sanitize=undefined", "-Wl,-z,stack-size=0"),
            *("-std=gnu99", "-g", "-Wall", "-Wextra", "-Werror", f"-I{self.unpacked}/include"),
            *(f"-I{ROOT}/bindings/c", f"-I{ROOT}/tests/c", source, "-o", program, *link),
            *("-lpthread", "-ldl", "-lm"),
        )
        return program

    def install_python(self) -> Optional[Path]:
        """Installs the wheel, and returns a script that runs Python, or None without Python."""
        interpreter = self.root / "usr" / "bin" / f"python{VERSION}"
        packages = ["pytest"]
        if not self.is_foreign and not self.is_musl:
            interpreter, packages = Path(sys.executable), []
        self.pip_install(*packages)
        return self.script("python3", interpreter) if interpreter.exists() else None

    def pip_install(self, *packages: str) -> None:
        """Installs the wheel for the target, and packages from PyPI."""
        libc = "musllinux_1_2" if self.is_musl else "manylinux_2_17"
        requirements = ROOT / "bindings" / "python" / "requirements-dev.txt"
        install = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
        options = (
            *("--target", self.site, "--only-binary=:all:", "--python-version", VERSION),
            *("--platform", f"{libc}_{self.machine}", "--implementation", "cp"),
        )
        # pip accepts the wheel only if its tag matches the platform.
        run(*install, *options, "--no-index", "--find-links", DIST, f"bw-webrtc=={__version__}")
        if packages:
            run(*install, *options, "--constraint", requirements, *packages)

    def environment(self) -> Dict[str, str]:
        """The environment of the Python tests."""
        return {
            "BW_WEBRTC_LIBRARY": str(self.library),
            "BW_SANDBOX": str(self.sandbox),
            "PYTHONPATH": f"{ROOT}/bindings/python/src:{self.site}",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
