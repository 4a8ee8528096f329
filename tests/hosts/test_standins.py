"""Modules for servers that are not run here: compiled and run against stand-ins for them.

On threads with stacks as small as those servers give theirs.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bw_webrtc.testing import Sandbox
from hosts import LIMIT, compiled, environment

HERE = Path(__file__).resolve().parent


@pytest.mark.parametrize("host", ["asterisk", "freeswitch"])
def test_module(host: str, tmp_path: Path) -> None:
    # Functions of a stand-in that nobody calls are no fault.
    flags = (f"-I{HERE / host / 'standins'}", "-Wno-unused-function", "-Wno-unused-variable")
    program = compiled(HERE / host / "run.c", tmp_path, "", *flags)
    with Sandbox() as sandbox:
        sandbox.fault("createParticipant", "delay", ms=20, count=None)
        ended = subprocess.run(
            [str(program)],
            env=environment(sandbox),
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert ended.stdout.rstrip().endswith(" passed, 0 failed")
        created = {"asterisk": 15, "freeswitch": 30}
        assert len(sandbox.requests("createParticipant")) == created[host]
