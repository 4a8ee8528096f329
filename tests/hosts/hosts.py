"""Helpers of the tests in media servers: C programs, and the configuration for a sandbox."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from bw_webrtc.testing import Sandbox

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 30.0
"""The timeout of every wait, in seconds."""


def need(program: str, package: str) -> None:
    """Fails if a program is not installed."""
    assert shutil.which(program), f"{program} is needed (Debian: apt-get install {package})"


def library() -> Path:
    """The path of the library. A link with its SONAME is created next to it."""
    path = Path(os.environ["BW_WEBRTC_LIBRARY"]).resolve()
    link = path.with_name("libbw_webrtc.so.0")
    if not link.exists():
        link.symlink_to(path.name)
    return path


def compile_c(source: Path, folder: Path, packages: str, *flags: str) -> Path:
    """Compiles a C source to a program, or to a library if ``-shared`` is among the flags."""
    product = folder / (source.stem + (".so" if "-shared" in flags else ""))
    more = ""
    if packages:
        need("pkg-config", "pkg-config")
        found = subprocess.run(
            ["pkg-config", "--cflags", "--libs", *packages.split()],
            capture_output=True,
            text=True,
            check=False,
        )
        assert found.returncode == 0, found.stderr
        more = found.stdout
    command = [
        *(os.environ.get("CC", "cc"), "-std=gnu99", "-g", "-Wall", "-Wextra", "-Werror"),
        *(f"-I{ROOT / 'include'}", f"-I{ROOT / 'bindings' / 'c'}", str(source), "-o", str(product)),
        *flags,
        *more.split(),
        *(f"-L{library().parent}", "-lbw_webrtc", f"-Wl,-rpath,{library().parent}", "-pthread"),
    ]
    subprocess.run(command, check=True)
    return product


def config(sandbox: Sandbox, **more: Any) -> str:
    """A client's configuration for this sandbox, as JSON."""
    document = {
        "accountId": sandbox.account_id,
        "clientId": sandbox.client_id,
        "clientSecret": sandbox.client_secret,
        "baseUrl": sandbox.url,
        "tokenUrl": sandbox.token_url,
        **({"caFile": sandbox.ca_file} if sandbox.ca_file else {}),
        **more,
    }
    return json.dumps(document)


def environment(sandbox: Sandbox) -> dict[str, str]:
    """The environment of the examples."""
    return {
        **os.environ,
        **sandbox.environment(),
        **({"BW_CA_FILE": sandbox.ca_file} if sandbox.ca_file else {}),
    }
