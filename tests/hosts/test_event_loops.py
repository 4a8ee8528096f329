"""Event loops that people run: poll, GLib, GStreamer, LuaJIT. None waits for the service."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bw_webrtc.testing import Sandbox
from hosts import LIMIT, ROOT, compiled, environment, library, need

HERE = Path(__file__).resolve().parent
SLOW = 300
"""Milliseconds that every call takes. A loop that waited for one would stand still as long."""


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
    lines = run([str(compiled(source, tmp_path, ""))], sandbox).splitlines()
    assert lines.pop() == "the loop continued meanwhile"
    assert sorted(line.split(": ")[0] for line in lines) == ["alice", "bob", "carol", "dave", "eve"]
    assert all(re.fullmatch(r"\w+: [0-9a-f-]{36}", line) for line in lines)


def test_glib(sandbox: Sandbox, tmp_path: Path) -> None:
    program = compiled(HERE / "glib" / "participants.c", tmp_path, "glib-2.0")
    lines = run([str(program), "40"], sandbox).splitlines()
    gap = re.fullmatch(r"longest gap (\d+) ms", lines.pop())
    assert gap
    assert int(gap[1]) < SLOW, "the loop waited for the service"
    assert sorted(lines) == sorted(f"caller {n} is created" for n in range(40))


def test_gstreamer(sandbox: Sandbox, tmp_path: Path) -> None:
    program = compiled(HERE / "gstreamer" / "participants.c", tmp_path, "gstreamer-1.0")
    said = run([str(program), "24"], sandbox)
    told = re.fullmatch(r"(\d+) buffers, (\d+) participants, longest gap (\d+) ms\n", said)
    assert told, said
    buffers, participants, gap = map(int, told.groups())
    assert (buffers, participants) == (150, 24)
    # Buffers come every 10 ms; one that is late by a call's time is a gap to hear.
    assert gap < SLOW / 2, f"the pipeline stood still for {gap} ms"


def test_luajit(sandbox: Sandbox) -> None:
    need("luajit", "luajit")
    said = run(["luajit", str(HERE / "luajit" / "participants.lua")], sandbox)
    assert said == ("waited for\n10 callers, each with its own; the loop ticked on meanwhile\n")
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
