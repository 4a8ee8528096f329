"""The measured clients: their display names and commands."""

from __future__ import annotations

import os

from .places import BENCHES, BUILD, LIBRARY, ROOT
from .servers import Server

OURS = "ours"
RAW = "raw"
CURL = "curl_cjson"
OAUTH = "ours_oauth"
QUEUE = "ours_queue"
LOOP_OURS = "loop_ours"
LOOP_CURL = "loop_curl"
PYTHON = "python:"
OURS_PYTHON = f"{PYTHON}ours"
NATIVE = (RAW, OURS, "ours_cjson", "ours_cpp", CURL)
SCRIPTED = tuple(
    PYTHON + name for name in ("ours", "pycurl", "http.client", "httpx", "requests", "bandwidth")
)
NAMES = {
    RAW: "raw socket, C",
    OURS: "libbw_webrtc, C",
    "ours_cjson": "libbw_webrtc + cJSON, C",
    "ours_cpp": "libbw_webrtc, C++",
    CURL: "libcurl + cJSON, C",
    QUEUE: "libbw_webrtc, queue",
    LOOP_OURS: "libbw_webrtc, queue in an event loop",
    LOOP_CURL: "libcurl multi + cJSON",
    OURS_PYTHON: "libbw_webrtc, Python",
    "python:pycurl": "pycurl",
    "python:http.client": "http.client",
    "python:requests": "requests",
    "python:httpx": "httpx",
    "python:bandwidth": "bandwidth-sdk",
}


def is_ours(client: str) -> bool:
    """Whether the client uses this library."""
    return client.split(":")[-1].startswith(OURS)


def is_scripted(client: str) -> bool:
    """Whether the client is written in Python."""
    return client.startswith(PYTHON)


def command(client: str, server: Server, calls: int, threads: int = 1) -> list[str]:
    """The command of a client: a program in C, or ``python:NAME``."""
    if is_scripted(client):
        # The other clients are installed in the directory of the benchmark only.
        python = BUILD / "venv" / "bin" / "python"
        script = [str(python), str(BENCHES / "clients" / "peers.py")]
        return [*script, client[len(PYTHON) :], server.url, server.ca_file, str(calls)]
    return [str(BUILD / client), server.url, server.ca_file, str(calls), str(threads)]


def environment() -> dict[str, str]:
    """The environment of all clients: without a proxy, and with the paths for Python."""
    kept = {
        name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")
    }
    return {
        **kept,
        "BW_WEBRTC_LIBRARY": str(LIBRARY),
        "PYTHONPATH": str(ROOT / "bindings" / "python" / "src"),
    }
