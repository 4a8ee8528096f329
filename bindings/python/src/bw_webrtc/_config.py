"""The options of a client as the library's configuration document.

The library has the defaults: an option with the value None is omitted.
"""

from __future__ import annotations

import json
import os
import stat
from typing import Any, Callable, Dict, Mapping, NamedTuple, Tuple

from . import _arguments as arguments


class Option(NamedTuple):
    """An option of ``Client``.

    Attributes:
        name: The name of the keyword argument.
        key: The key of the configuration document.
        convert: Checks and converts the value.
    """

    name: str
    key: str
    convert: Callable[[str, object], Any]


OPTIONS = (
    Option("account_id", "accountId", arguments.config_text),
    Option("client_id", "clientId", arguments.config_text),
    Option("client_secret", "clientSecret", arguments.config_text),
    Option("username", "username", arguments.config_text),
    Option("password", "password", arguments.config_text),
    Option("base_url", "baseUrl", arguments.config_text),
    Option("endpoints_url", "endpointsUrl", arguments.config_text),
    Option("token_url", "tokenUrl", arguments.config_text),
    Option("timeout", "timeoutMs", arguments.milliseconds),
    Option("attempt_timeout", "attemptTimeoutMs", arguments.milliseconds),
    Option("connect_timeout", "connectTimeoutMs", arguments.milliseconds),
    Option("max_retries", "maxRetries", arguments.integer),
    Option("retry_base", "retryBaseMs", arguments.milliseconds),
    Option("retry_max", "retryMaxMs", arguments.milliseconds),
    Option("max_retry_after", "maxRetryAfterMs", arguments.milliseconds),
    Option("proxy", "proxy", arguments.config_text),
    Option("roots", "roots", arguments.config_text),
    Option("ca_file", "caFile", arguments.path),
    Option("client_cert_file", "clientCertFile", arguments.path),
    Option("client_key_file", "clientKeyFile", arguments.path),
    Option("ip_family", "ipFamily", arguments.config_text),
    Option("bind_address", "bindAddress", arguments.config_text),
    Option("dns_ttl", "dnsTtlMs", arguments.milliseconds),
    Option("max_idle_connections", "maxIdleConnections", arguments.integer),
    Option("idle_timeout", "idleTimeoutMs", arguments.milliseconds),
    Option("max_response_bytes", "maxResponseBytes", arguments.integer),
    Option("user_agent", "userAgent", arguments.config_text),
    Option("allow_insecure_http", "allowInsecureHttp", arguments.boolean),
    Option("log_format", "logFormat", arguments.config_text),
    Option("environment", "environment", arguments.boolean),
    Option("config_file", "configFile", arguments.path),
)

REQUIRED = ("account_id",)

# The library's own limit for a settings file, in bytes.
_MAX_FILE = 64 * 1024


def to_document(values: Mapping[str, object]) -> str:
    """The configuration document for the options in ``values``; other names are ignored."""
    return _document(values, REQUIRED)


def with_environment(options: Mapping[str, object]) -> str:
    """The configuration document for options that override the environment.

    Raises:
        TypeError: An option is not known.
    """
    unknown = options.keys() - {name for name, *_ in OPTIONS if name != "environment"}
    if unknown:
        raise TypeError(f"from_env() got an unexpected keyword argument {min(unknown)!r}")
    return _document({**options, "environment": True}, ())


def _document(values: Mapping[str, object], required: Tuple[str, ...]) -> str:
    document: Dict[str, Any] = {}
    for name, key, convert in OPTIONS:
        value = values.get(name)
        if value is not None or name in required:
            document[key] = convert(name, value)
    return arguments.to_json("config", document)


def read_file(path: arguments.PathLike) -> Dict[str, str]:
    """The texts in a settings file; none if it cannot be read. The library reports its problems."""
    try:
        # Without waiting for the writer of a FIFO.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return {}
            content = json.loads(file.read(_MAX_FILE))
    except (OSError, ValueError, RecursionError):
        return {}
    items = content.items() if isinstance(content, dict) else ()
    return {key: value for key, value in items if isinstance(value, str)}
