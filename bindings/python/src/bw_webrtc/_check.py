"""``python -m bw_webrtc check``: a harmless call to each service, and a report."""

from __future__ import annotations

import os
import shlex
import stat
from pathlib import Path
from typing import Callable, List, NamedTuple, Optional, Tuple, Type

from . import _config
from .client import SERVICE, Client
from .errors import (
    BwError,
    CallTimeoutError,
    ConfigError,
    ConnectError,
    ForbiddenError,
    NetworkError,
    NotFoundError,
    ProtocolError,
    ProxyError,
    RateLimitedError,
    ResolveError,
    ServerError,
    TlsError,
    UnauthorizedError,
)

_MISSING_PARTICIPANT = "00000000-0000-0000-0000-000000000000"
"""The id of a participant that does not exist: reading it changes nothing."""
_VARIABLES = {
    "accountId": "BW_ACCOUNT_ID",
    "clientId": "BW_CLIENT_ID",
    "baseUrl": "BW_BASE_URL",
    "endpointsUrl": "BW_ENDPOINTS_URL",
    "tokenUrl": "BW_TOKEN_URL",
}
_ENDPOINTS = "https://api.bandwidth.com/v2"
_TOKEN_ENDPOINT = "https://api.bandwidth.com/api/v1/oauth2/token"

# The beginning of the library's messages about token requests.
_TOKEN = "the token request"
_FAILED = f"{_TOKEN} failed: "
_USE = "use BW_CLIENT_ID and BW_CLIENT_SECRET"

# What each failure means, and the number of _STEPS that succeeded before it.
_STEPS = ("the host name", "the connection", "TLS")
_FAILURES: Tuple[Tuple[Type[BwError], str, int], ...] = (
    (ProxyError, "the proxy does not forward the request", 0),
    (ResolveError, "the host name is wrong, or cannot be resolved", 0),
    (ConnectError, "no connection can be made", 1),
    (TlsError, "TLS fails", 2),
    (CallTimeoutError, "there is no response in time", 0),
    (NetworkError, "the connection is lost", 0),
    (ProtocolError, "the response is not from the service", 3),
    (RateLimitedError, "the service accepts no more calls at the moment", 3),
    (ServerError, "the service failed", 3),
)


class _Service(NamedTuple):
    """A service, and the call that tests it, which changes nothing."""

    name: str
    key: str
    """The key of its URL."""
    url: str
    """The default of its URL."""
    call: Callable[[Client], object]


_SERVICES = (
    _Service(
        "WebRTC v1", "baseUrl", SERVICE, lambda client: client.get_participant(_MISSING_PARTICIPANT)
    ),
    _Service("BRTC", "endpointsUrl", _ENDPOINTS, lambda client: client.list_endpoints(limit=1)),
)


class _Result(NamedTuple):
    """What is known after the call to a service."""

    sentence: str
    is_right: bool = False
    may_be_so: bool = False
    """Whether the sentence is no problem if the other service is right."""
    concerns_all: bool = False
    """Whether the other service would give the same result."""


def check(
    *, ca_file: Optional[str] = None, proxy: Optional[str] = None, timeout: Optional[float] = None
) -> Tuple[bool, str]:
    """Makes one call to each service with the credentials in the environment.

    Args:
        ca_file: As in ``Client``.
        proxy: As in ``Client``.
        timeout: As in ``Client``.

    Returns:
        Whether one service can be used and nothing is wrong with the other, and the text to print.

    Raises:
        LibraryError: The shared library is not found.
    """
    results: List[_Result] = []
    try:
        with Client.from_env(ca_file=ca_file, proxy=proxy, timeout=timeout) as client:
            for service in _SERVICES:
                results.append(_check(client, service))
                if results[-1].concerns_all:
                    break
    except ConfigError as error:
        results.append(_Result(f"the configuration: {error.message}"))
    good = any(one.is_right for one in results) and all(
        one.is_right or one.may_be_so for one in results
    )
    lines = []
    for one in results:
        label = "right" if one.is_right else "not usable" if good else "wrong"
        lines.append(f"{label}: {one.sentence}")
    if good and not _uses_token():
        lines.append(f"warning: user names stop working on 2 December 2026: {_USE}")
    return good, "\n".join(filter(None, [*lines, _warning()]))


