"""Fixtures: the real library, and one sandbox of each kind for a run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Iterator

import pytest

from bw_webrtc import Client
from bw_webrtc.testing import Sandbox

NEEDED = {
    "BW_WEBRTC_LIBRARY": "libbw_webrtc.so (cargo build)",
    "BW_SANDBOX": "bw-sandbox (cargo build -p bw-sandbox)",
}


def pytest_configure(config: pytest.Config) -> None:
    """Fails if a program is missing, instead of skipping tests."""
    for variable, what in NEEDED.items():
        value = os.environ.get(variable)
        if not value:
            raise pytest.UsageError(f"set {variable} to the path of {what}")
        path = Path(value).resolve()
        if not path.is_file():
            raise pytest.UsageError(f"{variable} is {value}, which is not a file")
        # Tests start programs in other directories.
        os.environ[variable] = str(path)


@pytest.fixture(scope="session")
def http_sandbox() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def https_sandbox() -> Iterator[Sandbox]:
    with Sandbox(tls=True) as sandbox:
        yield sandbox


@pytest.fixture
def plain(http_sandbox: Sandbox) -> Sandbox:
    """A sandbox over HTTP, in its initial state."""
    http_sandbox.reset()
    return http_sandbox


@pytest.fixture
def secure(https_sandbox: Sandbox) -> Sandbox:
    """A sandbox over HTTPS, in its initial state."""
    https_sandbox.reset()
    return https_sandbox


@pytest.fixture(params=["plain", "secure"])
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    """A sandbox in its initial state. The test runs over HTTP and over HTTPS."""
    found: Sandbox = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[Client]:
    with sandbox.client() as client:
        yield client
