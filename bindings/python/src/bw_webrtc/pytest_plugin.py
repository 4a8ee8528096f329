"""Fixtures for pytest, for tests of your program with a local simulator of the service.

In your ``conftest.py``::

    pytest_plugins = ["bw_webrtc.pytest_plugin"]

``bw_sandbox`` is a ``bw_webrtc.testing.Sandbox``: one process for each run, reset for each test.
``bw_client`` is a ``Client`` of it, with API credentials, which is closed after the test.

The package itself does not import this module, and does not need pytest.
"""

from __future__ import annotations

from typing import Iterator

import pytest

from .client import Client
from .testing import Sandbox

# The style of the docstrings, for pdoc.
__docformat__ = "google"


@pytest.fixture(scope="session")
def bw_sandbox_process() -> Iterator[Sandbox]:
    """The sandbox of this run. Tests use ``bw_sandbox`` instead."""
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def bw_sandbox(bw_sandbox_process: Sandbox) -> Sandbox:
    """A sandbox in its initial state."""
    bw_sandbox_process.reset()
    return bw_sandbox_process


@pytest.fixture
def bw_client(bw_sandbox: Sandbox) -> Iterator[Client]:
    """A client of ``bw_sandbox``."""
    with bw_sandbox.client() as client:
        yield client
