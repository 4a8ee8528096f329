"""Paths of the project, the build and the system."""

import platform
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BENCHES = ROOT / "benches"
BUILD = ROOT / "build" / "bench"
TARGET = Path(
    subprocess.run(
        [ROOT / "scripts" / "target-dir"], check=True, stdout=subprocess.PIPE, encoding="utf-8"
    ).stdout.strip()
)
"""The directory that cargo builds into."""
RELEASE = TARGET / "release"
LIBRARY = RELEASE / "libbw_webrtc.so"
SHIPPED = TARGET / f"{platform.machine()}-unknown-linux-gnu" / "release" / LIBRARY.name
"""The library of `make release`, linked for old systems."""
SYSTEM_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
"""libcurl's default authorities on Debian."""
