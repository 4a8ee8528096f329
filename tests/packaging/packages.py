"""Helpers of the packaging tests: running commands, and the environment of a sandbox."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path
from typing import Dict, Mapping, Optional, Sequence, Union

from bw_webrtc import __version__
from bw_webrtc.testing import Sandbox

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(
    subprocess.run(
        [str(ROOT / "scripts" / "target-dir")],
        check=True,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ).stdout.strip()
)
"""The directory that cargo builds into."""
RELEASE = TARGET / "release"
"""The release build with the machine's own linker."""
RELEASED = Path(os.environ["BW_RELEASE_DIR"])
"""The shipped release build, linked by Zig."""
DIST = Path(os.environ["BW_DIST"])
TARGETS = os.environ["BW_TARGETS"].split()
"""The targets whose archives are in DIST and are tested."""
RELEASE_PYTHON = Path(os.environ["BW_RELEASE_PYTHON"])
EXAMPLES = ROOT / "bindings" / "c" / "examples"
CC = os.environ.get("CC", "cc")
CXX = os.environ.get("CXX", "c++")
# A developer's search paths must not affect the tests.
SEARCH_PATHS = ("LD_LIBRARY_PATH", "PKG_CONFIG_PATH", "CMAKE_PREFIX_PATH", "BW_WEBRTC_LIBRARY")

# The system's own programs only: Debian's tools do not work with other programs of the same names.
CLEAN_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"

Word = Union[str, Path]


def run(
    *command: Word,
    env: Optional[Mapping[str, str]] = None,
    cwd: Optional[Path] = None,
    code: int = 0,
    limit: float = 900,
) -> str:
    """Runs a command that must exit with ``code`` within ``limit`` seconds; returns its output."""
    ended = subprocess.run(
        [str(word) for word in command],
        env={**clean_environment(), **(env or {})},
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=limit,
        check=False,
    )
    text = " ".join(str(word) for word in command)
    assert ended.returncode == code, f"{text} exited with {ended.returncode}:\n{ended.stdout}"
    return ended.stdout


def clean_environment() -> Dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in SEARCH_PATHS}


def archive_name(target: str) -> str:
    """The name of the archive with the binaries of a target, and of the folder in it."""
    machine, *_, libc = target.split("-")
    more = "" if libc == "gnu" else f"-{libc}"
    return f"libbw_webrtc-{__version__}-linux-{machine}{more}"


def tool(name: str, target: str) -> str:
    """A program of binutils for the object files of a target."""
    machine = target.split("-")[0]
    return name if machine == platform.machine() else f"{machine}-linux-gnu-{name}"


def assert_platform_tag(wheel: Path, tag: str) -> None:
    """Checks with auditwheel that the wheel is consistent with this tag."""
    output = " ".join(run(RELEASE_PYTHON, "-m", "auditwheel", "show", wheel).split())
    assert f'consistent with the following platform tag: "{tag}"' in output, output


def make(*arguments: Word) -> str:
    """Runs make with the existing build, without the variables of an outer make."""
    outer = ("MAKEFLAGS", "MAKEOVERRIDES", "MFLAGS", "MAKELEVEL", "PREFIX", "DESTDIR")
    return run("env", *(f"-u{name}" for name in outer), "make", "-C", ROOT, *arguments)


def credentials(sandbox: Sandbox) -> Dict[str, str]:
    """The environment variables that the examples read."""
    found = sandbox.environment()
    if sandbox.ca_file:
        found["BW_CA_FILE"] = sandbox.ca_file
    return found


def assert_creates_participant(program: Sequence[Word], sandbox: Sandbox, **more: str) -> None:
    """Runs an example, and checks that it created a participant in the sandbox."""
    sandbox.reset()
    printed = run(*program, env={**credentials(sandbox), **more})
    (request,) = [
        entry for entry in sandbox.requests() if entry["operation"] == "createParticipant"
    ]
    assert request["status"] == 200, printed
    assert "participant" in printed
