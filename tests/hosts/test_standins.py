"""The modules for Asterisk and FreeSWITCH, compiled with replacements for the servers' headers.

The modules run on threads with stacks as small as in those servers.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bw_webrtc.testing import Sandbox
from hosts import LIMIT, compile_c, config

HERE = Path(__file__).resolve().parent


@pytest.mark.parametrize("host", ["asterisk", "freeswitch"])
def test_module(host: str, tmp_path: Path) -> None:
    # The replacement headers may contain functions that a module does not call.
    flags = (f"-I{HERE / host / 'standins'}", "-Wno-unused-function", "-Wno-unused-variable")
    program = compile_c(HERE / host / "run.c", tmp_path, "", *flags)
    with Sandbox() as sandbox:
        sandbox.fault("createParticipant", "delay", ms=20, count=None)
        settings = tmp_path / "bandwidth.json"
        settings.write_text(config(sandbox))
        settings.chmod(0o600)
        ended = subprocess.run(
            [str(program), str(tmp_path)],
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert ended.stdout.rstrip().endswith(" passed, 0 failed")
        created = {"asterisk": 15, "freeswitch": 30}
        assert len(sandbox.requests("createParticipant")) == created[host]
