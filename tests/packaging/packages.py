"""What the tests of packaging share: running commands, and the environment of a sandbox."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Dict, Mapping, Optional, Sequence, Union

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
"""What cargo and the machine's own linker made."""
RELEASED = Path(os.environ["BW_RELEASE_DIR"])
"""What is shipped, as it was linked by Zig."""
DIST = Path(os.environ["BW_DIST"])
RELEASE_PYTHON = Path(os.environ["BW_RELEASE_PYTHON"])
EXAMPLES = ROOT / "bindings" / "c" / "examples"
CC = os.environ.get("CC", "cc")
CXX = os.environ.get("CXX", "c++")
# pkg-config, CMake and the loader look where these say; a developer's must not help a test.
MISLEADING = ("LD_LIBRARY_PATH", "PKG_CONFIG_PATH", "CMAKE_PREFIX_PATH", "BW_WEBRTC_LIBRARY")

# The system's own programs alone: Debian's tools are confused by others of the same names.
CLEAN_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"

Word = Union[str, Path]


def run(
    *command: Word,
    env: Optional[Mapping[str, str]] = None,
    cwd: Optional[Path] = None,
    code: int = 0,
) -> str:
    """Runs a command that must end with ``code``, and gives all that it printed."""
    ended = subprocess.run(
        [str(word) for word in command],
        env={**clean_environment(), **(env or {})},
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=900,
        check=False,
    )
    shown = " ".join(str(word) for word in command)
    assert ended.returncode == code, f"{shown} ended with {ended.returncode}:\n{ended.stdout}"
    return ended.stdout


def clean_environment() -> Dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in MISLEADING}


def make(*arguments: Word) -> str:
    """Runs make, over what is built already; what the make around was given is not for it."""
    passed = ("MAKEFLAGS", "MAKEOVERRIDES", "MFLAGS", "MAKELEVEL", "PREFIX", "DESTDIR")
    return run("env", *(f"-u{name}" for name in passed), "make", "-C", ROOT, *arguments)


def credentials(sandbox: Sandbox) -> Dict[str, str]:
    """The variables by which the examples find a sandbox."""
    found = sandbox.environment()
    if sandbox.ca_file:
        found["BW_CA_FILE"] = sandbox.ca_file
    return found


def creates_a_participant(program: Sequence[Word], sandbox: Sandbox, **more: str) -> None:
    """Runs an example, whose participant must be at the sandbox then."""
    sandbox.reset()
    printed = run(*program, env={**credentials(sandbox), **more})
    (request,) = [seen for seen in sandbox.requests() if seen["operation"] == "createParticipant"]
    assert request["status"] == 200, printed
    assert "participant" in printed
