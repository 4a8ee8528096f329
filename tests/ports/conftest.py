"""The fixtures of all tests: a target, its sandbox, and a client's configuration."""

from __future__ import annotations

import shutil
from typing import Iterator

import pytest

from bw_webrtc.testing import Sandbox
from packages import TARGETS
from port import Port


@pytest.fixture(scope="module", params=TARGETS)
def port(request: pytest.FixtureRequest) -> Iterator[Port]:
    found = Port(request.param)
    yield found
    shutil.rmtree(found.folder)


@pytest.fixture(scope="module")
def sandbox(port: Port) -> Iterator[Sandbox]:
    """The target's own bw-sandbox."""
    arguments = ["--endpoint-bxml"]
    with Sandbox(tls=True, program=str(port.sandbox), arguments=arguments) as sandbox:
        assert sandbox.ca_file is not None
        shutil.copy(sandbox.ca_file, port.folder / "ca.pem")
        yield sandbox
