"""A prefix with the installed library, and a sandbox from there."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

import pytest

from bw_webrtc.testing import Sandbox
from packages import RELEASE, make


@pytest.fixture(scope="session")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A temporary folder into which ``make install`` installed the library."""
    folder = tmp_path_factory.mktemp("prefix")
    make("install", f"PREFIX={folder}", f"RELEASE_DIR={RELEASE}")
    return folder


@pytest.fixture(scope="session")
def sandbox(prefix: Path) -> Iterator[Sandbox]:
    """The installed bw-sandbox, over HTTPS."""
    with Sandbox(tls=True, program=str(prefix / "bin" / "bw-sandbox")) as sandbox:
        yield sandbox
