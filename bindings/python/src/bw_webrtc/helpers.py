"""Functions that need no client and no network: BXML, webhooks, tokens."""

from __future__ import annotations

import warnings
from datetime import datetime, timedelta, timezone
from typing import Any, Dict, Optional, Union

from . import _arguments as arguments
from . import _library
from .models import Event, TokenClaims

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class BxmlWarning(UserWarning):
    """The BXML was made, but something about it is beyond what is documented."""


def transfer_bxml(token: str, call_id: Optional[str] = None, sip_uri: Optional[str] = None) -> str:
    """Makes the BXML that moves a phone call into a session, for the answer to a voice webhook.

    ``token``: the participant's. ``call_id``: the phone call's
    (``"c-93d6f3c0-be584596-0b74-4fa2-8015-d8ede84bd1a4"``). ``sip_uri``: where to transfer to
    (the service's bridge). All is checked and escaped.

    Warns with ``BxmlWarning`` where the ``uui`` is longer than its documented 256 characters, as
    it is with a call id. Raises ``InvalidArgumentError``.
    """
    made = _document(
        "token",
        "bw_transfer_bxml",
        _bytes("token", token),
        None if call_id is None else _bytes("call_id", call_id),
        None if sip_uri is None else _bytes("sip_uri", sip_uri),
    )
    for warning in made["warnings"]:
        warnings.warn(warning, BxmlWarning, stacklevel=2)
    return str(made["bxml"])


def parse_event(body: Union[str, bytes]) -> Event:
    """Checks a webhook, the body of a request that the service posted to a callback URL.

    Raises ``InvalidArgumentError``, which names every field that is wrong.
    """
    if isinstance(body, bytes):
        at = body.find(b"\0")
        if at >= 0:
            raise arguments.refuse(f"body: must not contain NUL (at index {at})")
    else:
        body = _bytes("body", body, wanted="a str or bytes")
    raw = _document("event", "bw_parse_event", body)
    return Event(
        event=raw["event"],
        timestamp=_after_epoch("event.timestamp", timedelta(milliseconds=1), raw["timestamp"]),
        participant_id=raw["participantId"],
        device_id=raw.get("deviceId"),
        tag=raw.get("tag"),
        raw=raw,
    )


def token_claims(token: str) -> TokenClaims:
    """Reads the claims of a participant's token. They are not verified: only the service can.

    Raises ``InvalidArgumentError``, which quotes nothing of the token.
    """
    told = _document("token", "bw_token_claims", _bytes("token", token))
    at, millis = told["expiresAt"], told["expiresInMs"]
    return TokenClaims(
        account_id=told["accountId"],
        participant_id=told["participantId"],
        version=told["version"],
        expires_at=None if at is None else _after_epoch("token: exp", timedelta(seconds=1), at),
        expires_in=None if millis is None else timedelta(milliseconds=millis),
        claims=told["claims"],
    )


def _document(name: str, function: str, *texts: Optional[bytes]) -> Dict[str, Any]:
    text = _library.load().call(function, *texts)
    try:
        document: Dict[str, Any] = _library.decode(text)
    except _library.NOT_REPRESENTABLE as error:
        raise arguments.refuse(
            f"{name}: cannot be represented in Python: {_library.reason(error)}"
        ) from None
    return document


def _bytes(name: str, value: object, *, wanted: str = "a str") -> bytes:
    return arguments.text(name, value, wanted=wanted).encode()


def _after_epoch(name: str, unit: timedelta, count: int) -> datetime:
    try:
        return _EPOCH + count * unit
    except OverflowError:
        raise arguments.refuse(f"{name}: {count} is beyond the years of a datetime") from None
