"""Janus with the example plugin: each session receives its own participants."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from bw_webrtc.testing import Sandbox
from hosts import LIMIT, compile_c, config, need

HERE = Path(__file__).resolve().parent
PLUGIN = "janus.plugin.bandwidth"


class Janus:
    """Janus's HTTP interface."""

    def __init__(self, port: int, admin_port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/janus"
        self._admin_url = f"http://127.0.0.1:{admin_port}/admin"
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        data = None if body is None else json.dumps({"transaction": "t", **body}).encode()
        with self._opener.open(self.url + path, data, timeout=2 * LIMIT) as response:
            document: dict[str, Any] = json.loads(response.read())
        assert document["janus"] != "error", document
        return document

    def admin(self, request: dict[str, Any]) -> dict[str, Any]:
        """Sends a message to the plugin by the Admin API."""
        body = {
            "janus": "message_plugin",
            "transaction": "t",
            "admin_secret": "overlord",
            "plugin": PLUGIN,
            "request": request,
        }
        data = json.dumps(body).encode()
        with self._opener.open(self._admin_url, data, timeout=2 * LIMIT) as response:
            document: dict[str, Any] = json.loads(response.read())
        assert document["janus"] == "success", document
        answer: dict[str, Any] = document["response"]
        return answer

    def attach(self) -> str:
        """Creates a session with the plugin, and returns its path."""
        session = self.ask("", {"janus": "create"})["data"]["id"]
        body = {"janus": "attach", "plugin": PLUGIN}
        handle = self.ask(f"/{session}", body)["data"]["id"]
        return f"/{session}/{handle}"

    def message(self, path: str, transaction: str, body: dict[str, Any]) -> dict[str, Any]:
        request = {"janus": "message", "transaction": transaction, "body": body}
        return self.ask(path, request)

    def event(self, path: str) -> dict[str, Any]:
        """Waits for the next event of the plugin in this session."""
        while True:
            event = self.ask("/" + path.split("/")[1])
            if event["janus"] == "event":
                return event


@contextmanager
def janus(
    sandbox: Sandbox, folder: Path, **more: Any
) -> Iterator[tuple[Janus, subprocess.Popen[bytes]]]:
    """A running Janus. ``more`` are further keys of the plugin's configuration."""
    need("janus", "janus janus-dev")
    plugins, configs = folder / "plugins", folder / "config"
    plugins.mkdir()
    configs.mkdir()
    built = compile_c(
        HERE / "janus_bandwidth.c",
        plugins,
        "glib-2.0 jansson",
        # Janus's macro initializes every member twice.
        *("-shared", "-fPIC", "-I/usr/include/janus", "-Wno-override-init"),
    )
    # Janus loads only files with names of this form.
    built.rename(plugins / "libjanus_bandwidth.so")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with socket.create_server(("127.0.0.1", 0)) as probe:
        admin_port = probe.getsockname()[1]
    (configs / "bandwidth.json").write_text(config(sandbox, **more))
    (configs / "janus.jcfg").write_text(
        f'general: {{ debug_level = 3, plugins_folder = "{plugins}", session_timeout = 0, '
        'admin_secret = "overlord" }\n'
        'nat: { ice_enforce_list = "lo" }\nmedia: { ipv6 = false }\n'
        'transports: { disable = "libjanus_websockets.so,libjanus_pfunix.so,libjanus_mqtt.so,'
        'libjanus_nanomsg.so,libjanus_rabbitmq.so" }\n'
    )
    (configs / "janus.transport.http.jcfg").write_text(
        f'general: {{ json = "compact", http = true, port = {port}, ip = "127.0.0.1" }}\n'
        f'admin: {{ admin_http = true, admin_port = {admin_port}, admin_ip = "127.0.0.1" }}\n'
    )
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            ["janus", "-F", str(configs), "-o"], stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
    server = Janus(port, admin_port)
    try:
        end = time.monotonic() + LIMIT
        while True:
            try:
                server.ask("/info")
                break
            except OSError:
                assert process.poll() is None, log.read_text(errors="replace")
                assert time.monotonic() < end, log.read_text(errors="replace")
                time.sleep(0.05)
        yield server, process
    finally:
        stop(process, log)


def stop(process: subprocess.Popen[bytes], log: Path) -> None:
    """Ends Janus with SIGTERM."""
    # Between the start of its HTTP interface and its main loop, Janus (1.1.2, also without plugins)
    # only counts the signal and continues. The second one takes effect, unless the first did.
    for patience in (LIMIT / 2, LIMIT):
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience)
            return
    tasks = Path(f"/proc/{process.pid}/task").iterdir()
    threads = [(task / "comm").read_text().strip() for task in tasks]
    process.kill()
    process.wait()
    raise AssertionError(f"Janus does not end: {threads}\n{log.read_text(errors='replace')}")


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_every_session_gets_its_own_participants(tls: bool, tmp_path: Path) -> None:
    with Sandbox(tls=tls) as sandbox, janus(sandbox, tmp_path) as (server, _):
        sandbox.fault("createParticipant", "delay", ms=20, count=None)
        sandbox.fault("createParticipant", "delay", ms=60, count=50, after=40)

        def session(number: int) -> None:
            path = server.attach()
            for n in range(5):
                tag = f"session {number}, message {n}"
                if n % 2:
                    response = server.message(path, tag, {"request": "create", "tag": tag})
                else:
                    ack = server.message(path, tag, {"request": "create_later", "tag": tag})
                    assert ack["janus"] == "ack"
                    response = server.event(path)
                assert response["transaction"] == tag
                data = response["plugindata"]["data"]
                assert data["status"] == "BW_OK", data
                assert data["answer"]["participant"]["tag"] == tag
                assert data["answer"]["token"]

        with ThreadPoolExecutor(40) as pool:
            list(pool.map(session, range(40)))
        tags = [seen["body"]["tag"] for seen in sandbox.requests("createParticipant")]
        assert len(tags) == len(set(tags)) == 200


