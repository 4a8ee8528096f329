"""Where things lie."""

import platform
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BENCHES = ROOT / "benches"
BUILD = ROOT / "build" / "bench"
RELEASE = ROOT / "target" / "release"
LIBRARY = RELEASE / "libbw_webrtc.so"
SHIPPED = ROOT / "target" / f"{platform.machine()}-unknown-linux-gnu" / "release" / LIBRARY.name
"""What `make release` makes, linked for old machines."""
SYSTEM_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
"""What libcurl takes on Debian unless it is told otherwise."""
