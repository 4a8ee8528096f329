"""``python -m bw_webrtc check``: one harmless call, and a sentence on what is right or wrong.

Not here: the command line, which is ``__main__``'s.
"""

from __future__ import annotations

import os
from typing import List, Optional, Tuple, Type

from .client import Client
from .errors import (
    BwError,
    ConfigError,
    ConnectError,
    ForbiddenError,
    LibraryError,
    NotFoundError,
    ProxyError,
    RateLimitedError,
    ResolveError,
    ServerError,
    TlsError,
    UnauthorizedError,
)

NOBODY = "00000000-0000-0000-0000-000000000000"
"""A participant's id that the service does not give: reading it changes nothing."""
SERVICE = "https://api.webrtc.bandwidth.com/v1"
_VARIABLES = ("BW_ACCOUNT_ID", "BW_USERNAME", "BW_PASSWORD")

# What a failure puts wrong, and how much is known to be right then: of the list in _right.
_WRONG: Tuple[Tuple[Type[BwError], str, int], ...] = (
    (ConfigError, "the configuration is wrong", 0),
    (ProxyError, "the proxy does not let it through", 0),
    (ResolveError, "the name is wrong, or no name server knows it", 0),
    (ConnectError, "no connection can be made", 1),
    (TlsError, "TLS fails", 2),
    (UnauthorizedError, "the credentials are wrong (BW_USERNAME, BW_PASSWORD)", 3),
    (ForbiddenError, "the account is wrong (BW_ACCOUNT_ID), or the path in BW_BASE_URL", 4),
    (RateLimitedError, "the service takes no more calls now", 3),
    (ServerError, "the service is out of order", 3),
)


def check(
    *, ca_file: Optional[str] = None, proxy: Optional[str] = None, timeout: Optional[float] = None
) -> Tuple[bool, str]:
    """Whether all is right, and the sentence to print.

    The credentials are those of the environment. Raises ``LibraryError``.
    """
    missing = [name for name in _VARIABLES if not os.environ.get(name)]
    if missing:
        return False, f"wrong: {_and(missing)} {'is' if len(missing) == 1 else 'are'} not set"
    url = os.environ.get("BW_BASE_URL") or SERVICE
    account, username, password = (os.environ[name] for name in _VARIABLES)
    try:
        with Client(
            account,
            username,
            password,
            base_url=url,
            ca_file=ca_file,
            proxy=proxy,
            timeout=timeout,
        ) as client:
            client.get_participant(NOBODY)
    except NotFoundError as error:
        # The one answer to expect. Another server's 404 would not be the service's document.
        if not isinstance(error.body, dict):
            return False, f"wrong: {url} answers, but not as the service does: {error.message}"
    except LibraryError:
        raise
    except BwError as error:
        return False, _sentence(error, url)
    return True, f"right: {_and(_right(url, 5))} (account {account} at {url})"


def _sentence(error: BwError, url: str) -> str:
    for kind, what, known in _WRONG:
        if isinstance(error, kind):
            right = _right(url, known)
            before = (
                f"{_and(right)} {'is' if len(right) == 1 else 'are'} right, but " if right else ""
            )
            return f"wrong: {before}{what}: {error.message} ({error.name}, {url})"
    return f"wrong: there is no usable answer: {error.message} ({error.name}, {url})"


def _right(url: str, count: int) -> List[str]:
    """The first of what a call needs, in the order in which it is needed."""
    steps = ["the name", "the connection", "TLS", "the credentials", "the account"][:count]
    return [step for step in steps if step != "TLS" or url.startswith("https:")]


def _and(words: List[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]])) if words else ""