def test_errors_are_reported(tmp_path: Path) -> None:
    with Sandbox() as sandbox, janus(sandbox, tmp_path) as (server, _):
        path = server.attach()
        for request in ("create", "create_later"):
            response = server.message(path, "t", {"request": request, "tag": "x" * 51})
            data = response["plugindata"]["data"]
            assert data["status"] == "BW_E_INVALID_ARGUMENT"
            assert "tag" in data["answer"]["error"]["message"]
        with pytest.raises(AssertionError, match="create or create_later"):
            server.message(path, "t", {"request": "explode"})
        assert sandbox.requests("createParticipant") == []


def test_wrong_credentials_are_logged_at_the_start(tmp_path: Path) -> None:
    with Sandbox() as sandbox:
        sandbox.control("POST", "/secret", {"clientSecret": "another"})
        with janus(sandbox, tmp_path):
            end = time.monotonic() + LIMIT
            expected = (
                f"{PLUGIN}: calls will fail until this is fixed: the token request was reject"
            )
            while expected not in (log := (tmp_path / "log").read_text(errors="replace")):
                assert time.monotonic() < end, log
                time.sleep(0.05)
            assert '{"error"' not in log


def test_wrong_configuration_is_logged_as_a_message(tmp_path: Path) -> None:
    with Sandbox() as sandbox, janus(sandbox, tmp_path, tymeoutMs=1) as (server, _):
        with pytest.raises(AssertionError):
            server.attach()
        log = (tmp_path / "log").read_text(errors="replace")
        assert f"{PLUGIN}: {tmp_path / 'config' / 'bandwidth.json'}: tymeoutMs: " in log
        assert '{"error"' not in log


def test_secret_is_rotated_without_a_restart(tmp_path: Path) -> None:
    settings = tmp_path / "config" / "bandwidth.json"
    with Sandbox() as sandbox, janus(sandbox, tmp_path) as (server, _):
        path = server.attach()

        def create() -> str:
            response = server.message(path, "t", {"request": "create"})
            status: str = response["plugindata"]["data"]["status"]
            return status

        assert create() == "BW_OK"
        sandbox.rotate_secrets(client_secret="new")
        sandbox.control("POST", "/tokens/revoke")
        assert create() == "BW_E_UNAUTHORIZED"
        settings.write_text("{")
        answer = server.admin({"request": "reload"})
        assert answer["status"] == "BW_E_CONFIG"
        assert str(settings) in answer["answer"]["error"]["message"]
        settings.write_text(config(sandbox, clientSecret="new"))
        answer = server.admin({"request": "reload"})
        assert (answer["status"], answer["answer"]["credentialsReplaced"]) == ("BW_OK", True)
        assert create() == "BW_OK"
        assert server.admin({"request": "x"}) == {"error": "request: reload"}


@pytest.mark.parametrize("request_name", ["create", "create_later"])
def test_it_ends_soon_with_calls_under_way(request_name: str, tmp_path: Path) -> None:
    with Sandbox() as sandbox, janus(sandbox, tmp_path) as (server, process):
        sandbox.fault("createParticipant", "delay", ms=6000, count=None)
        path = server.attach()
        body = {"request": request_name, "tag": "slow"}

        def call() -> None:
            # Janus may end before it responds.
            with suppress(OSError, HTTPException, AssertionError):
                server.message(path, "t", body)

        calling = threading.Thread(target=call)
        calling.start()
        end = time.monotonic() + LIMIT
        while not sandbox.requests("createParticipant"):
            assert time.monotonic() < end
            time.sleep(0.01)
        began = time.monotonic()
        os.kill(process.pid, signal.SIGTERM)
        process.wait(LIMIT)
        took = time.monotonic() - began
        calling.join(LIMIT)
        # Without cancellation, the call would take 6 s.
        assert took < 3, f"Janus took {took:.1f} s to end"
