"""The settings file: its place among the layers, its permissions, and reloading it."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import struct
import subprocess
from pathlib import Path
from typing import Any, Dict

import pytest

from bw_webrtc import AsyncClient, Client, ConfigError, Reload, UnauthorizedError
from bw_webrtc.testing import Sandbox
from support import VARIABLES, python


def settings(sandbox: Sandbox, **more: Any) -> Dict[str, Any]:
    return {
        "accountId": sandbox.account_id,
        "clientId": sandbox.client_id,
        "clientSecret": sandbox.client_secret,
        "baseUrl": sandbox.url,
        "tokenUrl": sandbox.token_url,
        **more,
    }


@pytest.fixture
def file(plain: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A settings file for the sandbox, which BW_CONFIG_FILE names. No other variable is set."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "bandwidth.json"
    path.write_text(json.dumps(settings(plain)))
    path.chmod(0o600)
    monkeypatch.setenv("BW_CONFIG_FILE", str(path))
    return path


def test_file_contains_the_whole_configuration(plain: Sandbox, file: Path) -> None:
    host = plain.url.split("/")[2]
    with Client.from_env() as client:
        client.create_participant()
        assert repr(client) == f"<bw_webrtc.Client of account {plain.account_id} at {host}, open>"
    with Client.from_env(timeout=2) as client:
        client.create_participant()
    with Client(plain.account_id, config_file=file) as client:
        client.create_participant()
    assert len(plain.requests("createParticipant")) == 3


def test_environment_overrides_the_file_and_options_override_both(
    plain: Sandbox, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BW_USERNAME", plain.username)
    monkeypatch.setenv("BW_PASSWORD", plain.password)
    with Client.from_env() as client:
        client.create_participant()
    assert plain.requests("token") == []
    with Client.from_env(client_id=plain.client_id, client_secret=plain.client_secret) as client:
        client.create_participant()
    assert len(plain.requests("token")) == 1


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("hush", ": is not valid JSON"),
        ('{"timoutMs": 1}', ": timoutMs: is not known; did you mean timeoutMs?"),
        ('{"roots": "hush"}', ': roots: ".." is not one of bundled, system'),
        ('{"clientSecret": "hush"}', ": clientId: is missing"),
        ('{"configFile": "hush"}', ": configFile: is an option in code"),
    ],
)
def test_problems_name_the_file_and_do_not_quote_it(content: str, part: str, file: Path) -> None:
    file.write_text(content)
    with pytest.raises(ConfigError) as caught:
        Client.from_env()
    assert f"{file}{part}" in caught.value.message
    assert "hush" not in caught.value.message


def test_file_that_others_can_write_is_rejected(file: Path) -> None:
    file.chmod(0o646)
    with pytest.raises(ConfigError) as caught:
        Client.from_env()
    assert caught.value.message == (
        f"{file}: every user can write the file; run: chmod o-w '{file}'"
    )


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="this Python has no os.setxattr")
def test_access_control_list_that_lets_another_user_write_is_rejected(file: Path) -> None:
    # The version, and the entries: tag, permissions, id. The mask allows reading and writing.
    no_id = 0xFFFFFFFF
    entries = [(1, 6, no_id), (2, 6, 12345), (4, 4, no_id), (0x10, 6, no_id), (0x20, 0, no_id)]
    acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    try:
        os.setxattr(file, "system.posix_acl_access", acl)
    except OSError as error:
        if error.errno != errno.ENOTSUP:
            raise
        pytest.skip("the file system has no access control lists")
    with pytest.raises(ConfigError, match="a user in its access control list, can write") as caught:
        Client.from_env()
    # The command in the message is sufficient.
    _, _, command = caught.value.message.partition("run: ")
    subprocess.run(["sh", "-c", command], check=True)
    Client.from_env().close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("where", ["file", "folder"])
def test_file_of_another_user_is_rejected(where: str, file: Path) -> None:
    os.chown(file if where == "file" else file.parent, 12345, -1)
    with pytest.raises(ConfigError, match=r"user 12345 (owns|can replace) the file") as caught:
        Client.from_env()
    _, _, command = caught.value.message.partition("run: ")
    subprocess.run(["sh", "-c", command], check=True)
    Client.from_env().close()


def test_relative_paths_are_those_of_the_creation(
    plain: Sandbox, secure: Sandbox, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ca = Path(secure.ca_file or "").read_text()
    (file.parent / "ca.pem").write_text(ca)
    file.write_text(json.dumps(settings(plain, caFile="ca.pem")))
    monkeypatch.setenv("BW_CONFIG_FILE", file.name)
    monkeypatch.chdir(file.parent)
    with Client.from_env() as client, Client(plain.account_id, config_file=file.name) as other:
        monkeypatch.chdir("/")  # as a daemon does
        file.write_text(json.dumps(settings(plain, caFile="ca.pem", clientSecret="n3w")))
        assert client.reload() == other.reload() == Reload(credentials_replaced=True)


def test_check_reads_the_file_and_warns_if_others_can_read_it(plain: Sandbox, file: Path) -> None:
    file.write_text(json.dumps(settings(plain, endpointsUrl=plain.endpoints_url)))
    for mode, warning in ((0o600, ""), (0o604, f"run: chmod o-r {file}")):
        file.chmod(mode)
        completed = python(["-m", "bw_webrtc", "check"])
        assert completed.returncode == 0, completed.stderr
        assert f"(account {plain.account_id} at {plain.url})" in completed.stdout
        first, second, *more = completed.stdout.splitlines()
        assert first.startswith("right: WebRTC v1: ")
        assert second.startswith("right: BRTC: ")
        assert (" ".join(more) if more else "").endswith(warning)
        assert len(more) == (1 if warning else 0)


def test_secret_is_rotated_without_a_new_client(plain: Sandbox, file: Path) -> None:
    with Client.from_env() as client:
        client.create_participant()
        plain.rotate_secrets(client_secret="n3w-secret")
        assert client.reload() == Reload(credentials_replaced=False)
        file.write_text(json.dumps(settings(plain, clientSecret="n3w-secret", timeoutMs=9000)))
        assert client.reload() == Reload(True, ("timeoutMs",))
        client.create_participant()
        assert len(plain.requests("token")) == 2
        file.write_text(json.dumps(settings(plain, clientSecret="wrong", baseUrl="http://[::1]/")))
        with pytest.raises(ConfigError, match="baseUrl: changed"):
            client.reload()
        client.create_participant()
    with pytest.raises(UnauthorizedError), Client.from_env(
        base_url=plain.url, client_secret="wrong"
    ) as client:
        client.create_participant()


def test_reload_reports_names_of_settings_and_no_values(plain: Sandbox, file: Path) -> None:
    with Client.from_env() as client:
        new = {"userAgent": "s3cret", "caFile": "/etc/ssl/certs/ca-certificates.crt"}
        file.write_text(json.dumps(settings(plain, **new)))
        found = client.reload()
        assert set(found.needs_new_client) == {"userAgent", "caFile"}
        assert "s3cret" not in repr(found)
        for text in ('["s3cret"]', "s3cret", json.dumps(settings(plain, timeoutMs="s3cret"))):
            file.write_text(text)
            with pytest.raises(ConfigError) as caught:
                client.reload()
            assert "s3cret" not in f"{caught.value!r} {caught.value.document}"


def test_async_client_reloads(plain: Sandbox, file: Path) -> None:
    async def run() -> None:
        async with AsyncClient.from_env() as client:
            await client.create_participant()
            file.write_text(json.dumps(settings(plain, maxRetries=1)))
            assert client.reload() == Reload(False, ("maxRetries",))

    asyncio.run(run())


def test_client_without_a_file_has_nothing_to_reload() -> None:
    client = Client("9", client_id="i", client_secret="s")
    with client, pytest.raises(ConfigError, match="nothing to reload"):
        client.reload()
