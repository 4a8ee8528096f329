"""What all tests share: the real library and real sandboxes, one of each kind for a run."""

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
    """Fails, rather than skips, where there is nothing to test."""
    for variable, what in NEEDED.items():
        value = os.environ.get(variable)
        if not value:
            raise pytest.UsageError(f"set {variable} to the path of {what}")
        path = Path(value).resolve()
        if not path.is_file():
            raise pytest.UsageError(f"{variable} names {value}, which is no file")
        # Tests start programs in other folders.
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
    """A sandbox over HTTP, as new."""
    http_sandbox.reset()
    return http_sandbox


@pytest.fixture
def secure(https_sandbox: Sandbox) -> Sandbox:
    """A sandbox over HTTPS, as new."""
    https_sandbox.reset()
    return https_sandbox


@pytest.fixture(params=["plain", "secure"])
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    """A sandbox as new: the test runs over HTTP and over HTTPS."""
    found: Sandbox = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[Client]:
    with sandbox.client() as client:
        yield client
