"""BXML, webhooks and tokens, which need no client."""

from __future__ import annotations

import base64
import json
import warnings
from datetime import datetime, timedelta, timezone
from typing import Any, Dict, List
from xml.etree import ElementTree

import pytest

import bw_webrtc
from bw_webrtc import BxmlWarning, Client, InvalidArgumentError
from bw_webrtc.testing import Sandbox
from support import WebhookServer

CALL = "c-93d6f3c0-be584596-0b74-4fa2-8015-d8ede84bd1a4"


def jwt(claims: object) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJIUzI1NiJ9.{body}.c2ln"


long_number = jwt({"n": 0}).replace(
    base64.urlsafe_b64encode(b'{"n": 0}').decode().rstrip("="),
    base64.urlsafe_b64encode(b'{"n": ' + b"9" * 5000 + b"}").decode().rstrip("="),
)


def test_transfer_bxml() -> None:
    assert bw_webrtc.transfer_bxml("abc.def.ghi", CALL) == (
        '<?xml version="1.0" encoding="UTF-8"?><Response><Transfer><SipUri '
        'uui="93d6f3c0be5845960b744fa28015d8ede84bd1a4;encoding=base64,abc.def.ghi;encoding=jwt">'
        "sip:sipx.webrtc.bandwidth.com:5060</SipUri></Transfer></Response>"
    )
    bxml = bw_webrtc.transfer_bxml("t<&>\"'", sip_uri="sip:host;transport=tls?a=1&b=2")
    (uri,) = ElementTree.fromstring(bxml).iter("SipUri")
    assert uri.attrib == {"uui": "t<&>\"';encoding=jwt"}
    assert uri.text == "sip:host;transport=tls?a=1&b=2"


def test_long_uui_causes_a_warning(client: Client) -> None:
    token = client.create_participant(publish_permissions=["AUDIO"]).token
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bw_webrtc.transfer_bxml(token)
    with pytest.warns(BxmlWarning, match="the documented limit is 256") as caught:
        bxml = bw_webrtc.transfer_bxml(token, CALL)
    assert token in bxml
    assert [warning.filename for warning in caught] == [__file__]
    assert token not in str(caught[0].message)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a;b",), "token: must not contain semicolons"),
        (("a,b",), "token: must not contain semicolons"),
        (("a\n",), "token: must not contain"),
        (("a\0",), r"token: must not contain U\+0000"),
        (("",), "token: is empty"),
        (("t", "93d6f3c0"), "call_id: .* is not a call id"),
        (("t", ""), "call_id: .* is not a call id"),
        (("t", None, "http://x"), "sip_uri: .* is not a SIP URI"),
        (("t", None, "sip:a\tb"), "sip_uri: must not contain"),
    ],
)
def test_invalid_bxml_argument_is_rejected(arguments: Any, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message) as caught:
        bw_webrtc.transfer_bxml(*arguments)
    assert caught.value.outcome is None


@pytest.mark.parametrize("helper", ["transfer_bxml", "uui", "parse_event", "token_claims"])
@pytest.mark.parametrize("value", [None, 5, ["x"], {}])
def test_wrong_type_is_a_type_error(helper: str, value: object) -> None:
    with pytest.raises(TypeError, match="must be a str"):
        getattr(bw_webrtc, helper)(value)


def test_connect_bxml() -> None:
    head = '<?xml version="1.0" encoding="UTF-8"?><Response><Connect'
    one = "<Endpoint>e-1</Endpoint>"
    assert bw_webrtc.connect_bxml("e-1") == f"{head}>{one}</Connect></Response>"
    for ids in (["e-1", "e-2"], ("e-1", "e-2"), iter(["e-1", "e-2"])):
        bxml = bw_webrtc.connect_bxml(ids)
        assert bxml == f"{head}>{one}<Endpoint>e-2</Endpoint></Connect></Response>"
    bxml = bw_webrtc.connect_bxml(
        "e-1", event_callback_url="/status?a=1&b='2'", event_fallback_url="https://h/<x>"
    )
    (connect,) = ElementTree.fromstring(bxml).iter("Connect")
    assert connect.attrib == {
        "eventCallbackUrl": "/status?a=1&b='2'",
        "eventFallbackUrl": "https://h/<x>",
    }


def test_connect_bxml_of_the_sandbox(client: Client) -> None:
    created = client.create_endpoint(direction="INBOUND")
    bxml = bw_webrtc.connect_bxml(created.id)
    (endpoint,) = ElementTree.fromstring(bxml).iter("Endpoint")
    assert endpoint.text == created.id
    assert created.token not in bxml


