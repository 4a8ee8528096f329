"""The documents of the service, as frozen dataclasses.

A response is never rejected because a field is missing, null, unknown or of another type: such a
field is None or empty here, and ``raw`` contains everything that was received.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Dict, Optional, Sequence, Tuple
from urllib.parse import unquote

from ._arguments import items, wrong_type

# `raw` is not part of repr, because repr may be logged and `raw` may contain a token, and not of
# comparisons, so that objects are hashable.


@dataclass(frozen=True)
class ParticipantSubscription:
    """A participant whom another participant hears and sees.

    Raises:
        TypeError: A value is of the wrong type.
    """

    participant_id: str
    stream_aliases: Sequence[str] = ()
    """The streams of the participant; if empty, all of them."""
    raw: Dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.participant_id, str):
            raise wrong_type("participant_id", "a str", self.participant_id)
        aliases = tuple(items("stream_aliases", "an iterable of str", self.stream_aliases))
        for at, alias in enumerate(aliases):
            if not isinstance(alias, str):
                raise wrong_type(f"stream_aliases[{at}]", "a str", alias)
        object.__setattr__(self, "stream_aliases", aliases)

    @classmethod
    def from_raw(cls, value: object) -> ParticipantSubscription:
        """Creates the object from the service's JSON form."""
        raw = _object(value)
        return cls(
            participant_id=_text(raw, "participantId") or "",
            stream_aliases=_texts(raw, "streamAliases"),
            raw=raw,
        )

    def to_raw(self) -> Dict[str, Any]:
        """Returns the service's JSON form."""
        raw: Dict[str, Any] = {"participantId": self.participant_id}
        if self.stream_aliases:
            raw["streamAliases"] = list(self.stream_aliases)
        return raw


@dataclass(frozen=True)
class Subscriptions:
    """Whom a participant hears and sees.

    With ``participants``: only these. An id in ``participants`` means all streams of that
    participant. Otherwise, with a ``session_id``: everyone in that session, including participants
    that join later. With neither: nobody.

    Raises:
        TypeError: A value is of the wrong type.
    """

    session_id: Optional[str] = None
    participants: Sequence[ParticipantSubscription] = ()
    raw: Dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.session_id is not None and not isinstance(self.session_id, str):
            raise wrong_type("session_id", "a str or None", self.session_id)
        wanted = "ParticipantSubscription or a participant's id"
        participants = [
            ParticipantSubscription(item) if isinstance(item, str) else item
            for item in items("participants", f"an iterable of {wanted}", self.participants)
        ]
        for at, item in enumerate(participants):
            if not isinstance(item, ParticipantSubscription):
                raise wrong_type(f"participants[{at}]", wanted, item)
        object.__setattr__(self, "participants", tuple(participants))

    @classmethod
    def to(cls, *participant_ids: str) -> Subscriptions:
        """Subscriptions to all streams of these participants."""
        return cls(participants=tuple(map(ParticipantSubscription, participant_ids)))

    @classmethod
    def from_raw(cls, value: object) -> Subscriptions:
        """Creates the object from the service's JSON form."""
        raw = _object(value)
        participants = raw.get("participants")
        if not isinstance(participants, list):
            participants = []
        return cls(
            session_id=_text(raw, "sessionId"),
            participants=tuple([ParticipantSubscription.from_raw(item) for item in participants]),
            raw=raw,
        )

    def to_raw(self) -> Dict[str, Any]:
        """Returns the service's JSON form."""
        raw: Dict[str, Any] = {}
        if self.session_id is not None:
            raw["sessionId"] = self.session_id
        if self.participants:
            raw["participants"] = [item.to_raw() for item in self.participants]
        return raw


@dataclass(frozen=True)
class Participant:
    """A participant: an endpoint that may publish media and hear others."""

    id: str
    """Empty if the service omitted it."""
    publish_permissions: Tuple[str, ...] = ()
    """Any of ``Permission``, in any order."""
    tag: Optional[str] = None
    callback_url: Optional[str] = None
    device_api_version: Optional[str] = None
    sessions: Tuple[str, ...] = ()
    """The ids of its sessions: at most one."""
    subscriptions: Subscriptions = field(default_factory=Subscriptions)
    raw: Dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def from_raw(cls, value: object) -> Participant:
        """Creates the object from the service's JSON form."""
        raw = _object(value)
        return cls(
            id=_text(raw, "id") or "",
            publish_permissions=_texts(raw, "publishPermissions"),
            tag=_text(raw, "tag"),
            callback_url=_text(raw, "callbackUrl"),
            device_api_version=_text(raw, "deviceApiVersion"),
            sessions=_texts(raw, "sessions"),
            subscriptions=Subscriptions.from_raw(raw.get("subscriptions")),
            raw=raw,
        )


