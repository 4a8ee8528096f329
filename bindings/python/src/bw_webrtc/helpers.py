"""Functions that need neither a client nor the network: BXML, webhooks, tokens."""

from __future__ import annotations

import contextlib
import warnings
from datetime import datetime, timedelta, timezone
from typing import Any, Dict, Iterable, Optional, Union

from . import _arguments as arguments
from . import _library
from .models import Event, TokenClaims

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
# The library's own limit for times in milliseconds.
_TIME_LIMIT = 1 << 53


class BxmlWarning(UserWarning):
    """The BXML exceeds a limit that the service documents."""


def transfer_bxml(token: str, call_id: Optional[str] = None, sip_uri: Optional[str] = None) -> str:
    """Creates the BXML that moves a phone call into a session, the response to a voice webhook.

    It warns with ``BxmlWarning`` if the ``uui`` is longer than its documented limit of 256
    characters, which is the case with a call id and a real token.

    Args:
        token: The participant's token.
        call_id: The id of the phone call, such as
            ``"c-93d6f3c0-be584596-0b74-4fa2-8015-d8ede84bd1a4"``.
        sip_uri: The URI to transfer the call to (default: the service's bridge).

    Returns:
        The BXML. The arguments are checked and escaped.

    Raises:
        InvalidArgumentError: An argument cannot be part of the BXML.
    """
    result = _document(
        "token",
        "bw_transfer_bxml",
        _bytes("token", token),
        None if call_id is None else _bytes("call_id", call_id),
        None if sip_uri is None else _bytes("sip_uri", sip_uri),
    )
    for warning in result["warnings"]:
        warnings.warn(warning, BxmlWarning, stacklevel=2)
    return str(result["bxml"])


def connect_bxml(
    endpoint_ids: Union[str, Iterable[str]],
    *,
    event_callback_url: Optional[str] = None,
    event_fallback_url: Optional[str] = None,
) -> str:
    """Creates the BXML that connects a phone call to endpoints (BRTC).

    It is the response to a voice webhook.

    Args:
        endpoint_ids: The id of an endpoint, or the ids of several.
        event_callback_url: The URL to which the service sends webhooks about the connection. It
            may be relative.
        event_fallback_url: The URL for webhooks that ``event_callback_url`` did not accept.

    Returns:
        The BXML. The arguments are checked and escaped.

    Raises:
        InvalidArgumentError: An argument cannot be part of the BXML.
    """
    ids = [endpoint_ids] if isinstance(endpoint_ids, str) else endpoint_ids
    options = ""
    if event_callback_url is not None:
        url = arguments.json_string("event_callback_url", event_callback_url, None)
        options += f',"eventCallbackUrl":{url}'
    if event_fallback_url is not None:
        url = arguments.json_string("event_fallback_url", event_fallback_url, None)
        options += f',"eventFallbackUrl":{url}'
    result = _document(
        "endpoint_ids",
        "bw_connect_bxml",
        arguments.json_strings("endpoint_ids", ids, None).encode(),
        f"{{{options[1:]}}}".encode(),
    )
    return str(result["bxml"])


def uui(token: str, call_id: Optional[str] = None) -> str:
    """Creates the uui value with which a phone call joins the session of a participant.

    ``transfer_bxml`` writes it into a ``<Transfer>``. The value alone is needed for ``<Bridge>``,
    ``<Conference>``, and calls that the Voice API makes. WebRTC v1 only.

    Args:
        token: The participant's token.
        call_id: The id of the phone call, as for ``transfer_bxml``.

    Returns:
        The value. It contains the token: it is a secret.

    Raises:
        InvalidArgumentError: An argument is invalid.
    """
    value = _library.load().call(
        "bw_uui",
        _bytes("token", token),
        None if call_id is None else _bytes("call_id", call_id),
    )
    return (value or b"").decode()


def parse_event(body: Union[str, bytes]) -> Event:
    """Validates a webhook and converts it to one form. Unknown events are not rejected.

    Args:
        body: The body of the request that the service sent to a callback URL.

    Returns:
        The event.

    Raises:
        InvalidArgumentError: The body is invalid; the message names every invalid field.
    """
    if isinstance(body, bytes):
        at = body.find(b"\0")
        if at >= 0:
            raise arguments.invalid(f"body: must not contain NUL (at index {at})")
    else:
        body = _bytes("body", body, wanted="a str or bytes")
    raw = _document("event", "bw_parse_event", body)
    millis = raw.get("timestamp")
    timestamp = None
    # Some events may have any timestamp, and the library's limit is beyond that of a datetime.
    if type(millis) is int and 0 <= millis < _TIME_LIMIT:
        with contextlib.suppress(OverflowError):
            timestamp = _EPOCH + timedelta(milliseconds=millis)

    def text(key: str) -> Optional[str]:
        value = raw.get(key)
        return value if isinstance(value, str) else None

    return Event(
        event=raw["event"],
        timestamp=timestamp,
        participant_id=text("participantId"),
        device_id=text("deviceId"),
        tag=text("tag"),
        endpoint_id=text("endpointId"),
        account_id=text("accountId"),
        to=text("to"),
        to_type=text("toType"),
        known=raw.get("known") is not False,
        raw=raw,
    )


def token_claims(token: str) -> TokenClaims:
    """Decodes the claims of a token. The claims are not verified.

    Args:
        token: The token of a participant or an endpoint.

    Returns:
        The claims.

    Raises:
        InvalidArgumentError: The token is invalid. The message contains no part of it.
    """
    document = _document("token", "bw_token_claims", _bytes("token", token))
    expires_at, expires_in = document["expiresAt"], document["expiresInMs"]
    return TokenClaims(
        account_id=document["accountId"],
        participant_id=document["participantId"],
        version=document["version"],
        expires_at=(None if expires_at is None else _after_epoch("token: exp", expires_at)),
        expires_in=None if expires_in is None else timedelta(milliseconds=expires_in),
        claims=document["claims"],
    )


def _document(name: str, function: str, *texts: Optional[bytes]) -> Dict[str, Any]:
    text = _library.load().call(function, *texts)
    try:
        document: Dict[str, Any] = _library.decode(text)
    except _library.NOT_REPRESENTABLE as error:
        raise arguments.invalid(
            f"{name}: cannot be represented in Python: {_library.reason(error)}"
        ) from None
    return document


def _bytes(name: str, value: object, *, wanted: str = "a str") -> bytes:
    return arguments.text(name, value, wanted=wanted).encode()


def _after_epoch(name: str, seconds: int) -> datetime:
    try:
        return _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        raise arguments.invalid(f"{name}: {seconds} is beyond the years of a datetime") from None
