"""What the package offers for its users' tests: the sandbox from Python, and pytest's fixtures."""

from __future__ import annotations

import os
import socket
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bw_webrtc import ServerError
from bw_webrtc.testing import Sandbox, find_sandbox
from support import LIMIT, python

CONFTEST = 'pytest_plugins = ["bw_webrtc.pytest_plugin"]\n'
USERS_TEST = '''
from bw_webrtc import Client
from bw_webrtc.testing import Sandbox


def invite(client: Client, name: str) -> str:
    """The user's own program."""
    return client.create_participant(publish_permissions=["AUDIO"], tag=name).token


def test_invite(bw_client: Client, bw_sandbox: Sandbox) -> None:
    assert invite(bw_client, "alice")
    assert bw_sandbox.requests()[0]["body"]["tag"] == "alice"


def test_each_test_starts_anew(bw_client: Client, bw_sandbox: Sandbox) -> None:
    assert bw_sandbox.requests() == []
    bw_sandbox.fault("createParticipant", "status", status=429)
    assert invite(bw_client, "bob")
    assert [seen["status"] for seen in bw_sandbox.requests()] == [429, 200]
'''


def test_the_fixtures_test_a_users_program(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_program.py").write_text(USERS_TEST)
    ended = python(["-m", "pytest", "-q", "-p", "no:cacheprovider"], cwd=tmp_path)
    assert ended.returncode == 0, ended.stdout
    assert "2 passed" in ended.stdout


def test_a_sandbox_ends_with_its_with_statement() -> None:
    with Sandbox(account_id="77", username="me", password="mine") as sandbox:
        with sandbox.client() as client:
            client.create_participant()
        assert Path(f"/proc/{sandbox.pid}").exists()
        assert "/accounts/77/" in sandbox.requests()[0]["path"]
        assert [seen["status"] for seen in sandbox.requests("token")] == [200]
    assert not Path(f"/proc/{sandbox.pid}").exists()
    sandbox.stop()


def test_its_certificate_holds_to_the_strict_rules(secure: Sandbox) -> None:
    # Python's own from 3.13 on.
    context = ssl.create_default_context(cafile=secure.ca_file)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    place = urlsplit(secure.url)
    with socket.create_connection(
        (place.hostname, place.port or 443), LIMIT
    ) as plain, context.wrap_socket(plain, server_hostname=place.hostname) as connection:
        assert connection.version() == "TLSv1.3"


def test_a_forgotten_sandbox_ends_with_the_program() -> None:
    code = "from bw_webrtc.testing import Sandbox\nsandbox = Sandbox()\nprint(sandbox.pid)"
    ended = python(["-c", code])
    assert (ended.returncode, ended.stderr) == (0, "")
    assert not Path(f"/proc/{int(ended.stdout)}").exists()


def test_a_forked_child_does_not_end_the_sandbox() -> None:
    with Sandbox(tls=True) as sandbox:
        child = os.fork()
        if child == 0:
            sandbox.stop()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        with sandbox.client() as client:
            client.create_participant()


def test_a_sandbox_that_does_not_start_says_why() -> None:
    with pytest.raises(RuntimeError, match=r"bw-sandbox ended with \d+: .*--nonsense"):
        Sandbox(arguments=["--nonsense"])


def test_a_sandbox_that_is_not_there_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BW_SANDBOX", "/nowhere/bw-sandbox")
    with pytest.raises(FileNotFoundError, match="BW_SANDBOX names /nowhere/bw-sandbox, which is"):
        Sandbox()
    monkeypatch.delenv("BW_SANDBOX")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="bw-sandbox, which is not on PATH; install"):
        find_sandbox()
    program = tmp_path / "bw-sandbox"
    program.touch(mode=0o755)
    assert find_sandbox() == str(program)


def test_faults_state_and_devices(plain: Sandbox) -> None:
    with plain.client(max_retries=0) as client:
        created = client.create_participant(tag="kept")
        plain.fault("*", "status", status=500, count=None, after=1)
        client.create_participant()
        for _ in range(3):
            with pytest.raises(ServerError):
                client.create_participant()
        plain.clear_faults()
        client.create_participant()
    assert created.id in str(plain.state())
    assert len(plain.requests("createParticipant")) == 6
    assert plain.requests("getSession") == []
    for event in (plain.connect, plain.leave):
        assert isinstance(event(created.id), dict)
    plain.reset()
    assert created.id not in str(plain.state())
    assert plain.webhooks() == []
