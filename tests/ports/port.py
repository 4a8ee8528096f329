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
from typing import Dict, List, Mapping, Optional, Sequence

import pytest

from bw_webrtc import __version__
from packages import DIST, RELEASE_PYTHON, ROOT, Word, archive_name, run

BUILD = Path(os.environ["BW_PORTS"])
"""The folder with the userlands. It is kept from run to run."""
VERSION = "3.11"
"""The version of Python in the userlands."""


class Port:
    """A target. ``folder`` is emptied, and contains the unpacked archives and the programs."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.machine = target.split("-")[0]
        self.is_musl = target.endswith("-musl")
        self.is_foreign = self.machine != platform.machine()
        userland = BUILD / target
        tools = {"RELEASE_PYTHON": str(RELEASE_PYTHON)}
        run(ROOT / "tests" / "ports" / "userland", target, userland, env=tools)
        self.root = userland / "root"
        # In the root of Alpine Linux, so that its programs see the files.
        self.folder = self.root / "port"
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        run("tar", "-xzf", DIST / f"{archive_name(target)}.tar.gz", "-C", self.folder)
        self.unpacked = self.folder / archive_name(target)
        self.library = self.unpacked / "lib" / "libbw_webrtc.so.0"
        self.site = self.folder / "site"
        self.sandbox = self.script("bw-sandbox", self.command(self.unpacked / "bin" / "bw-sandbox"))

    def emulator(self) -> List[str]:
        """The command that runs a program for the target's processor."""
        return [f"qemu-{self.machine}-static", "-L", str(self.root)] if self.is_foreign else []

    def loader(self) -> Path:
        """The loader of musl."""
        return self.root / "lib" / f"ld-musl-{self.machine}.so.1"

    def command(self, program: Path) -> List[str]:
        """The command that runs a program of the target."""
        if self.is_musl and not self.is_foreign:
            return [str(self.loader()), str(program)]
        return [*self.emulator(), str(program)]

    def script(self, name: str, command: Sequence[Word]) -> Path:
        """A script that runs a command, for programs that start it by its path."""
        file = self.folder / "scripts" / name
        file.parent.mkdir(exist_ok=True)
        words = shlex.join(str(word) for word in command)
        file.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        file.chmod(0o755)
        return file

    def python(self) -> Path:
        """A script that runs Python on the target's system."""
        if not self.is_foreign and not self.is_musl:
            return Path(sys.executable)
        # Python finds itself by the name with which it was started.
        name = str(self.folder / "scripts" / "python3")
        if not self.is_musl:
            program = self.root / "usr" / "bin" / f"python{VERSION}"
            emulator, *options = self.emulator()
            return self.script("python3", [emulator, "-0", name, *options, program])
        return self.script("python3", [*self.emulator(), *self.musl_python(self.root, name)])

    def musl_python(self, root: Path, name: str) -> List[Word]:
        """The command that runs Python with musl, where Alpine's root is ``root``."""
        lib = root / "usr" / "lib" / f"python{VERSION}"
        options: List[Word] = ["--preload", lib / "main.so", "--argv0", name]
        loader = root / self.loader().relative_to(self.root)
        return [loader, *options, lib / f"python{VERSION}"]

    def in_root(self, *command: Word, env: Optional[Mapping[str, str]] = None) -> str:
        """Runs a command in the root of Alpine Linux, in which ``folder`` is ``/port``."""
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
        return run(*words, *command, env=env)

    def path_in_root(self, file: Path) -> Path:
        """The path of a file of ``folder`` for programs in the root of Alpine Linux."""
        return Path("/") / file.relative_to(self.root)

    def compiler(self) -> List[str]:
        """The command of the C compiler for the target."""
        system = "linux-musl" if self.is_musl else "linux-gnu.2.17"
        return [
            *(str(RELEASE_PYTHON), "-m", "ziglang", "cc", "-target", f"{self.machine}-{system}"),
            # By default, Zig adds 256 KiB of thread-local data for its sanitizer to each program,
            # and a stack size of 16 MiB, of which musl takes 8 MiB for each thread.
            *("-fno-sanitize=undefined", "-Wl,-z,stack-size=0"),
        ]

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
            paths = [libraries, self.path_in_root(libraries)]
            link = [f"-L{libraries}", "-Wl,--as-needed", "-lbw_webrtc"]
            link += [f"-Wl,-rpath,{path}" for path in paths]
        if self.is_musl:
            link.append("-static" if static else "-dynamic")
        run(
            *self.compiler(),
            *("-std=gnu99", "-g", "-Wall", "-Wextra", "-Werror", f"-I{self.unpacked}/include"),
            *(f"-I{ROOT}/bindings/c", f"-I{ROOT}/tests/c", source, "-o", program, *link),
            *("-lpthread", "-ldl", "-lm"),
        )
        return program

    def install_python(self) -> Path:
        """Installs the wheel, and returns a script that runs Python."""
        packages = ["pytest", "prometheus_client", "uvloop"]
        if not self.is_musl:
            packages.append("gevent")
        self.pip_install(*(packages if self.is_foreign or self.is_musl else ()))
        return self.python()

    def pip_install(self, *packages: str) -> None:
        """Installs the wheel for the target, and packages from PyPI."""
        oldest, others = (
            ("musllinux_1_2", "musllinux_1_1")
            if self.is_musl
            else ("manylinux_2_17", "manylinux_2_28")
        )
        requirements = ROOT / "bindings" / "python" / "requirements-dev.txt"
        install = (
            *(sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"),
            *("--target", self.site, "--only-binary=:all:", "--python-version", VERSION),
            *("--platform", f"{oldest}_{self.machine}", "--implementation", "cp"),
        )
        # pip accepts the wheel only if its tag matches the platform.
        run(*install, "--no-index", "--find-links", DIST, f"bw-webrtc=={__version__}")
        if packages:
            more = ("--platform", f"{others}_{self.machine}", "--constraint", requirements)
            run(*install, *more, *packages)

    def environment(self) -> Dict[str, str]:
        """The environment of the Python tests."""
        return {
            "BW_WEBRTC_LIBRARY": str(self.library),
            "BW_SANDBOX": str(self.sandbox),
            "PYTHONPATH": f"{ROOT}/bindings/python/src:{self.site}",
            "CC": shlex.join(self.compiler()),
            # In QEMU, Python takes seconds to compile its modules: only once.
            "PYTHONDONTWRITEBYTECODE": "",
            "PYTHONPYCACHEPREFIX": str(self.folder / "compiled"),
        }
