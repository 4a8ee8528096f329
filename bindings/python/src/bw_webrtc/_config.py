"""The client's options as the library's configuration document.

The library has the defaults: an option that is None is left out.
"""

from __future__ import annotations

import os
from typing import Any, Callable, Dict, List, Mapping, Tuple

from . import _arguments as arguments
from .errors import ConfigError

# The option, the key of the configuration, and the function that checks and converts its value.
KEYS: Tuple[Tuple[str, str, Callable[[str, object], Any]], ...] = (
    ("account_id", "accountId", arguments.config_text),
    ("client_id", "clientId", arguments.config_text),
    ("client_secret", "clientSecret", arguments.config_text),
    ("username", "username", arguments.config_text),
    ("password", "password", arguments.config_text),
    ("base_url", "baseUrl", arguments.config_text),
    ("token_url", "tokenUrl", arguments.config_text),
    ("timeout", "timeoutMs", arguments.milliseconds),
    ("attempt_timeout", "attemptTimeoutMs", arguments.milliseconds),
    ("connect_timeout", "connectTimeoutMs", arguments.milliseconds),
    ("max_retries", "maxRetries", arguments.whole),
    ("retry_base", "retryBaseMs", arguments.milliseconds),
    ("retry_max", "retryMaxMs", arguments.milliseconds),
    ("proxy", "proxy", arguments.config_text),
    ("roots", "roots", arguments.config_text),
    ("ca_file", "caFile", arguments.path),
    ("client_cert_file", "clientCertFile", arguments.path),
    ("client_key_file", "clientKeyFile", arguments.path),
    ("ip_family", "ipFamily", arguments.config_text),
    ("bind_address", "bindAddress", arguments.config_text),
    ("dns_ttl", "dnsTtlMs", arguments.milliseconds),
    ("max_idle_connections", "maxIdleConnections", arguments.whole),
    ("idle_timeout", "idleTimeoutMs", arguments.milliseconds),
    ("max_response_bytes", "maxResponseBytes", arguments.whole),
    ("user_agent", "userAgent", arguments.config_text),
    ("allow_insecure_http", "allowInsecureHttp", arguments.flag),
)

REQUIRED = ("account_id",)

API_CREDENTIALS = ("client_id", "client_secret")
API_USER = ("username", "password")
_VARIABLES = {
    "account_id": "BW_ACCOUNT_ID",
    "client_id": "BW_CLIENT_ID",
    "client_secret": "BW_CLIENT_SECRET",
    "username": "BW_USERNAME",
    "password": "BW_PASSWORD",
    "base_url": "BW_BASE_URL",
    "token_url": "BW_TOKEN_URL",
}


def to_document(options: Mapping[str, object]) -> str:
    """The configuration document for these options."""
    document: Dict[str, Any] = {}
    for option, key, convert in KEYS:
        value = options[option]
        if value is not None or option in REQUIRED:
            document[key] = convert(option, value)
    return arguments.to_json("config", document)


def from_environment(given: Mapping[str, Any]) -> Dict[str, Any]:
    """These options, and for those that are missing the values of the environment.

    Credentials that are given replace those of the environment, also of the other kind. Raises
    ``ConfigError``, which names the variables that are not set.
    """
    if os.getuid() != os.geteuid() or os.getgid() != os.getegid():
        raise arguments.refuse(
            "the environment is not read in a set-uid process; give the options instead",
            error=ConfigError,
        )
    options = {name: value for name, value in given.items() if value is not None}
    other = ()  # type: Tuple[str, ...]
    for pair, opposite in ((API_CREDENTIALS, API_USER), (API_USER, API_CREDENTIALS)):
        if any(name in options for name in pair):
            other = opposite
    for name, variable in _VARIABLES.items():
        value = os.environ.get(variable)
        # An empty variable counts as unset.
        if value and name not in options and name not in other:
            options[name] = value
    missing = [_VARIABLES[name] for name in _missing(options)]
    if missing:
        names = " and ".join(filter(None, [", ".join(missing[:-1]), missing[-1]]))
        subject = "variables" if len(missing) > 1 else "variable"
        verb = "are" if len(missing) > 1 else "is"
        raise arguments.refuse(
            f"the environment {subject} {names} {verb} not set", error=ConfigError
        )
    return options


def _missing(options: Mapping[str, object]) -> List[str]:
    """What is required and missing; of the two kinds of credentials, the one that was begun."""
    uses_api_user = any(name in options for name in API_USER) and not any(
        name in options for name in API_CREDENTIALS
    )
    pair = API_USER if uses_api_user else API_CREDENTIALS
    return [name for name in (*REQUIRED, *pair) if name not in options]
