"""Runs the C and C++ programs of this directory against bw-sandbox, and compares what they print.

Usage: check.py BUILD_DIR URL [WRAPPER ..]. BUILD_DIR contains the programs, URL is the base URL of
a sandbox with the default credentials. WRAPPER is a command that runs a program, such as valgrind;
then only the conferences are held. The last line of the output is "N passed, N failed".
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any, List, Optional, Tuple
from urllib.request import Request, urlopen

LISTS = """\
  agent publishes {agent}, hears everyone
  customer publishes {customer}, hears {heard}
  supervisor publishes {supervisor}, hears everyone
"""
METRICS = """\
bw_webrtc_calls_total{operation="createParticipant",status="BW_OK"} 3
bw_webrtc_calls_total{operation="deleteSession",status="BW_OK"} 1
"""


class Programs:
    """The programs, their settings file, and the sandbox."""

    def __init__(self, build: Path, url: str, wrapper: List[str], settings: Path) -> None:
        self._build, self._wrapper, self.settings = build, wrapper, settings
        self._host = url[: -len("/v1")]
        self.settings.touch(mode=0o600)
        self.settings.write_text(
            json.dumps(
                {
                    "accountId": "9900000",
                    "clientId": "client",
                    "clientSecret": "client-secret",
                    "baseUrl": url,
                    "tokenUrl": f"{self._host}/api/v1/oauth2/token",
                    "timeoutMs": 30000,
                }
            )
        )

    def run(self, *command: str) -> Tuple[int, str]:
        """Returns the exit status and the output of a program in a sandbox in its initial state."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith("BW_")}
        environment["BW_CONFIG_FILE"] = str(self.settings)
        done = subprocess.run(
            [*self._wrapper, str(self._build / command[0]), *command[1:]],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            timeout=120,
            check=False,
        )
        return done.returncode, done.stdout

    def control(self, method: str, path: str, body: Optional[Any] = None) -> Any:
        """Sends a request to a control route of the sandbox."""
        data = None if body is None else json.dumps(body).encode()
        with urlopen(Request(f"{self._host}/_sandbox{path}", data, method=method)) as response:
            text = response.read()
        return json.loads(text) if text else None

    def expect_empty(self) -> None:
        """Asserts that the program has deleted everything."""
        (account,) = self.control("GET", "/state")["accounts"]
        assert account["participants"] == account["sessions"] == [], account


def check_conference(programs: Programs, name: str, publishes: Tuple[str, str, str]) -> None:
    agent, customer, supervisor = publishes
    people = {"agent": agent, "customer": customer, "supervisor": supervisor}
    code, output = programs.run(name)
    assert code == 0, output
    requests = programs.control("GET", "/requests")
    created = [one["body"] for one in requests if one["operation"] == "createParticipant"]
    assert created[2] == {"tag": "supervisor", "publishPermissions": []}, created
    (session,) = [one["body"] for one in requests if one["operation"] == "createSession"]
    assert session == {"tag": 'the "weekly" review'}, session
    assert len(re.findall(r"has a token of [1-9]\d\d characters\n", output)) == 3, output
    assert LISTS.format(heard="everyone", **people) in output, output
    assert LISTS.format(heard="only 1", **people) in output, output
    assert "BW_E_NOT_FOUND (outcome rejected" in output, output
    assert all(line in output for line in METRICS.splitlines()), output
    assert "eyJ" not in output, "a token was printed"
    programs.expect_empty()


def check_busy(programs: Programs, name: str) -> None:
    programs.control(
        "POST",
        "/faults",
        {
            "operation": "createSession",
            "kind": "status",
            "status": 429,
            "headers": {"Retry-After": "60"},
        },
    )
    code, output = programs.run(name)
    assert code == 75, output
    assert re.search(r"BW_E_RATE_LIMITED.*\ntry again in 60 s\n", output), output


def check_settings(programs: Programs, name: str) -> None:
    programs.settings.chmod(0o666)
    try:
        code, output = programs.run(name)
    finally:
        programs.settings.chmod(0o600)
    assert code == 1, output
    assert re.match(r".*BW_E_CONFIG.*chmod .*bandwidth\.json", output), output


def check_webinar(programs: Programs) -> None:
    code, output = programs.run("webinar", "25")
    assert code == 0, output
    token, *rest = output.splitlines()
    assert re.fullmatch(r"speaker has a token of [1-9]\d\d characters", token), output
    assert rest[:5] == [
        "25 calls completed",
        "full, HTTP 409",
        "20 participants, 19 listeners",
        "onConnect, ours",
        "somethingNew, not known",
    ], output
    assert re.fullmatch(r"not a webhook: .*participantId.*", rest[5]), output
    programs.expect_empty()


def main() -> int:
    build, url, *wrapper = sys.argv[1:]
    both, audio = '["AUDIO","VIDEO"]', '["AUDIO"]'
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        programs = Programs(Path(build), url, wrapper, Path(folder, "bandwidth.json"))
        checks: List[Tuple[Any, ...]] = [
            (check_conference, "conference", (both, audio, "[]")),
            (check_conference, "conference_typed", ("audio video", "audio", "nothing")),
            (check_webinar,),
        ]
        if wrapper:
            del checks[2:]
        else:
            for name in ("conference", "conference_typed", "webinar"):
                checks += [(check_busy, name), (check_settings, name)]
        for check, *arguments in checks:
            programs.control("POST", "/reset")
            try:
                check(programs, *arguments)
                passed += 1
            except (AssertionError, OSError, subprocess.TimeoutExpired):
                failed += 1
                sys.stdout.write(f"{check.__name__} {arguments}:\n")
                traceback.print_exc(file=sys.stdout)
    sys.stdout.write(f"{passed} passed, {failed} failed\n")
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