@pytest.mark.parametrize(
    ("ids", "options", "message"),
    [
        ([], {}, "endpoint_ids"),
        ([""], {}, r"endpoint_ids\[0\]: is empty"),
        (["e-1", "e\0"], {}, r"endpoint_ids\[1\]: must not contain U\+0000"),
        (["\ud800"], {}, r"endpoint_ids\[0\]: has a lone surrogate"),
        (["a\n"], {}, r"endpoint_ids\[0\]"),
        ("", {}, r"endpoint_ids\[0\]: is empty"),
        ("e-1", {"event_callback_url": ""}, "event_?[cC]allback_?[uU]rl"),
        ("e-1", {"event_callback_url": "a\0"}, r"event_callback_url: must not contain U\+0000"),
        ("e-1", {"event_fallback_url": "\udfff"}, "event_fallback_url: has a lone surrogate"),
    ],
)
def test_invalid_connect_argument_is_rejected(ids: Any, options: Any, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message) as caught:
        bw_webrtc.connect_bxml(ids, **options)
    assert caught.value.outcome is None


@pytest.mark.parametrize(
    ("ids", "options", "message"),
    [
        (None, {}, "endpoint_ids must be an iterable of str, not NoneType"),
        (5, {}, "endpoint_ids must be an iterable of str, not int"),
        (b"e-1", {}, "endpoint_ids must be an iterable of str, not bytes"),
        ({"e-1": 1}, {}, "endpoint_ids must be an iterable of str, not dict"),
        ([5], {}, r"endpoint_ids\[0\] must be a str, not int"),
        ("e-1", {"event_callback_url": 5}, "event_callback_url must be a str or None, not int"),
        ("e-1", {"event_fallback_url": b"/"}, "event_fallback_url must be a str or None"),
    ],
)
def test_connect_argument_of_wrong_type_is_named(ids: Any, options: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        bw_webrtc.connect_bxml(ids, **options)


def test_uui() -> None:
    assert bw_webrtc.uui("abc.def.ghi") == "abc.def.ghi;encoding=jwt"
    joined = bw_webrtc.uui("abc.def.ghi", CALL)
    first = "93d6f3c0be5845960b744fa28015d8ede84bd1a4;encoding=base64"
    assert joined == f"{first},abc.def.ghi;encoding=jwt"
    assert f'uui="{joined}"' in bw_webrtc.transfer_bxml("abc.def.ghi", CALL)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("",), "token: is empty"),
        (("secret;b",), "token: must not contain semicolons"),
        (("secret\0",), r"token: must not contain U\+0000"),
        (("\ud800",), "token: has a lone surrogate"),
        (("t", "93d6f3c0"), "call_id: .* is not a call id"),
        (("t", ""), "call_id: .* is not a call id"),
        (("t", "c\0"), r"call_id: must not contain U\+0000"),
    ],
)
def test_invalid_uui_argument_is_rejected(arguments: Any, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message) as caught:
        bw_webrtc.uui(*arguments)
    assert "secret" not in str(caught.value)
    with pytest.raises(TypeError, match="call_id must be a str, not int"):
        bw_webrtc.uui("t", 5)  # type: ignore[arg-type]


def test_event_of_each_form_of_endpoints() -> None:
    spec = bw_webrtc.parse_event(
        '{"eventType":"DEVICE_CONNECTED","eventTime":"2026-01-02T03:04:05.678Z",'
        '"endpointId":"e-1","tag":"t","device":{"deviceId":"d-1"},"status":"CONNECTED"}'
    )
    documented = bw_webrtc.parse_event(
        '{"event":"endpointConnected","timestamp":1767323045678,"endpointId":"e-1",'
        '"deviceId":"d-1","tags":"t","accountId":"9"}'
    )
    time = datetime(2026, 1, 2, 3, 4, 5, 678000, timezone.utc)
    for event in (spec, documented):
        assert (event.timestamp, event.endpoint_id, event.tag) == (time, "e-1", "t")
        assert (event.device_id, event.participant_id, event.known) == ("d-1", None, True)
    assert spec.event == documented.event == "endpointConnected"
    assert (spec.raw["status"], documented.account_id) == ("CONNECTED", "9")
    wish = bw_webrtc.parse_event(
        '{"event":"outboundConnectionRequest","timestamp":"1","endpointId":"e-1",'
        '"to":"+1919","toType":"PHONE_NUMBER"}'
    )
    assert (wish.to, wish.to_type) == ("+1919", "PHONE_NUMBER")
    # An unknown event is never rejected, whatever its fields are.
    for odd in ("[]", "{}", "null", "true", "9" * 15, '"x"', "-1"):
        body = f'{{"event":"nextYear","timestamp":{odd},"endpointId":{odd},"to":{odd}}}'
        event = bw_webrtc.parse_event(body)
        assert (event.event, event.known) == ("nextYear", False)


