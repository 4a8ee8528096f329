"""The clients in Python: a typical call with each library, measured like the clients in C.

Usage: peers.py WHICH BASE_URL CA_FILE|- CALLS
"""

from __future__ import annotations

import base64
import json
import os
import sys
import time
from typing import Callable

ACCOUNT = "9900000"
BODY = {"publishPermissions": ["AUDIO", "VIDEO"], "tag": "a caller"}


def ours(url: str, ca_file: str | None) -> Callable[[], str]:
    """bw_webrtc."""
    from bw_webrtc import Client

    client = Client(ACCOUNT, username="user", password="secret", base_url=url, ca_file=ca_file)
    return lambda: (
        client.create_participant(publish_permissions=["AUDIO", "VIDEO"], tag="a caller").token
    )


def requests(url: str, ca_file: str | None) -> Callable[[], str]:
    """A session of requests."""
    import requests as library

    session = library.Session()
    session.auth = ("user", "secret")
    session.verify = ca_file or True
    target = f"{url}/accounts/{ACCOUNT}/participants"

    def call() -> str:
        response = session.post(target, json=BODY, timeout=10)
        response.raise_for_status()
        return str(response.json()["token"])

    return call


def httpx(url: str, ca_file: str | None) -> Callable[[], str]:
    """A client of httpx."""
    import ssl

    import httpx as library

    verify = ssl.create_default_context(cafile=ca_file) if ca_file else True
    client = library.Client(auth=("user", "secret"), verify=verify, timeout=10)
    target = f"{url}/accounts/{ACCOUNT}/participants"

    def call() -> str:
        response = client.post(target, json=BODY)
        response.raise_for_status()
        return str(response.json()["token"])

    return call


def http_client(url: str, ca_file: str | None) -> Callable[[], str]:
    """http.client of the standard library, its connection kept."""
    import http.client
    import ssl
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    connection = (
        http.client.HTTPSConnection(
            parts.netloc, context=ssl.create_default_context(cafile=ca_file), timeout=10
        )
        if ca_file
        else http.client.HTTPConnection(parts.netloc, timeout=10)
    )
    headers = {
        "Authorization": "Basic " + base64.b64encode(b"user:secret").decode(),
        "Content-Type": "application/json",
    }
    target = f"{parts.path}/accounts/{ACCOUNT}/participants"

    def call() -> str:
        connection.request("POST", target, json.dumps(BODY), headers)
        return str(json.loads(connection.getresponse().read())["token"])

    return call


def pycurl(url: str, ca_file: str | None) -> Callable[[], str]:
    """One handle of pycurl's, reused."""
    from io import BytesIO

    import pycurl as library

    curl = library.Curl()
    curl.setopt(library.URL, f"{url}/accounts/{ACCOUNT}/participants")
    curl.setopt(library.USERPWD, "user:secret")
    curl.setopt(library.HTTPHEADER, ["Content-Type: application/json"])
    curl.setopt(library.TIMEOUT_MS, 10000)
    if ca_file:
        curl.setopt(library.CAINFO, ca_file)

    def call() -> str:
        response = BytesIO()
        curl.setopt(library.POSTFIELDS, json.dumps(BODY))
        curl.setopt(library.WRITEDATA, response)
        curl.perform()
        return str(json.loads(response.getvalue())["token"])

    return call


def bandwidth(url: str, ca_file: str | None) -> Callable[[], str]:
    """The official SDK."""
    from bandwidth.bandwidth_client import BandwidthClient
    from bandwidth.configuration import Environment
    from bandwidth.webrtc.models.participant import Participant

    if ca_file:
        os.environ["REQUESTS_CA_BUNDLE"] = ca_file
    client = BandwidthClient(
        environment=Environment.CUSTOM,
        base_url=url,
        web_rtc_basic_auth_user_name="user",
        web_rtc_basic_auth_password="secret",
    )
    api = client.web_rtc_client.client

    def call() -> str:
        body = Participant(publish_permissions=["AUDIO", "VIDEO"], tag="a caller")
        return str(api.create_participant(ACCOUNT, body).body.token)

    return call


CLIENTS = {
    "ours": ours,
    "requests": requests,
    "httpx": httpx,
    "http.client": http_client,
    "pycurl": pycurl,
    "bandwidth": bandwidth,
}


def main() -> None:
    """Measures one client."""
    which, url, ca_file, calls = sys.argv[1:5]
    # Of no matter here, and requests heeds them before its own arguments.
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        os.environ.pop(name, None)
    call = CLIENTS[which](url, None if ca_file == "-" else ca_file)
    times = []
    cpu, began = time.process_time(), time.perf_counter()
    for _ in range(int(calls)):
        start = time.perf_counter()
        call()
        times.append((time.perf_counter() - start) * 1e6)
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    times.sort()
    count = len(times)
    print(
        json.dumps(
            {
                "p50": times[count // 2],
                "p99": times[count * 99 // 100],
                "cpu": cpu / count * 1e6,
                "rate": count / took,
            }
        )
    )


if __name__ == "__main__":
    main()
