"""Programs with an event loop (poll, GLib, GStreamer, LuaJIT), which the library must not block."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bw_webrtc.testing import Sandbox
from hosts import LIMIT, ROOT, compile_c, environment, library, need

HERE = Path(__file__).resolve().parent
SLOW = 300
"""Milliseconds that every call takes. A loop that waited for a call would block for this time."""


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        sandbox.fault("createParticipant", "delay", ms=SLOW, count=None)
        yield sandbox


def run(command: list[str], sandbox: Sandbox) -> str:
    variables = {**environment(sandbox), "BW_WEBRTC_LIBRARY": str(library())}
    ended = subprocess.run(
        command, env=variables, capture_output=True, text=True, timeout=LIMIT, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stdout + ended.stderr
    return ended.stdout


def test_poll(sandbox: Sandbox, tmp_path: Path) -> None:
    source = ROOT / "bindings" / "c" / "examples" / "poll_loop.c"
    lines = run([str(compile_c(source, tmp_path, ""))], sandbox).splitlines()
    assert lines.pop() == "the loop continued meanwhile"
    assert sorted(line.split(": ")[0] for line in lines) == ["alice", "bob", "carol", "dave", "eve"]
    assert all(re.fullmatch(r"\w+: [0-9a-f-]{36}", line) for line in lines)


def test_glib(sandbox: Sandbox, tmp_path: Path) -> None:
    program = compile_c(HERE / "glib" / "participants.c", tmp_path, "glib-2.0")
    lines = run([str(program), "40"], sandbox).splitlines()
    gap = re.fullmatch(r"longest gap (\d+) ms", lines.pop())
    assert gap
    assert int(gap[1]) < SLOW, "the loop waited for the service"
    assert sorted(lines) == sorted(f"caller {n} is created" for n in range(40))


def test_gstreamer(sandbox: Sandbox, tmp_path: Path) -> None:
    program = compile_c(HERE / "gstreamer" / "participants.c", tmp_path, "gstreamer-1.0")
    output = run([str(program), "24"], sandbox)
    match = re.fullmatch(r"(\d+) buffers, (\d+) participants, longest gap (\d+) ms\n", output)
    assert match, output
    buffers, participants, gap = map(int, match.groups())
    assert (buffers, participants) == (150, 24)
    # A buffer is due every 10 ms. A delay as long as a call would be audible.
    assert gap < SLOW / 2, f"the pipeline was blocked for {gap} ms"


def test_luajit(sandbox: Sandbox) -> None:
    need("luajit", "luajit")
    output = run(["luajit", str(HERE / "luajit" / "participants.lua")], sandbox)
    assert output == ("waited for\n10 callers, each with its own; the loop ticked on meanwhile\n")
    wrong = {
        **environment(sandbox),
        "BW_CLIENT_SECRET": "wrong",
        "BW_WEBRTC_LIBRARY": str(library()),
    }
    ended = subprocess.run(
        ["luajit", str(HERE / "luajit" / "participants.lua")],
        env=wrong,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert ended.returncode == 1
    assert "BW_E_UNAUTHORIZED" in ended.stderr
    assert "check clientId and clientSecret" in ended.stderr