def test_parse_event() -> None:
    body = (
        '{"event": "onConnect", "timestamp": "1605739845431", "participantId": "p", '
        '"deviceId": "d", "tag": "t", "new": 1}'
    )
    for given in (body, body.encode()):
        event = bw_webrtc.parse_event(given)
        assert event.event == "onConnect"
        assert event.timestamp == datetime(2020, 11, 18, 22, 50, 45, 431000, timezone.utc)
        assert event.timestamp.utcoffset() == timedelta(0)
        assert (event.participant_id, event.device_id, event.tag) == ("p", "d", "t")
        assert event.raw["new"] == 1
    moved = bw_webrtc.parse_event('{"eventType":"DEVICE_MOVED","tags":"t","eventTime":[]}')
    assert (moved.event, moved.known, moved.tag) == ("DEVICE_MOVED", False, "t")
    assert (moved.timestamp, moved.participant_id) == (None, None)
    connected = bw_webrtc.parse_event(
        '{"event":"endpointConnected","timestamp":1,"endpointId":"e-1","accountId":"9"}'
    )
    assert (connected.endpoint_id, connected.account_id, connected.known) == ("e-1", "9", True)
    bare = bw_webrtc.parse_event('{"event":"onLeave","timestamp":1,"participantId":"p"}')
    assert (bare.device_id, bare.tag) == (None, None)


@pytest.mark.parametrize(
    "event",
    [
        {"event": "onLeave", "participantId": "p"},
        {"event": "endpointConnected", "endpointId": "e-1"},
        {"event": "nextYear"},
    ],
)
def test_event_with_a_time_that_is_no_datetime(event: Dict[str, Any]) -> None:
    limit = 9007199254740991
    times: List[object] = [limit, 253402300800000]
    if event["event"] != "onLeave":
        times += [-1, limit + 1, 10**30, 1.5, "soon", [1], None, True]
    for time in times:
        parsed = bw_webrtc.parse_event(json.dumps({**event, "timestamp": time}))
        assert (parsed.event, parsed.timestamp) == (event["event"], None)
        assert parsed.raw["timestamp"] == time
    latest = bw_webrtc.parse_event(json.dumps({**event, "timestamp": 253402300799999}))
    assert latest.timestamp is not None
    assert latest.timestamp.year == 9999


def test_parse_event_of_the_sandbox(plain: Sandbox) -> None:
    with WebhookServer() as server, plain.client() as client:
        created = client.create_participant(tag="alice", callback_url=server.url)
        for device, name in (
            (plain.connect, "onConnect"),
            (plain.leave, "onLeave"),
        ):
            device(created.id)
            event = bw_webrtc.parse_event(server.body())
            assert (event.event, event.participant_id) == (name, created.id)
            assert event.tag == "alice"
            assert event.timestamp is not None
            assert abs(datetime.now(timezone.utc) - event.timestamp) < timedelta(minutes=5)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", "event: is empty"),
        (b"\xff", "UTF-8"),
        (b"{}\0", "body: must not contain NUL"),
        ("{}", r"event\.event: is missing"),
        ('{"event":"onLeave"}', r"timestamp: is missing; event\.participantId: is missing"),
        ("[" * 100_000, "event"),
        (
            '{"event":"onLeave","timestamp":1,"participantId":"p","n":' + "9" * 5000 + "}",
            "event: cannot be represented in Python: a number is too long",
        ),
    ],
)
def test_invalid_event_is_rejected(body: Any, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        bw_webrtc.parse_event(body)


def test_token_claims() -> None:
    claims = bw_webrtc.token_claims(
        jwt({"a": "9900000", "p": "p-1", "v": "V3", "exp": 4102444800, "tid": "x"})
    )
    assert (claims.account_id, claims.participant_id, claims.version) == ("9900000", "p-1", "V3")
    assert claims.expires_at == datetime(2100, 1, 1, tzinfo=timezone.utc)
    assert claims.expires_in is not None
    assert claims.claims["tid"] == "x"
    assert abs(datetime.now(timezone.utc) + claims.expires_in - claims.expires_at) < timedelta(
        hours=1
    )
    silent = bw_webrtc.token_claims(jwt({}))
    assert silent == bw_webrtc.TokenClaims()
    past = bw_webrtc.token_claims(jwt({"exp": 1}))
    assert past.expires_in is not None
    assert past.expires_in < timedelta(0)


def test_token_claims_of_the_sandbox(client: Client, sandbox: Sandbox) -> None:
    created = client.create_participant()
    claims = bw_webrtc.token_claims(created.token)
    assert (claims.account_id, claims.participant_id) == (sandbox.account_id, created.id)
    assert claims.expires_in is not None
    assert timedelta(hours=8) < claims.expires_in < timedelta(hours=10)


@pytest.mark.parametrize(
    ("token", "message"),
    [
        ("", "is not a JWT"),
        ("secret.part", "is not a JWT"),
        ("a.secret!.c", "is not base64url"),
        ("a.c2VjcmV0.c", "are not JSON"),
        (jwt(["secret"]), "are not a JSON object"),
        (jwt({"exp": 9e15, "secret": 1}), "exp: 9000000000000000 is beyond"),
        (long_number, "token: cannot be represented in Python: a number is too long"),
    ],
)
def test_invalid_token_is_rejected_without_quoting_it(token: str, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message) as caught:
        bw_webrtc.token_claims(token)
    assert "secret" not in str(caught.value) + str(caught.value.document)