@dataclass(frozen=True)
class CreatedParticipant:
    """A participant that was just created, with the token for its device.

    The service returns the token only once. Anyone who has it can join as this participant, so
    ``repr`` does not contain it.
    """

    participant: Participant
    token: str = field(repr=False)
    raw: Dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def id(self) -> str:
        """The participant's id."""
        if "participant" in self.__dict__:
            return self.participant.id
        return _text(_object(self.raw.get("participant")), "id") or ""

    @classmethod
    def from_raw(cls, value: object) -> CreatedParticipant:
        """Creates the object from the service's JSON form."""
        raw = _object(value)
        created = cls.__new__(cls)
        # The constructor would also create the participant, of which most callers need only the
        # id: __getattr__ creates it.
        object.__setattr__(created, "token", _text(raw, "token") or "")
        object.__setattr__(created, "raw", raw)
        return created

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            """Creates the participant on first use."""
            if name != "participant":
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            participant = Participant.from_raw(self.raw.get("participant"))
            return self.__dict__.setdefault("participant", participant)


@dataclass(frozen=True)
class Session:
    """A session, whose participants can hear each other."""

    id: str
    """Empty if the service omitted it."""
    tag: Optional[str] = None
    raw: Dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def from_raw(cls, value: object) -> Session:
        """Creates the object from the service's JSON form."""
        raw = _object(value)
        return cls(id=_text(raw, "id") or "", tag=_text(raw, "tag"), raw=raw)


@dataclass(frozen=True)
class Device:
    """A device that is connected to an endpoint (BRTC)."""

    id: str
    """Empty if the service omitted it."""
    name: Optional[str] = None
    status: Optional[str] = None
    """An ``EndpointStatus``."""
    created_at: Optional[datetime] = None
    """An aware datetime."""
    raw: Dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def from_raw(cls, value: object) -> Device:
        """Creates the object from the service's JSON form."""
        raw = _object(value)
        return cls(
            id=_text(raw, "deviceId") or "",
            name=_text(raw, "deviceName"),
            status=_text(raw, "status"),
            created_at=_time(raw, "creationTimestamp"),
            raw=raw,
        )


@dataclass(frozen=True)
class Endpoint:
    """An endpoint (BRTC): a device of a user, which phone calls are connected to.

    The service returns the token only when it creates the endpoint: see ``CreatedEndpoint``.
    """

    id: str
    """Empty if the service omitted it."""
    type: Optional[str] = None
    """``"WEBRTC"``."""
    status: Optional[str] = None
    """An ``EndpointStatus``."""
    tag: Optional[str] = None
    created_at: Optional[datetime] = None
    """An aware datetime."""
    expires_at: Optional[datetime] = None
    """When the endpoint and its token expire (an aware datetime)."""
    devices: Tuple[Device, ...] = ()
    """Its devices; empty in a page."""
    raw: Dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """The endpoint, which is the ``data`` of the response."""

    @classmethod
    def from_raw(cls, value: object) -> Endpoint:
        """Creates the object from the service's JSON form, also inside of ``data``."""
        return cls(**_endpoint(value))


@dataclass(frozen=True)
class CreatedEndpoint(Endpoint):
    """An endpoint that was just created, with the token for its device.

    The service returns the token only once. Anyone who has it can connect as this endpoint, so
    ``repr`` does not contain it.
    """

    token: str = field(default="", repr=False)

    @classmethod
    def from_raw(cls, value: object) -> CreatedEndpoint:
        """Creates the object from the service's JSON form, also inside of ``data``."""
        fields = _endpoint(value)
        return cls(**fields, token=_text(fields["raw"], "token") or "")


@dataclass(frozen=True)
class EndpointPage:
    """One page of the account's endpoints (BRTC)."""

    endpoints: Tuple[Endpoint, ...] = ()
    next_cursor: Optional[str] = None
    """The ``after_cursor`` of the next page; None for the last page."""
    total: Optional[int] = None
    """The number of endpoints in all pages; None if the service omitted it."""
    raw: Dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def from_raw(cls, value: object) -> EndpointPage:
        """Creates the object from the service's JSON form."""
        raw = _object(value)
        data = raw.get("data")
        total = _object(raw.get("page")).get("totalElements")
        return cls(
            endpoints=tuple(map(Endpoint.from_raw, data)) if isinstance(data, list) else (),
            next_cursor=_next_cursor(raw),
            total=total if type(total) is int else None,
            raw=raw,
        )


@dataclass(frozen=True)
class Reload:
    """What ``reload`` found."""

    credentials_replaced: bool
    """Whether the credentials have changed, and were replaced."""
    needs_new_client: Tuple[str, ...] = ()
    """The keys of other settings that have changed. They apply only to new clients."""

    @classmethod
    def from_raw(cls, value: object) -> Reload:
        """Creates the object from the document of ``bw_client_reload``."""
        raw = _object(value)
        return cls(
            raw.get("credentialsReplaced") is True,
            tuple(map(str, raw.get("needsNewClient") or ())),
        )


