"""The shipped files of each target, as programs on its system use them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import List

import pytest

from bw_webrtc.testing import Sandbox
from packages import ROOT, Word, run
from port import Port

C = ROOT / "tests" / "c"
PYTHON = ROOT / "tests" / "python"


@pytest.fixture(scope="module")
def python(port: Port) -> Path:
    """The target's Python, with the shipped wheel."""
    return port.install_python()


def configuration(port: Port, sandbox: Sandbox) -> str:
    return json.dumps(
        {
            "accountId": sandbox.account_id,
            # Without a token, whose connection would be counted.
            "username": sandbox.username,
            "password": sandbox.password,
            "baseUrl": sandbox.url,
            "caFile": str(port.folder / "ca.pem"),
        }
    )


def arguments_of(name: str, port: Port, sandbox: Sandbox) -> List[str]:
    if name == "abi_test":
        return ["2000"]
    if name.startswith("hosts/"):
        return [configuration(port, sandbox)]
    return [sandbox.url, str(port.folder / "ca.pem")]


def assert_passed(output: str) -> None:
    assert re.search(r"[1-9]\d* passed, 0 failed$", output.strip()), output


@pytest.mark.parametrize(
    "name", ["abi_test", "live_test", "typed_test", "hosts/forks", "hosts/queue"]
)
def test_c_program(name: str, port: Port, sandbox: Sandbox) -> None:
    program = port.compile(C / f"{name}.c")
    sandbox.reset()
    if name.startswith("hosts/"):
        # So that calls are in flight at the same time, on connections of their own.
        sandbox.fault("createParticipant", "delay", ms=30, count=None)
    assert_passed(run(*port.command(program), *arguments_of(name, port, sandbox)))


def test_host_without_keys(port: Port, sandbox: Sandbox) -> None:
    sandbox.reset()
    program = port.compile(Path(__file__).parent / "keys.c")
    assert_passed(run(*port.command(program), configuration(port, sandbox)))


def test_program_with_the_static_library(port: Port, sandbox: Sandbox) -> None:
    program = port.compile(C / "live_test.c", static=True)
    dynamic = run("readelf", "--dynamic", "--wide", program)
    assert "libbw_webrtc" not in dynamic
    if port.is_musl:
        assert "There is no dynamic section" in dynamic
        command = [*port.emulator(), str(program)]
    else:
        command = port.command(program)
    assert_passed(run(*command, *arguments_of("live_test", port, sandbox)))


def test_in_the_root_of_alpine(port: Port, sandbox: Sandbox) -> None:
    if not port.is_musl:
        pytest.skip("this target is for glibc")
    abi = port.path_in_root(port.compile(C / "abi_test.c"))
    live = port.path_in_root(port.compile(C / "live_test.c"))
    own_sandbox = port.path_in_root(port.unpacked / "bin" / "bw-sandbox")
    assert_passed(port.in_root(abi, "2000"))
    assert_passed(port.in_root(live, sandbox.url, "/port/ca.pem"))
    assert port.in_root(own_sandbox, "--version").startswith("bw-sandbox ")


def test_check_in_the_root_of_alpine(port: Port, sandbox: Sandbox, python: Path) -> None:
    if not port.is_musl:
        pytest.skip("this target is for glibc")
    assert python.is_file()
    site = str(port.path_in_root(port.site))
    environment = {**sandbox.environment(), "PYTHONPATH": site}
    command = port.musl_python(Path("/"), "/port/scripts/python3")
    check = ("-m", "bw_webrtc", "check", "--ca-file", "/port/ca.pem")
    assert port.in_root(*command, *check, env=environment).startswith("right: ")


def test_library_of_the_wheel(port: Port, python: Path) -> None:
    """The wheel was accepted by pip for this platform. The other tests use the same library."""
    assert python.is_file()
    library = port.site / "bw_webrtc" / "libbw_webrtc.so.0"
    assert library.read_bytes() == port.library.read_bytes()


def test_check(port: Port, sandbox: Sandbox, python: Path) -> None:
    environment = {**port.environment(), **sandbox.environment(), "PYTHONPATH": str(port.site)}
    del environment["BW_WEBRTC_LIBRARY"]
    check = (python, "-m", "bw_webrtc", "check", "--ca-file", port.folder / "ca.pem")
    assert run(*check, env=environment).startswith("right: ")
    wrong = {**environment, "BW_CLIENT_SECRET": "wrong"}
    assert run(*check, env=wrong, code=1).startswith("wrong: ")


def test_python_suite(port: Port, python: Path, tmp_path: Path) -> None:
    options: List[Word] = ["-q", "-c", PYTHON / "pytest.ini", "-p", "no:cacheprovider"]
    if port.is_musl:
        # PyPI has no wheels of gevent's dependencies for musl.
        options.append(f"--ignore={PYTHON}/test_gevent.py")
    output = run(
        *(python, "-m", "pytest", *options, f"--basetemp={tmp_path}/python", PYTHON),
        env=port.environment(),
        # In QEMU, they take 7 minutes on an idle machine.
        limit=3000,
    )
    assert re.search(r"\d+ passed", output), output
    print(output.splitlines()[-1])  # noqa: T201