def _check(client: Client, service: _Service) -> _Result:
    # Only now, when the library has accepted the settings file.
    url = _setting(service.key) or service.url
    try:
        service.call(client)
    except ConfigError as error:
        return _Result(f"{service.name}: the configuration: {error.message}", may_be_so=True)
    except NotFoundError as error:
        # The expected response to the first call. That of another server has another body.
        if service.url != SERVICE or not isinstance(error.body, dict):
            what = f"{url} responds, but not as the service does: {error.message}"
            return _Result(f"{service.name}: {what}")
    except BwError as error:
        at_token = error.message.startswith(_TOKEN)
        sentence = _sentence(error, service, url, at_token=at_token)
        if at_token:
            return _Result(sentence, concerns_all=True)
        may_be_so = isinstance(error, (UnauthorizedError, ForbiddenError))
        return _Result(f"{service.name}: {sentence}", may_be_so=may_be_so)
    right = [*_steps(url, 3), "the credentials", "the account"]
    account = _setting("accountId")
    return _Result(f"{service.name}: {_join(right)} (account {account} at {url})", is_right=True)


def _uses_token() -> bool:
    if os.environ.get("BW_CLIENT_ID") or os.environ.get("BW_CLIENT_SECRET"):
        return True
    is_user = os.environ.get("BW_USERNAME") or os.environ.get("BW_PASSWORD")
    return not is_user and bool(_setting("clientId"))


def _setting(key: str) -> str:
    """A setting in the environment or the settings file; empty if it is missing."""
    variable, file = os.environ.get(_VARIABLES[key]), os.environ.get("BW_CONFIG_FILE")
    return variable or (_config.read_file(file).get(key, "") if file else "")


def _warning() -> str:
    """A warning if others can read the settings file."""
    path = os.environ.get("BW_CONFIG_FILE")
    try:
        about = Path(path).stat() if path else None
    except (OSError, ValueError):
        return ""
    if path is None or about is None:
        return ""
    everyone = about.st_mode & stat.S_IROTH
    group = about.st_mode & stat.S_IRGRP and about.st_gid not in (0, os.getegid())
    if not everyone and not group:
        return ""
    change = "o-r" if not group else "g-r" if not everyone else "go-r"
    who = "every user" if everyone else "another group"
    return (
        f"warning: {who} can read {path}; unless a container mounts it for this process alone, "
        f"run: chmod {change} {shlex.quote(path)}"
    )


def _sentence(error: BwError, service: _Service, url: str, *, at_token: bool) -> str:
    """The sentence for an error: first what is right, then what is wrong."""
    if at_token:
        url = _setting("tokenUrl") or _TOKEN_ENDPOINT
    kind = next((entry for entry in _FAILURES if isinstance(error, entry[0])), None)
    if kind is not None:
        _, what, succeeded = kind
        right, words = _steps(url, succeeded), error.message
        if at_token:
            what = f"the token endpoint gives no token: {what}"
            words = words[len(_FAILED) :] if words.startswith(_FAILED) else words
    elif error.http_status is None:
        right, what, words = [], error.message, ""
    else:
        right, what = _rejection(error, service, at_token=at_token)
        right = _steps(url, 3) + right
        # The service's own words follow the library's, for which `what` is a replacement.
        words = error.message.partition(": ")[2]
    before = f"{_join(right)} {'is' if len(right) == 1 else 'are'} right, but " if right else ""
    after = f": {words}" if words not in what else ""
    return f"{before}{what}{after} ({error.name}, {url})"


def _rejection(error: BwError, service: _Service, *, at_token: bool) -> Tuple[List[str], str]:
    """For an HTTP error: what else is right, and what is wrong."""
    http = f"HTTP {error.http_status}"
    if isinstance(error, UnauthorizedError) and not _uses_token():
        return [], (
            "the user name or password is wrong (BW_USERNAME, BW_PASSWORD) or has no access to the "
            f"account (BW_ACCOUNT_ID), {http}; Bandwidth disabled user names on 2 December 2026: "
            + _USE
        )
    if isinstance(error, UnauthorizedError) and at_token:
        return [], f"the client id or secret is wrong (BW_CLIENT_ID, BW_CLIENT_SECRET), {http}"
    if at_token:
        return [], (
            f"the token endpoint rejects the request ({http}): check BW_TOKEN_URL and the "
            "credential"
        )
    if isinstance(error, (UnauthorizedError, ForbiddenError)):
        # It is not documented whether the service rejects a wrong account with 401 or 403.
        return ["the credentials"], (
            "the credential has no access to the account (BW_ACCOUNT_ID) or no role for "
            f"{service.name}, or the path in {_VARIABLES[service.key]} is wrong, {http}"
        )
    return [], f"the service rejects the request ({http})"


def _steps(url: str, count: int) -> List[str]:
    """The first steps of a request to this URL."""
    return [step for step in _STEPS[:count] if step != "TLS" or url.startswith("https:")]


def _join(words: List[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]])) if words else ""
