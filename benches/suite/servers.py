"""Starts and stops the servers of the benchmarks, each on a free port."""

from __future__ import annotations

import functools
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from .places import BUILD, RELEASE

RESPONSE_BYTES = 560
"""The length of the body. The service's responses have about 630 bytes with the head."""
NO_TLS = "-"
ACCOUNT, USERNAME, PASSWORD = "9900000", "user", "secret"


@dataclass(frozen=True)
class Server:
    """A running server."""

    url: str
    ca_file: str
    """``-`` without TLS."""

    def named(self, host: str) -> Server:
        """The same server under a host name."""
        return Server(self.url.replace("127.0.0.1", host), self.ca_file)

    def trusted_by(self, ca_file: str) -> Server:
        """The same server for clients that trust another file of authorities."""
        return Server(self.url, ca_file)


@dataclass(frozen=True)
class Responder(Server):
    """The server in C, which counts connections and requests."""

    requests_to_report: IO[str]
    reports: IO[str]

    def counted(self) -> tuple[int, int]:
        """Connections and requests since the previous call of this method."""
        self.requests_to_report.write("\n")
        self.requests_to_report.flush()
        connections, requests = map(int, self.reports.readline().split())
        return connections, requests


@dataclass(frozen=True)
class Certificates:
    """An authority, and a certificate that it signed for 127.0.0.1 and localhost."""

    authority: Path
    certificate: Path
    key: Path


@functools.cache
def certificates() -> Certificates:
    """Created once per run, so that they have never expired."""
    BUILD.mkdir(parents=True, exist_ok=True)
    made = Certificates(BUILD / "ca.pem", BUILD / "cert.pem", BUILD / "key.pem")
    authority_key, request, extensions = (BUILD / name for name in ("ca.key", "cert.csr", "ext"))
    extensions.write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\nbasicConstraints=CA:FALSE\n")
    new = ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    for command in (
        [*new, "-x509", "-days", "2", "-subj", "/CN=bench authority", "-keyout", authority_key,
         "-out", made.authority],
        [*new, "-subj", "/CN=127.0.0.1", "-keyout", made.key, "-out", request],
        ["openssl", "x509", "-req", "-in", request, "-CA", made.authority, "-CAkey", authority_key,
         "-set_serial", "1", "-days", "2", "-extfile", extensions, "-out", made.certificate],
    ):  # fmt: skip
        subprocess.run(list(map(str, command)), check=True, capture_output=True)
    return made


def pinned(command: Sequence[str], core: int | None) -> list[str]:
    """The command, pinned to a core if one is given."""
    return [*([] if core is None else ["taskset", "-c", str(core)]), *command]


@contextmanager
def responder(
    tls: bool,
    core: int | None = None,
    response_bytes: int = RESPONSE_BYTES,
    together: int = 1,
    delay: int = 0,
) -> Iterator[Responder]:
    """The server in C.

    With ``together``, responses wait until this many requests are in flight; with ``delay``, for
    this many milliseconds.
    """
    made = certificates()
    files = [str(made.certificate), str(made.key)] if tls else [NO_TLS, NO_TLS]
    extra = [str(together), str(delay)]
    process = subprocess.Popen(
        pinned([str(BUILD / "responder"), *files, str(response_bytes), *extra], core),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        port = int(process.stdout.readline())
        url = f"{'https' if tls else 'http'}://127.0.0.1:{port}/v1"
        ca_file = str(made.authority) if tls else NO_TLS
        yield Responder(url, ca_file, process.stdin, process.stdout)
    finally:
        process.terminate()
        process.communicate()


NGINX = """\
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  default_type application/json;
  keepalive_requests 1000000000;
  tcp_nodelay on;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port}{tls};
    location / {{ return 200 '{body}'; }}
  }}
}}
"""
NGINX_TLS = """ ssl;
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    ssl_protocols TLSv1.3"""


def _response_body(responder_url: str) -> str:
    """The body of the responder's response, which nginx sends too."""
    host, port = responder_url.split("/")[2].split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
        reader = connection.makefile("rb")
        length = 0
        while (line := reader.readline().strip()) != b"":
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        return reader.read(length).decode()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _is_listening(port: int, process: subprocess.Popen[bytes]) -> bool:
    """Waits up to five seconds until the server listens. Returns False if it has ended."""
    for _ in range(500):
        if process.poll() is not None:
            return False
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.01)
        else:
            return True
    return False


@contextmanager
def nginx(tls: bool, core: int | None = None) -> Iterator[Server]:
    """Debian's nginx with one worker, configured in a temporary folder."""
    with responder(False) as original:
        body = _response_body(original.url)
    made = certificates()
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    assert program, "nginx is needed"
    with tempfile.TemporaryDirectory(dir=BUILD, prefix="nginx") as folder:
        # If this process runs as root, the worker runs as another user.
        Path(folder).chmod(0o755)
        text = NGINX_TLS.format(certificate=made.certificate, key=made.key) if tls else ""
        config = Path(folder) / "nginx.conf"
        # nginx does not support port 0, and another program may take the free port first.
        for _ in range(5):
            port = _free_port()
            config.write_text(NGINX.format(folder=folder, port=port, tls=text, body=body))
            process = subprocess.Popen(
                pinned(
                    [program, "-e", f"{folder}/error.log", "-p", folder, "-c", str(config)], core
                ),
                stderr=subprocess.DEVNULL,
            )
            if _is_listening(port, process):
                break
            process.terminate()
            process.wait()
        else:
            raise RuntimeError(f"nginx: {(Path(folder) / 'error.log').read_text()}")
        try:
            scheme = "https" if tls else "http"
            ca_file = str(made.authority) if tls else NO_TLS
            yield Server(f"{scheme}://127.0.0.1:{port}/v1", ca_file)
        finally:
            process.terminate()
            process.wait()


@contextmanager
def sandbox() -> Iterator[Server]:
    """bw-sandbox, which keeps state."""
    process = subprocess.Popen(
        [
            *(str(RELEASE / "bw-sandbox"), "--listen", "127.0.0.1:0", "--quiet"),
            *("--account", ACCOUNT, "--username", USERNAME, "--password", PASSWORD),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield Server(process.stdout.readline().strip(), NO_TLS)
    finally:
        process.terminate()
        process.communicate()
