"""The package's support for tests of its users: the sandbox from Python, and pytest fixtures."""

from __future__ import annotations

import os
import socket
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bw_webrtc import ServerError, UnauthorizedError
from bw_webrtc.testing import Sandbox, find_sandbox
from support import LIMIT, python, statuses

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


def test_endpoint(bw_client: Client, bw_sandbox: Sandbox) -> None:
    created = bw_client.create_endpoint(direction="INBOUND")
    bw_sandbox.endpoint_action(created.id, "connect")
    assert bw_client.get_endpoint(created.id).status == "CONNECTED"


def test_each_test_starts_with_the_initial_state(bw_client: Client, bw_sandbox: Sandbox) -> None:
    assert bw_sandbox.requests() == []
    bw_sandbox.fault("createParticipant", "status", status=429)
    assert invite(bw_client, "bob")
    assert [request["status"] for request in bw_sandbox.requests()] == [429, 200]
'''


def test_fixtures_work_in_the_tests_of_a_user(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_program.py").write_text(USERS_TEST)
    completed = python(["-m", "pytest", "-q", "-p", "no:cacheprovider"], cwd=tmp_path)
    assert completed.returncode == 0, completed.stdout
    assert "3 passed" in completed.stdout


def test_with_statement_stops_the_sandbox() -> None:
    with Sandbox(account_id="77", username="me", password="mine") as sandbox:
        with sandbox.client() as client:
            client.create_participant()
        assert Path(f"/proc/{sandbox.pid}").exists()
        assert "/accounts/77/" in sandbox.requests()[0]["path"]
        assert statuses(sandbox, "token") == [200]
    assert not Path(f"/proc/{sandbox.pid}").exists()
    sandbox.stop()


def test_certificate_passes_strict_verification(secure: Sandbox) -> None:
    # The default from Python 3.13 on.
    context = ssl.create_default_context(cafile=secure.ca_file)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    url = urlsplit(secure.url)
    with socket.create_connection(
        (url.hostname, url.port or 443), LIMIT
    ) as plain, context.wrap_socket(plain, server_hostname=url.hostname) as connection:
        assert connection.version() == "TLSv1.3"


def test_unreferenced_sandbox_is_stopped_at_exit() -> None:
    code = "from bw_webrtc.testing import Sandbox\nsandbox = Sandbox()\nprint(sandbox.pid)"
    completed = python(["-c", code])
    assert (completed.returncode, completed.stderr) == (0, "")
    assert not Path(f"/proc/{int(completed.stdout)}").exists()


def test_forked_child_does_not_stop_the_sandbox() -> None:
    with Sandbox(tls=True) as sandbox:
        child = os.fork()
        if child == 0:
            sandbox.stop()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        with sandbox.client() as client:
            client.create_participant()


def test_start_failure_is_reported() -> None:
    with pytest.raises(RuntimeError, match=r"bw-sandbox exited with \d+: .*--nonsense"):
        Sandbox(arguments=["--nonsense"])


def test_missing_program_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BW_SANDBOX", "/nowhere/bw-sandbox")
    with pytest.raises(FileNotFoundError, match="BW_SANDBOX is /nowhere/bw-sandbox, which is"):
        Sandbox()
    monkeypatch.delenv("BW_SANDBOX")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        FileNotFoundError, match=r"bw-sandbox is not on PATH; install bw-webrtc\[sandbox\]"
    ):
        find_sandbox()
    program = tmp_path / "bw-sandbox"
    program.touch(mode=0o755)
    assert find_sandbox() == str(program)
    # The program of the extra "sandbox" is preferred.
    package = tmp_path / "site" / "bw_webrtc_sandbox"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    packaged = package / "bw-sandbox"
    packaged.touch(mode=0o755)
    monkeypatch.syspath_prepend(package.parent)
    assert find_sandbox() == str(packaged)


def test_rejected_control_request_states_the_reason(plain: Sandbox) -> None:
    with pytest.raises(ValueError, match='"create_participant" is not an operation'):
        plain.fault("create_participant", "status", status=500)


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


def test_secrets_are_rotated_until_the_reset() -> None:
    with Sandbox() as sandbox:
        with sandbox.client() as client, sandbox.client(username=sandbox.username) as user:
            sandbox.rotate_secrets(client_secret="second", password="third")
            for old in (client, user):
                with pytest.raises(UnauthorizedError):
                    old.create_session()
        for kind in ("client_id", "username"):
            with sandbox.client(**{kind: getattr(sandbox, kind)}) as client:
                client.create_session()
        sandbox.rotate_secrets(password="fourth")
        assert (sandbox.client_secret, sandbox.password) == ("second", "fourth")
        sandbox.reset()
        assert (sandbox.client_secret, sandbox.password) == ("client-secret", "secret")
        with sandbox.client() as client:
            client.create_session()
