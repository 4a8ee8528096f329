"""What differs between musl and glibc: the stacks of threads, the resolver, dlclose, functions."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import struct
import threading
import time
from pathlib import Path
from typing import Any, Iterator, List, Set, Tuple

import pytest
from test_ports import assert_passed, configuration

from bw_webrtc.testing import Sandbox
from packages import ROOT, run, tool
from port import Port

HERE = Path(__file__).parent
HOSTS = ROOT / "tests" / "c" / "hosts"
A, AAAA = 1, 28


class NameServer:
    """A DNS server with one name, localhost, on a loopback address of its own.

    It does not respond to queries for IPv6 addresses while ``silent`` exists.
    """

    def __init__(self, silent: Path) -> None:
        self.silent = silent
        self.queries: Set[Tuple[str, int]] = set()
        # Other name servers and other runs of the tests may use 127.0.0.1.
        self.address = f"127.53.{os.getpid() >> 8 & 255}.{os.getpid() & 255}"
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self.socket.bind((self.address, 53))
        except PermissionError as error:
            self.socket.close()
            missing = f"{self.address}:53 cannot be used: {error}"
            if os.environ.get("CI"):
                pytest.fail(missing)
            pytest.skip(missing)
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self) -> None:
        while True:
            query, client = self.socket.recvfrom(512)
            if not query:
                return
            end = query.index(0, 12)
            labels, at = [], 12
            while at < end:
                labels.append(query[at + 1 : at + 1 + query[at]].decode())
                at += 1 + query[at]
            name, kind = ".".join(labels), struct.unpack("!H", query[end + 1 : end + 3])[0]
            self.queries.add((name, kind))
            if kind == AAAA and self.silent.exists():
                continue
            question = query[12 : end + 5]
            if name != "localhost":
                # NXDOMAIN.
                head, answer = struct.pack("!HHHHH", 0x8183, 1, 0, 0, 0), b""
            else:
                data = bytes([127, 0, 0, 1]) if kind == A else bytes(15) + b"\x01"
                head = struct.pack("!HHHHH", 0x8180, 1, 1, 0, 0)
                # The name of the question, the kind, class, and the time to live.
                answer = b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 60, len(data)) + data
            self.socket.sendto(query[:2] + head + question + answer, client)

    def stop(self) -> None:
        # An empty datagram is not a query.
        self.socket.sendto(b"", (self.address, 53))
        self.thread.join()
        self.socket.close()


@pytest.fixture(scope="module")
def musl(port: Port) -> Port:
    if not port.is_musl:
        pytest.skip("this target is for glibc")
    return port


@pytest.fixture(scope="module")
def program(musl: Port) -> Path:
    return musl.compile(HERE / "musl_test.c")


@pytest.fixture
def names(musl: Port) -> Iterator[NameServer]:
    """A DNS server, which is the only source of names in the root of Alpine Linux."""
    etc = musl.root / "etc"
    files = {etc / "hosts": "", etc / "resolv.conf": ""}
    for file in files:
        with contextlib.suppress(FileNotFoundError):
            files[file] = file.read_text()
    silent = musl.folder / "silent"
    server = NameServer(silent)
    try:
        (etc / "hosts").write_text("")
        (etc / "resolv.conf").write_text(f"nameserver {server.address}\n")
        yield server
    finally:
        server.stop()
        for file, text in files.items():
            file.write_text(text)
        with contextlib.suppress(FileNotFoundError):
            silent.unlink()


def named(port: Port, sandbox: Sandbox, name: str = "localhost", **more: Any) -> str:
    """A configuration with a name to resolve, for programs in the root of Alpine Linux."""
    config = json.loads(configuration(port, sandbox))
    url = sandbox.url.replace("127.0.0.1", name)
    return json.dumps({**config, "baseUrl": url, "caFile": "/port/ca.pem", **more})


def nested(depth: int) -> List[Any]:
    return [nested(depth - 1)] if depth else []


def assert_passes(musl: Port, program: Path, *arguments: str) -> None:
    """Runs the program in the root of Alpine Linux."""
    output = musl.in_root(musl.path_in_root(program), *arguments)
    assert_passed(output)
    print(output)  # noqa: T201


def test_threads_with_the_default_stack(
    musl: Port, sandbox: Sandbox, program: Path, names: NameServer
) -> None:
    """To see it fail, give the thread a smaller stack, or spawn_helper in src/sys/thread.rs."""
    session = {"id": "s", "list": [nested(50) for _ in range(4000)], "tag": "x" * 512 * 1024}
    with Sandbox(program=str(musl.sandbox)) as plain:
        for one in (sandbox, plain):
            one.reset()
            one.fault("getSession", "status", status=200, body=session, count=None)
            error = {"error": "no", "more": nested(100)}
            one.fault("createSession", "status", status=400, body=error, count=None)
        assert_passes(musl, program, "threads", named(musl, plain), named(musl, sandbox))
    assert ("localhost", A) in names.queries


def test_name_with_addresses_of_both_families(
    musl: Port, sandbox: Sandbox, program: Path, names: NameServer
) -> None:
    sandbox.reset()
    config = named(musl, sandbox)
    assert_passes(musl, program, "call", config, "BW_OK", "participant")
    assert names.queries == {("localhost", A), ("localhost", AAAA)}


def test_query_without_a_response(
    musl: Port, sandbox: Sandbox, program: Path, names: NameServer
) -> None:
    """The resolver waits 5 s for both responses. To see it fail, let the server respond."""
    names.silent.touch()
    message = "while resolving the host name; see timeoutMs"
    began = time.monotonic()
    config = named(musl, sandbox, timeoutMs=500)
    assert_passes(musl, program, "call", config, "BW_E_TIMEOUT", message)
    # Neither the call nor the end of the process waits for the lookup.
    assert time.monotonic() - began < 4
    assert names.queries == {("localhost", A), ("localhost", AAAA)}


def test_cached_address_without_a_response(
    musl: Port, sandbox: Sandbox, program: Path, names: NameServer
) -> None:
    sandbox.reset()
    config = named(musl, sandbox, dnsTtlMs=0, maxIdleConnections=0)
    assert_passes(musl, program, "cached", config, f"/port/{names.silent.name}")


def test_unknown_name(musl: Port, sandbox: Sandbox, program: Path, names: NameServer) -> None:
    message = (
        "the name unknown.test cannot be resolved: failed to lookup address information: "
        "Name does not resolve; check baseUrl and this machine's DNS"
    )
    config = named(musl, sandbox, "unknown.test")
    assert_passes(musl, program, "call", config, "BW_E_RESOLVE", message)
    assert names.queries == {("unknown.test", A), ("unknown.test", AAAA)}


def test_missing_resolver_configuration(
    musl: Port, sandbox: Sandbox, program: Path, names: NameServer
) -> None:
    """The resolver then waits 5 s for 127.0.0.1, which is longer than the connect timeout.

    To see it fail, take `explain` out of src/transport/resolver.rs.
    """
    (musl.root / "etc" / "resolv.conf").unlink()
    message = (
        "see connectTimeoutMs in the configuration; "
        "/etc/resolv.conf is missing (an empty chroot?), so no name server is known"
    )
    config = named(musl, sandbox, connectTimeoutMs=500, maxRetries=0)
    assert_passes(musl, program, "call", config, "BW_E_TIMEOUT", message)
    assert names.queries == set()


def test_library_is_unloaded_and_loaded_again(port: Port, sandbox: Sandbox) -> None:
    sandbox.reset()
    # So that threads are in calls while the library is unloaded.
    sandbox.fault("createParticipant", "delay", ms=20, count=None)
    reload = port.compile(HERE / "reload.c")
    assert "[libbw_webrtc.so.0]" not in run("readelf", "--dynamic", "--wide", reload)
    assert_passed(run(*port.command(reload), str(port.library), configuration(port, sandbox)))


def test_thread_cancellation(musl: Port, sandbox: Sandbox) -> None:
    sandbox.reset()
    sandbox.fault("createParticipant", "delay", ms=300, count=None)
    signals = musl.compile(HOSTS / "signals.c")
    assert_passed(run(*musl.command(signals), "cancel", configuration(musl, sandbox)))


def test_every_required_symbol_is_in_musl(musl: Port) -> None:
    nm = tool("nm", musl.target)
    listed = run(nm, "--dynamic", "--undefined-only", musl.library)
    # Symbols of the kind w are weak: the library does not need them.
    required = set(re.findall(r"^ +U (\S+)$", listed, re.M))
    (loader,) = (musl.root / "lib").glob("ld-musl-*.so.1")
    listed = run(nm, "--dynamic", "--defined-only", loader)
    provided = set(re.findall(r" [A-Z] (\S+)$", listed, re.M))
    assert {"pthread_create", "getaddrinfo", "malloc"} <= required
    assert required <= provided, required - provided
    assert "mallinfo2" not in provided
