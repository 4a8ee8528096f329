"""Bandwidth's official Python SDK, with OAuth, as a client of bw-sandbox under /v2."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
from typing import Any, Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

import bandwidth

ACCOUNT = "9900000"


class Sandbox:
    """A running bw-sandbox."""

    def __init__(self, *options: str) -> None:
        command = [os.environ["BW_SANDBOX"], "--listen", "127.0.0.1:0", "--quiet", *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.root = self.process.stdout.readline().strip().removesuffix("/v1")
        assert self.root.startswith("http://127.0.0.1:")

    def stop(self) -> None:
        self.process.kill()
        self.process.communicate()

    def control(self, method: str, path: str) -> Any:
        request = urllib.request.Request(f"{self.root}/_sandbox/{path}", method=method)
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.loads(response.read() or "null")

    def requests(self) -> list[tuple[str, int]]:
        """The operation and the status of each recorded request."""
        return [(seen["operation"], seen["status"]) for seen in self.control("GET", "requests")]

    def api(self, secret: str = "client-secret") -> bandwidth.EndpointsApi:
        configuration = bandwidth.Configuration(
            host=f"{self.root}/v2",
            access_token_url=f"{self.root}/api/v1/oauth2/token",
            client_id="client",
            client_secret=secret,
            # Each operation has a fixed server, which otherwise takes precedence over `host`.
            ignore_operation_servers=True,
        )
        return bandwidth.EndpointsApi(bandwidth.ApiClient(configuration))


def start(*options: str) -> Iterator[Sandbox]:
    sandbox = Sandbox("--no-basic", *options)
    yield sandbox
    sandbox.stop()


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    yield from start("--endpoint-bxml", "--max-endpoints", "3")


@pytest.fixture
def default_sandbox() -> Iterator[Sandbox]:
    yield from start()


def new_endpoint(**fields: Any) -> bandwidth.CreateWebRtcConnectionRequest:
    return bandwidth.CreateWebRtcConnectionRequest(type="WEBRTC", direction="INBOUND", **fields)


def test_all_operations_succeed(sandbox: Sandbox) -> None:
    api = sandbox.api()
    request = new_endpoint(
        event_callback_url="https://example.com/events",
        event_fallback_url="https://example.com/fallback",
        tag="alice",
        connection_metadata={"any": "thing"},
    )
    created = api.create_endpoint_with_http_info(ACCOUNT, request)
    assert created.status_code == 201
    endpoint = created.data.data
    assert (endpoint.tag, endpoint.devices, created.data.errors) == ("alice", [], [])
    assert endpoint.token.count(".") == 2
    lifetime = endpoint.expiration_timestamp - endpoint.creation_timestamp
    assert lifetime.total_seconds() == 24 * 3600

    sandbox.control("POST", f"endpoints/{endpoint.endpoint_id}/connect")
    read = api.get_endpoint(ACCOUNT, endpoint.endpoint_id)
    assert (read.data.status, read.data.tag) == ("CONNECTED", "alice")
    assert [device.status for device in read.data.devices] == ["CONNECTED"]
    assert (
        read.links[0].href
        == f"{sandbox.root}/v2/accounts/{ACCOUNT}/endpoints/{endpoint.endpoint_id}"
    )

    api.update_endpoint_bxml(
        ACCOUNT, endpoint.endpoint_id, "<Response><StartRecording /></Response>"
    )
    api.delete_endpoint(ACCOUNT, endpoint.endpoint_id)
    assert api.list_endpoints(ACCOUNT).data == []
    assert sandbox.requests() == [
        ("token", 200),
        ("createEndpoint", 201),
        ("getEndpoint", 200),
        ("updateEndpointBxml", 204),
        ("deleteEndpoint", 204),
        ("listEndpoints", 200),
    ]


def test_pages_are_complete(sandbox: Sandbox) -> None:
    api = sandbox.api()
    ids = [api.create_endpoint(ACCOUNT, new_endpoint()).data.endpoint_id for _ in range(3)]
    found, cursor = [], None
    for number in range(2):
        page = api.list_endpoints(ACCOUNT, status="DISCONNECTED", limit=2, after_cursor=cursor)
        assert (page.page.page_number, page.page.total_elements) == (number, 3)
        found += [endpoint.endpoint_id for endpoint in page.data]
        links = {link.rel: link.href for link in page.links}
        cursor = parse_qs(urlsplit(links.get("next", "")).query).get("afterCursor", [None])[0]
    assert (found, cursor) == (ids, None)


def test_errors_have_the_form_of_the_service(sandbox: Sandbox) -> None:
    api = sandbox.api()
    with pytest.raises(bandwidth.ApiException) as not_found:
        api.get_endpoint(ACCOUNT, "e-unknown")
    assert (not_found.value.status, error(not_found.value).type) == (404, "resource_not_found")
    with pytest.raises(bandwidth.ApiException) as forbidden:
        api.list_endpoints("1")
    assert (forbidden.value.status, error(forbidden.value).type) == (403, "forbidden")
    for _ in range(3):
        api.create_endpoint(ACCOUNT, new_endpoint())
    with pytest.raises(bandwidth.ApiException) as quota:
        api.create_endpoint(ACCOUNT, new_endpoint())
    assert (quota.value.status, error(quota.value).type) == (429, "too_many_endpoints")
    assert quota.value.headers["Retry-After"] == "900"


def test_update_of_bxml_is_not_served_by_default(default_sandbox: Sandbox) -> None:
    api = default_sandbox.api()
    endpoint = api.create_endpoint(ACCOUNT, new_endpoint()).data
    with pytest.raises(bandwidth.ApiException) as rejected:
        api.update_endpoint_bxml(ACCOUNT, endpoint.endpoint_id, "<Response/>")
    assert rejected.value.status == 405


def test_no_operation_is_sent_with_a_wrong_secret(sandbox: Sandbox) -> None:
    # The SDK does not check the status of the token response.
    with pytest.raises(KeyError):
        sandbox.api(secret="wrong").list_endpoints(ACCOUNT)
    assert sandbox.requests() == [("token", 401)]


def error(exception: bandwidth.ApiException) -> Any:
    """The first error of a response, as the SDK parses it."""
    return bandwidth.BrtcErrorResponse.from_json(exception.body).errors[0]
