"""``python -m bw_webrtc check``: one harmless call, and a sentence that states what is wrong."""

from __future__ import annotations

import os
from typing import List, Optional, Tuple, Type

from .client import Client
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

NOBODY = "00000000-0000-0000-0000-000000000000"
"""The id of a participant that does not exist: reading it changes nothing."""
SERVICE = "https://api.webrtc.bandwidth.com/v1"
TOKEN_ENDPOINT = "https://api.bandwidth.com/api/v1/oauth2/token"

# The beginning of the library's messages about token requests.
_TOKEN = "the token request"

# What a failure means at a server, and how many of _STEPS succeeded before it.
_STEPS = ("the name", "the connection", "TLS")
_SERVER: Tuple[Tuple[Type[BwError], str, int], ...] = (
    (ProxyError, "the proxy does not forward the request", 0),
    (ResolveError, "the name is wrong, or cannot be resolved", 0),
    (ConnectError, "no connection can be made", 1),
    (TlsError, "TLS fails", 2),
    (CallTimeoutError, "there is no response in time", 0),
    (NetworkError, "the connection is lost", 0),
    (ProtocolError, "the response is not one of the service", 3),
    (RateLimitedError, "the service accepts no more calls at the moment", 3),
    (ServerError, "the service is out of order", 3),
)


def check(
    *, ca_file: Optional[str] = None, proxy: Optional[str] = None, timeout: Optional[float] = None
) -> Tuple[bool, str]:
    """Whether a call succeeds, and the sentence to print.

    The credentials are those of the environment. Raises ``LibraryError``.
    """
    url = os.environ.get("BW_BASE_URL") or SERVICE
    account = os.environ.get("BW_ACCOUNT_ID", "")
    try:
        with Client.from_env(ca_file=ca_file, proxy=proxy, timeout=timeout) as client:
            client.get_participant(NOBODY)
    except ConfigError as error:
        return False, f"wrong: the configuration: {error.message}"
    except NotFoundError as error:
        # The expected response. The 404 of another server is not the service's document.
        if not isinstance(error.body, dict):
            return False, f"wrong: {url} responds, but not as the service does: {error.message}"
    except BwError as error:
        return False, _sentence(error, url)
    right = [*_steps(url, 3), "the credentials", "the account"]
    return True, f"right: {_and(right)} (account {account} at {url})"


def _sentence(error: BwError, url: str) -> str:
    """What is wrong, after what is right."""
    uses_token = bool(os.environ.get("BW_CLIENT_ID"))
    names = "BW_CLIENT_ID, BW_CLIENT_SECRET" if uses_token else "BW_USERNAME, BW_PASSWORD"
    pair = "client id or secret" if uses_token else "user name or password"
    at_token = error.message.startswith(_TOKEN)
    if at_token:
        url = os.environ.get("BW_TOKEN_URL") or TOKEN_ENDPOINT
    if isinstance(error, UnauthorizedError) and (at_token or not uses_token):
        right, what = _steps(url, 3), f"the {pair} is wrong ({names})"
    elif isinstance(error, UnauthorizedError):
        right = [*_steps(url, 3), "the credentials"]
        what = "the credential has no access to the account (401; BW_ACCOUNT_ID)"
    elif isinstance(error, ForbiddenError) and not at_token:
        right = [*_steps(url, 3), "the credentials"]
        what = (
            "the credential has no role for WebRTC (403), or it is not of this account "
            "(BW_ACCOUNT_ID), or the path in BW_BASE_URL is wrong"
        )
    else:
        what, known = next(
            ((what, known) for kind, what, known in _SERVER if isinstance(error, kind)),
            ("there is no usable response", 0),
        )
        right = _steps(url, known)
        if at_token:
            what = f"the token endpoint gives no token: {what}"
    before = f"{_and(right)} {'is' if len(right) == 1 else 'are'} right, but " if right else ""
    return f"wrong: {before}{what}: {error.message} ({error.name}, {url})"


def _steps(url: str, count: int) -> List[str]:
    """The first of the steps that a request to this URL takes."""
    return [step for step in _STEPS[:count] if step != "TLS" or url.startswith("https:")]


def _and(words: List[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]])) if words else ""
