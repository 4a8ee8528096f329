"""The program bw-sandbox, a local simulator of Bandwidth's WebRTC services, for tests.

``bw_webrtc.testing.Sandbox`` uses it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn

__all__ = ["main", "path"]


def path() -> str:
    """Returns the path of the program."""
    return str(Path(__file__).resolve().parent / "bw-sandbox")


def main() -> NoReturn:
    """Replaces this process with the program, with the same arguments."""
    os.execv(path(), ["bw-sandbox", *sys.argv[1:]])
