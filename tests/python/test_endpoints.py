"""BRTC Endpoints: the operations, the pages, tokens, and hostile responses."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import pickle
import select
import traceback
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Callable, Coroutine, Dict, Iterator, List
from urllib.parse import parse_qs, quote, urlsplit

import pytest

import bw_webrtc
from bw_webrtc import (
    AsyncClient,
    BwError,
    Client,
    CreatedEndpoint,
    Device,
    Endpoint,
    EndpointPage,
    HttpStatusError,
    InvalidArgumentError,
    LateObject,
    LateObjects,
    NotFoundError,
    ProtocolError,
    RateLimitedError,
)
from bw_webrtc.testing import Sandbox
from support import LIMIT, PageServer, WebhookServer, bodies, statuses

MISSING = "e-00000000-0000-4000-8000-000000000000"
BXML = "<Response><StartRecording/></Response>"
URL = "https://example.com/hook"


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, LIMIT))


def test_every_operation(client: Client, sandbox: Sandbox) -> None:
    created = client.create_endpoint(
        direction="INBOUND",
        tag="caf\u00e9",
        event_callback_url=URL,
        event_fallback_url=f"{URL}2",
        connection_metadata={"a": [1, None]},
    )
    assert isinstance(created, CreatedEndpoint)
    assert created.id.startswith("e-")
    assert (created.type, created.status, created.tag) == ("WEBRTC", "DISCONNECTED", "caf\u00e9")
    assert created.token.count(".") == 2
    assert created.created_at is not None
    assert abs(datetime.now(timezone.utc) - created.created_at) < timedelta(minutes=5)
    assert created.expires_at == created.created_at + timedelta(hours=24)
    assert created.raw["endpointId"] == created.id
    assert bodies(sandbox, "createEndpoint") == [
        {
            "type": "WEBRTC",
            "direction": "INBOUND",
            "tag": "caf\u00e9",
            "eventCallbackUrl": URL,
            "eventFallbackUrl": f"{URL}2",
            "connectionMetadata": {"a": [1, None]},
        }
    ]

    sandbox.endpoint_action(created.id, "connect")
    read = client.get_endpoint(created.id)
    assert (type(read), read.status, read.tag) == (Endpoint, "CONNECTED", "caf\u00e9")
    assert not hasattr(read, "token")
    (device,) = read.devices
    assert isinstance(device, Device)
    assert (device.id[:2], device.status) == ("d-", "CONNECTED")
    assert device.created_at is not None

    page = client.list_endpoints()
    assert isinstance(page, EndpointPage)
    assert [(one.id, one.devices) for one in page.endpoints] == [(created.id, ())]
    assert (page.next_cursor, page.total) == (None, 1)
    assert page.raw["errors"] == []

    client.delete_endpoint(created.id)
    for gone in (client.get_endpoint, client.delete_endpoint):
        with pytest.raises(NotFoundError, match="resource_not_found") as caught:
            gone(created.id)
        assert (caught.value.http_status, caught.value.outcome) == (404, "rejected")
    assert client.list_endpoints().endpoints == ()


def test_every_operation_of_the_async_client(sandbox: Sandbox) -> None:
    async def work() -> None:
        async with sandbox.async_client() as client:
            first, second = await asyncio.gather(
                client.create_endpoint(direction="OUTBOUND", tag="1"),
                client.create_endpoint(direction="BIDIRECTIONAL", tag="2"),
            )
            assert first.token != second.token
            assert (await client.get_endpoint(first.id)).tag == "1"
            page = await client.list_endpoints(limit=1, type="WEBRTC")
            after = await client.list_endpoints(limit=1, after_cursor=page.next_cursor)
            found = page.endpoints + after.endpoints
            assert {one.id for one in found} == {first.id, second.id}
            assert (page.total, after.next_cursor) == (2, None)
            assert {one.tag async for one in client.endpoints(limit=1)} == {"1", "2"}
            with pytest.raises(HttpStatusError, match="method_not_allowed"):
                await client.update_endpoint_bxml(first.id, BXML)
            await client.delete_endpoint(first.id)
            with pytest.raises(NotFoundError):
                await client.get_endpoint(first.id)

    run(work())


def test_update_endpoint_bxml() -> None:
    with Sandbox(arguments=["--endpoint-bxml"]) as sandbox, sandbox.client() as client:
        created = client.create_endpoint(direction="INBOUND")
        client.update_endpoint_bxml(created.id, BXML)

        async def work() -> None:
            async with sandbox.async_client() as other:
                await other.update_endpoint_bxml(
                    created.id, '<Response a="&quot;">\u00e9</Response>'
                )

        run(work())
        assert statuses(sandbox, "updateEndpointBxml") == [204, 204]


def test_quota_is_reported() -> None:
    with Sandbox(arguments=["--max-endpoints", "1"]) as sandbox, sandbox.client() as client:
        client.create_endpoint(direction="INBOUND")
        with pytest.raises(RateLimitedError, match=r"too_many_endpoints.*[Dd]elete") as caught:
            client.create_endpoint(direction="INBOUND")
        assert (caught.value.retry_after, caught.value.attempts) == (900, 1)


def test_token_is_hidden(client: Client) -> None:
    created = client.create_endpoint(direction="INBOUND", tag="seen")
    signature = created.token.rsplit(".", 1)[1]
    for shown in (repr(created), str(created), f"{created}", repr([created])):
        assert "seen" in shown
        assert created.token not in shown
        assert signature not in shown
    assert created.raw["token"] == created.token
    copy = pickle.loads(pickle.dumps(created))
    assert (copy, copy.token) == (created, created.token)
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(created, "token", "")  # noqa: B010
    claims = bw_webrtc.token_claims(created.token)
    assert (claims.account_id, claims.participant_id) == ("9900000", None)
    assert claims.expires_in is not None
    assert timedelta(hours=23) < claims.expires_in <= timedelta(hours=24, minutes=1)


def test_errors_contain_no_token(plain: Sandbox) -> None:
    # A 201 without an id cannot be a result.
    envelope = {"links": [], "data": {"token": "hush-8c1f"}, "errors": []}
    failures: List[BwError] = []
    with plain.client(max_retries=0, timeout=2) as client:
        for fault in (
            {"kind": "status", "status": 201, "body": envelope},
            {"kind": "status", "status": 500, "body": "no"},
            {"kind": "truncate"},
            {"kind": "garbage"},
            {"kind": "close_after"},
        ):
            plain.fault("createEndpoint", **fault)
            with pytest.raises(BwError) as caught:
                client.create_endpoint(direction="INBOUND", tag="t")
            failures.append(caught.value)
            plain.clear_faults()
    for error in failures:
        assert error.outcome == "unknown"
        shown = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        shown += repr(error) + str(error.document) + str(error.body)
        assert "hush-8c1f" not in shown
        assert "eyJ" not in shown


def create(client: Client, count: int) -> List[str]:
    return [client.create_endpoint(direction="INBOUND", tag=str(n)).id for n in range(count)]


def test_iterator_follows_the_pages(client: Client, sandbox: Sandbox) -> None:
    ids = create(client, 7)
    for connected in ids[::2]:
        sandbox.endpoint_action(connected, "connect")
    for limit, requests in ((3, 3), (7, 1), (1, 7), (None, 1)):
        before = len(sandbox.requests("listEndpoints"))
        assert {one.id for one in client.endpoints(limit=limit)} == set(ids)
        assert len(sandbox.requests("listEndpoints")) - before == requests
    found = list(client.endpoints(status="CONNECTED", limit=2))
    assert {one.id for one in found} == set(ids[::2])
    assert {one.status for one in found} == {"CONNECTED"}
    assert {one.id for one in client.endpoints(status="DISCONNECTED")} == set(ids[1::2])

    # Nothing is requested before it is needed.
    before = len(sandbox.requests("listEndpoints"))
    pages = client.endpoints(limit=2)
    assert len(sandbox.requests("listEndpoints")) == before
    next(pages)
    next(pages)
    assert len(sandbox.requests("listEndpoints")) == before + 1
    next(pages)
    assert len(sandbox.requests("listEndpoints")) == before + 2


def test_invalid_cursor_is_rejected_by_the_service(client: Client) -> None:
    with pytest.raises(bw_webrtc.BadRequestError, match="afterCursor") as caught:
        client.list_endpoints(after_cursor="AAAA")
    assert caught.value.outcome == "rejected"


def envelope(*tags: str, links: Any = (), **fields: Any) -> Dict[str, Any]:
    data = [{"endpointId": f"e-{tag}", "tag": tag} for tag in tags]
    return {"links": links, "data": data, "errors": [], **fields}


def next_link(cursor: str, host: str = "https://api.bandwidth.com") -> Dict[str, str]:
    href = f"{host}/v2/accounts/9900000/endpoints?type=SIP&afterCursor={quote(cursor, safe='')}"
    return {"href": href, "rel": "next", "method": "GET"}


Collect = Callable[..., List[Endpoint]]


def collect_sync(server: PageServer, **filters: Any) -> List[Endpoint]:
    with server.client() as client:
        return list(client.endpoints(**filters))


def collect_async(server: PageServer, **filters: Any) -> List[Endpoint]:
    async def work() -> List[Endpoint]:
        async with AsyncClient(**server.options) as client:
            return [one async for one in client.endpoints(**filters)]

    return asyncio.run(work())


@pytest.fixture(params=[collect_sync, collect_async])
def collect(request: pytest.FixtureRequest) -> Collect:
    found: Collect = request.param
    return found


def cursor_of(path: str) -> str:
    return parse_qs(urlsplit(path).query).get("afterCursor", [""])[0]


@pytest.mark.parametrize("cursors", [["x", "x"], ["x", "y", "x"], ["a", "b", "c", "b"]])
def test_loop_of_pages_is_rejected(collect: Collect, cursors: List[str]) -> None:
    following: Iterator[str] = iter(cursors)

    def respond(_: str) -> object:
        return envelope("one", links=[next_link(next(following))])

    with PageServer(respond) as server:
        with pytest.raises(ProtocolError, match="the same page cursor twice") as caught:
            collect(server)
        assert len(server.paths) == len(cursors)
    assert caught.value.operation == "listEndpoints"


def test_only_the_cursor_of_a_link_is_used(collect: Collect) -> None:
    with PageServer(lambda path: envelope("2")) as other:
        foreign = other.options["base_url"].rsplit("/", 1)[0]

        def respond(path: str) -> object:
            links = [] if cursor_of(path) else [next_link("a+/b=&\u00e9#", foreign)]
            return envelope("1", links=links)

        with PageServer(respond) as server:
            found = collect(server, status="CONNECTED", limit=5)
            first, second = server.paths
        assert other.paths == []
    assert len(found) == 2
    assert cursor_of(second) == "a+/b=&\u00e9#"
    # The filters are the caller's, not those of the link, which contains another type.
    for path in (first, second):
        query = parse_qs(urlsplit(path).query)
        assert (query["status"], query["limit"], "type" in query) == (["CONNECTED"], ["5"], False)


NO_NEXT: List[Any] = [
    None,
    {},
    "next",
    7,
    [],
    [None, 1, "next", [], {}],
    [{"rel": "self", "href": "https://h/?afterCursor=x"}],
    [{"rel": "next"}],
    [{"rel": "next", "href": None}],
    [{"rel": "next", "href": 5}],
    [{"rel": "next", "href": {"afterCursor": "x"}}],
    [{"rel": "next", "href": ""}],
    [{"rel": "next", "href": "https://[::1/"}],
    [{"rel": "next", "href": "https://h/?afterCursor="}],
    [{"rel": "next", "href": "https://h/?cursor=x"}],
    [{"rel": "next", "href": "https://h/afterCursor=x"}],
    [{"rel": "next", "href": "https://h/#?afterCursor=x"}],
    [{"rel": ["next"], "href": "https://h/?afterCursor=x"}],
]


@pytest.mark.parametrize("links", NO_NEXT)
def test_iterator_ends_without_a_next_link(links: Any) -> None:
    assert EndpointPage.from_raw(envelope("1", links=links)).next_cursor is None
    with PageServer(lambda _: envelope("1", links=links)) as server:
        assert [one.tag for one in collect_sync(server)] == ["1"]
        assert len(server.paths) == 1


@pytest.mark.parametrize(
    ("href", "cursor"),
    [
        ("?afterCursor=x", "x"),
        ("//h?a&afterCursor=a%2Bb%3D&afterCursor=y", "a+b="),
        ("https://h/?afterCursor=a+b==", "a+b=="),
        ("https://h/?afterCursor=%zz%", "%zz%"),
        ("https://h/?afterCursor=%ff", "\ufffd"),
    ],
)
def test_cursor_is_decoded(href: str, cursor: str) -> None:
    raw = {"links": [{"rel": "next", "href": href}]}
    assert EndpointPage.from_raw(raw).next_cursor == cursor


@pytest.mark.parametrize("data", [None, {}, [], "e-1", 5, True])
def test_data_of_a_page_that_is_not_an_array(data: Any) -> None:
    page = EndpointPage.from_raw({"links": [], "data": data, "errors": []})
    assert (page.endpoints, page.next_cursor, page.total) == ((), None, None)
    raw = {"links": [], "data": data, "errors": []}
    # The library itself rejects a page that is not an array.
    with PageServer(lambda _: raw) as server, contextlib.suppress(ProtocolError):
        assert collect_sync(server) == []


def test_unexpected_fields_are_accepted() -> None:
    odd: List[Any] = [None, [], 5, {}, {"data": None}, {"data": []}, {"data": {"devices": 3}}]
    for raw in odd:
        assert Endpoint.from_raw(raw) == Endpoint(id="")
        assert CreatedEndpoint.from_raw(raw) == CreatedEndpoint(id="")
        assert EndpointPage.from_raw(raw) == EndpointPage()
    page = EndpointPage.from_raw(
        {"data": [None, {"endpointId": 5}, {"endpointId": "e-1", "new": 1}], "page": {"total": 1}}
    )
    assert [one.id for one in page.endpoints] == ["", "", "e-1"]
    assert page.endpoints[2].raw["new"] == 1
    totals: List[Any] = [True, "7", None, [], 1.5]
    for total in totals:
        assert EndpointPage.from_raw({"page": {"totalElements": total}}).total is None
    endpoint = Endpoint.from_raw({"devices": [{"deviceId": "d-1", "deviceName": "x"}, 3]})
    assert [(one.id, one.name) for one in endpoint.devices] == [("d-1", "x"), ("", None)]


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)),
        ("2026-01-02T03:04:05", datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)),
        ("2026-01-02T03:04:05.5Z", datetime(2026, 1, 2, 3, 4, 5, 500000, timezone.utc)),
        ("2026-01-02T03:04:05.123456789Z", datetime(2026, 1, 2, 3, 4, 5, 123456, timezone.utc)),
        ("2026-01-02T03:04:05+01:00", datetime(2026, 1, 2, 2, 4, 5, tzinfo=timezone.utc)),
        ("2026-01-02T03:04:05-0130", datetime(2026, 1, 2, 4, 34, 5, tzinfo=timezone.utc)),
        ("2026-13-02T03:04:05Z", None),
        ("2026-01-02", None),
        ("now", None),
        ("", None),
        (1767323045, None),
        (None, None),
    ],
)
def test_times(text: Any, time: Any) -> None:
    assert Endpoint.from_raw({"creationTimestamp": text}).created_at == time


@pytest.mark.parametrize("length", [8193, 65_536])
def test_cursor_that_is_too_long(collect: Collect, length: int) -> None:
    with PageServer(lambda _: envelope("1", links=[next_link("x" * length)])) as server:
        with pytest.raises(ProtocolError, match=f"a page cursor of {length}") as caught:
            collect(server)
        assert len(server.paths) == 1
    assert "xxx" not in str(caught.value)


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_memory_does_not_grow_with_the_pages() -> None:
    pages, text = 10_000, "t" * 5000

    def respond(path: str) -> object:
        number = int(cursor_of(path) or 0) + 1
        links = [next_link(str(number))] if number < pages else []
        return envelope(text, links=links)

    with PageServer(respond) as server, server.client() as client:
        seen, early = 0, 0
        for endpoint in client.endpoints(limit=1):
            assert endpoint.tag == text
            seen += 1
            server.paths.clear()
            if seen == 1000:
                early = resident_bytes()
        growth = resident_bytes() - early
    assert seen == pages
    # The pages alone are 45 MB; the cursors need about 100 bytes each.
    assert growth < 5_000_000


CREATIONS: List[Callable[[AsyncClient], Any]] = [
    lambda client: client.create_endpoint(direction="INBOUND", tag="lost"),
    lambda client: client.call(
        {
            "operation": "createEndpoint",
            "body": {"type": "WEBRTC", "direction": "INBOUND", "tag": "lost"},
        }
    ),
]


@pytest.mark.parametrize("creation", CREATIONS)
@pytest.mark.parametrize("fetched", [False, True])
def test_endpoint_of_a_cancelled_task_is_late(
    plain: Sandbox, creation: Callable[[AsyncClient], Any], fetched: bool
) -> None:
    async def work() -> None:
        async with plain.async_client() as client:
            task = asyncio.ensure_future(creation(client))
            await asyncio.sleep(0)
            select.select([client._descriptor], [], [], LIMIT)
            if fetched:
                client._fetch_some()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        (account,) = plain.state()["accounts"]
        (endpoint,) = account["endpoints"]
        expected = LateObject("createEndpoint", endpoint["endpointId"], "lost")
        assert client.take_late() == LateObjects((expected,))
        assert client.take_late() == LateObjects()

    run(work())


def test_endpoint_of_a_call_that_was_cancelled_in_progress_is_late(plain: Sandbox) -> None:
    plain.fault("createEndpoint", "delay", ms=500)

    async def work() -> None:
        async with plain.async_client() as client:
            task = asyncio.ensure_future(client.create_endpoint(direction="INBOUND", tag="lost"))
            while not plain.requests("createEndpoint"):
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            while not client.stats()["lateAnswers"]:
                await asyncio.sleep(0.01)
            (late,) = client.take_late().objects
            assert (late.operation, late.tag) == ("createEndpoint", "lost")
            assert (await client.get_endpoint(late.id)).tag == "lost"

    run(work())


def test_webhooks_of_the_sandbox(plain: Sandbox) -> None:
    names = {
        "connect": "endpointConnected",
        "eligible": "endpointEligible",
        "outbound": "outboundConnectionRequest",
        "ineligible": "endpointIneligible",
        "disconnect": "endpointDisconnected",
    }
    with WebhookServer() as server, plain.client() as client:
        created = client.create_endpoint(
            direction="BIDIRECTIONAL", tag="alice", event_callback_url=server.url
        )
        for action, name in names.items():
            number = {"to": "+19195551234", "to_type": "PHONE_NUMBER"}
            given: Dict[str, Any] = number if action == "outbound" else {}
            plain.endpoint_action(created.id, action, **given)
            event = bw_webrtc.parse_event(server.body())
            assert (event.event, event.endpoint_id, event.known) == (name, created.id, True)
            assert (event.tag, event.account_id) == ("alice", "9900000")
            assert event.participant_id is None
            assert event.timestamp is not None
            assert abs(datetime.now(timezone.utc) - event.timestamp) < timedelta(minutes=5)
            if given:
                assert (event.to, event.to_type) == ("+19195551234", "PHONE_NUMBER")


WRONG_TYPES = [
    ("create_endpoint", {"direction": 5}, "direction must be a str"),
    ("create_endpoint", {"direction": None}, "direction must be a str"),
    ("create_endpoint", {"type": 5}, "type must be a str"),
    ("create_endpoint", {"tag": 5}, "tag must be a str or None, not int"),
    ("create_endpoint", {"event_callback_url": b"x"}, "event_callback_url must be a str or None"),
    ("create_endpoint", {"event_fallback_url": []}, "event_fallback_url must be a str or None"),
    ("create_endpoint", {"connection_metadata": "{}"}, "connection_metadata must be a mapping"),
    ("create_endpoint", {"connection_metadata": [1]}, "connection_metadata must be a mapping"),
    ("create_endpoint", {"connection_metadata": {"a": object()}}, "connection_metadata: "),
    ("create_endpoint", {"connection_metadata": {(1,): 1}}, "connection_metadata: "),
    ("list_endpoints", {"type": 5}, "type must be a str or None"),
    ("list_endpoints", {"status": ["CONNECTED"]}, "status must be a str or None"),
    ("list_endpoints", {"after_cursor": 5}, "after_cursor must be a str or None"),
    ("list_endpoints", {"limit": "5"}, "limit must be an int or None"),
    ("list_endpoints", {"limit": True}, "limit must be an int or None"),
    ("list_endpoints", {"limit": 5.0}, "limit must be an int or None"),
    ("get_endpoint", {"endpoint_id": None}, "endpoint_id must be a str, not NoneType"),
    ("delete_endpoint", {"endpoint_id": 5}, "endpoint_id must be a str, not int"),
    ("update_endpoint_bxml", {"endpoint_id": b"e", "bxml": BXML}, "endpoint_id must be a str"),
    ("update_endpoint_bxml", {"endpoint_id": "e", "bxml": BXML.encode()}, "bxml must be a str"),
    ("update_endpoint_bxml", {"endpoint_id": "e", "bxml": None}, "bxml must be a str"),
]

deep: Dict[str, Any] = {}
for _ in range(100_000):
    deep = {"a": deep}

INVALID = [
    ("create_endpoint", {"direction": "SIDEWAYS"}, r'direction: "SIDEWAYS" is not'),
    ("create_endpoint", {"direction": ""}, "direction"),
    ("create_endpoint", {"type": "SIP"}, r'type: "SIP" is not'),
    ("create_endpoint", {"type": "a\0"}, r"type: must not contain U\+0000"),
    ("create_endpoint", {"direction": "\ud800"}, "direction: has a lone surrogate"),
    ("create_endpoint", {"tag": "\U0001f600" * 1025}, "tag: has 1025 characters"),
    ("create_endpoint", {"tag": "a\0b"}, r"tag: must not contain U\+0000"),
    ("create_endpoint", {"event_callback_url": "/hook"}, "event_callback_url"),
    ("create_endpoint", {"event_fallback_url": "ftp://h/"}, "event_fallback_url"),
    ("create_endpoint", {"connection_metadata": {"a": float("nan")}}, "connection_metadata"),
    ("create_endpoint", {"connection_metadata": deep}, "connection_metadata: is nested too"),
    ("list_endpoints", {"type": "SIP"}, "type"),
    ("list_endpoints", {"status": "connected"}, r'status: "connected" is not'),
    ("list_endpoints", {"after_cursor": ""}, "after_cursor: is empty"),
    ("list_endpoints", {"after_cursor": "a\0"}, r"after_cursor: must not contain U\+0000"),
    ("list_endpoints", {"after_cursor": "x" * 60_000}, "has 60000 characters"),
    ("list_endpoints", {"limit": 0}, "limit"),
    ("list_endpoints", {"limit": 1001}, "limit"),
    ("list_endpoints", {"limit": -(10**5000)}, "limit: is too large"),
    ("get_endpoint", {"endpoint_id": ""}, "endpoint_?[iI]d"),
    ("get_endpoint", {"endpoint_id": ".."}, "endpoint_?[iI]d"),
    ("get_endpoint", {"endpoint_id": "e\0"}, r"endpoint_id: must not contain U\+0000"),
    ("delete_endpoint", {"endpoint_id": "."}, "endpoint_?[iI]d"),
    ("delete_endpoint", {"endpoint_id": "\udc80"}, "endpoint_id: has a lone surrogate"),
    ("update_endpoint_bxml", {"endpoint_id": "e", "bxml": ""}, "bxml"),
    ("update_endpoint_bxml", {"endpoint_id": "e", "bxml": "<a>"}, "bxml"),
    ("update_endpoint_bxml", {"endpoint_id": "e", "bxml": "<a>\0</a>"}, "bxml: must not contain"),
    ("update_endpoint_bxml", {"endpoint_id": "e", "bxml": "<!DOCTYPE a><a/>"}, "document type"),
    ("update_endpoint_bxml", {"endpoint_id": "e", "bxml": "<a>&b;</a>"}, "bxml"),
]


def call_both(sandbox: Sandbox, name: str, arguments: Dict[str, Any]) -> List[Exception]:
    """The exceptions of both clients."""
    if name == "create_endpoint":
        arguments = {"direction": "INBOUND", **arguments}
    caught: List[Exception] = []
    with sandbox.client() as client:
        try:
            getattr(client, name)(**arguments)
        except Exception as error:
            caught.append(error)

    async def work() -> None:
        async with sandbox.async_client() as other:
            try:
                await getattr(other, name)(**arguments)
            except Exception as error:
                caught.append(error)

    run(work())
    return caught


@pytest.mark.parametrize(("name", "arguments", "message"), WRONG_TYPES)
def test_argument_of_wrong_type_is_named(
    plain: Sandbox, name: str, arguments: Dict[str, Any], message: str
) -> None:
    first, second = call_both(plain, name, arguments)
    assert type(first) is type(second) is TypeError
    assert str(first) == str(second)
    assert message in str(first)
    assert plain.requests() == []


@pytest.mark.parametrize(("name", "arguments", "message"), INVALID)
def test_invalid_value_is_named(
    plain: Sandbox, name: str, arguments: Dict[str, Any], message: str
) -> None:
    errors = call_both(plain, name, arguments)
    assert len(errors) == 2
    for error in errors:
        with pytest.raises(InvalidArgumentError, match=message) as caught:
            raise error
        assert caught.value.outcome == "not_sent"
        assert caught.value.attempts == 0
    assert plain.requests() == []


def test_missing_direction_is_a_type_error(client: Client) -> None:
    with pytest.raises(TypeError, match="direction"):
        client.create_endpoint()  # type: ignore[call-arg]


def test_endpoints_need_their_url(plain: Sandbox) -> None:
    with plain.client(endpoints_url=None) as client:
        with pytest.raises(BwError, match=r"^listEndpoints: endpoints_url: is m") as caught:
            client.list_endpoints()
        assert caught.value.outcome == "not_sent"
        client.create_session()
    assert plain.requests("listEndpoints") == []