@dataclass(frozen=True)
class LateObject:
    """A participant, session or endpoint that was created, and that no caller received."""

    operation: str
    """``"createParticipant"``, ``"createSession"`` or ``"createEndpoint"``."""
    id: str
    tag: Optional[str] = None


@dataclass(frozen=True)
class LateObjects:
    """The objects that ``take_late`` found, in a client or an ``AsyncClient``."""

    objects: Tuple[LateObject, ...] = ()
    dropped: int = 0
    """The number of objects that were removed because the list was full."""

    @classmethod
    def from_raw(cls, value: object) -> LateObjects:
        """Creates the object from the document of ``bw_client_take_late``."""
        raw = _object(value)
        entries = [_object(entry) for entry in raw.get("late") or ()]
        objects = [
            LateObject(
                _text(entry, "operation") or "", _text(entry, "id") or "", _text(entry, "tag")
            )
            for entry in entries
        ]
        return cls(tuple(objects), int(raw.get("dropped") or 0))


@dataclass(frozen=True)
class Event:
    """A webhook, such as: a device of a participant or an endpoint has connected."""

    event: str
    """For example ``"onConnect"`` (WebRTC v1) or ``"endpointConnected"`` (BRTC Endpoints)."""
    timestamp: Optional[datetime] = None
    """The time of the event, in UTC (an aware datetime). None if it is missing, or no number
    of milliseconds that a datetime can represent: see ``raw``."""
    participant_id: Optional[str] = None
    """The participant; None for events of BRTC Endpoints."""
    device_id: Optional[str] = None
    tag: Optional[str] = None
    """The tag of the participant or endpoint."""
    endpoint_id: Optional[str] = None
    """The endpoint; None for events of WebRTC v1."""
    account_id: Optional[str] = None
    to: Optional[str] = None
    """What the endpoint wants to be connected to."""
    to_type: Optional[str] = None
    """``"PHONE_NUMBER"``, ``"CALL_ID"`` or ``"ENDPOINT"``."""
    known: bool = True
    """False for an event that this version does not know. Its fields are not checked."""
    raw: Dict[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class TokenClaims:
    """The claims of a token. They are not verified: only the service can do that."""

    account_id: Optional[str] = None
    participant_id: Optional[str] = None
    version: Optional[str] = None
    """``"V3"``."""
    expires_at: Optional[datetime] = None
    """In UTC (an aware datetime); None if the token does not contain it."""
    expires_in: Optional[timedelta] = None
    """The time from the call to the expiry; negative if the token has expired."""
    claims: Dict[str, Any] = field(default_factory=dict, compare=False)
    """All claims, including unknown ones."""


def _object(value: object) -> Dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(raw: Dict[str, Any], key: str) -> Optional[str]:
    value = raw.get(key)
    return value if isinstance(value, str) else None


def _texts(raw: Dict[str, Any], key: str) -> Tuple[str, ...]:
    value = raw.get(key)
    if not isinstance(value, list):
        return ()
    return tuple([item for item in value if isinstance(item, str)])


_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:?\d\d)?")


def _time(raw: Dict[str, Any], key: str) -> Optional[datetime]:
    """A time in the form of ISO 8601. Without an offset, it is UTC."""
    # Python 3.8 reads neither "Z" nor a fraction of any length.
    match = _TIME.fullmatch(_text(raw, key) or "")
    if match is None:
        return None
    seconds, fraction, offset = match.groups()
    try:
        time = datetime.strptime(seconds, "%Y-%m-%dT%H:%M:%S")
        zone = datetime.strptime((offset or "Z"), "%z").tzinfo or timezone.utc
    except ValueError:
        return None
    return time.replace(microsecond=int(f"{fraction or 0:0<6}"[:6]), tzinfo=zone)


def _endpoint(value: object) -> Dict[str, Any]:
    """The fields of an endpoint."""
    raw = _object(value)
    raw = _object(raw.get("data", raw))
    devices = raw.get("devices")
    return {
        "id": _text(raw, "endpointId") or "",
        "type": _text(raw, "type"),
        "status": _text(raw, "status"),
        "tag": _text(raw, "tag"),
        "created_at": _time(raw, "creationTimestamp"),
        "expires_at": _time(raw, "expirationTimestamp"),
        "devices": tuple(map(Device.from_raw, devices)) if isinstance(devices, list) else (),
        "raw": raw,
    }


def _next_cursor(envelope: Dict[str, Any]) -> Optional[str]:
    """The cursor in the link to the next page. The link itself is never followed."""
    links = envelope.get("links")
    for link in map(_object, links if isinstance(links, list) else ()):
        if _text(link, "rel") == "next":
            query = (_text(link, "href") or "").partition("#")[0].partition("?")[2]
            for name, _, value in (part.partition("=") for part in query.split("&")):
                if name == "afterCursor" and value:
                    # A plus sign of Base64 is not a space, even if the service does not escape it.
                    return unquote(value)
    return None
