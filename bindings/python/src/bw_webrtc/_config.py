"""The options of a client as the library's configuration document.

The library has the defaults: an option with the value None is omitted.
"""

from __future__ import annotations

import os
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Tuple

from . import _arguments as arguments
from .errors import ConfigError


class Option(NamedTuple):
    """An option of ``Client``.

    Attributes:
        name: The name of the keyword argument.
        key: The key of the configuration document.
        convert: Checks and converts the value.
        variable: The environment variable that ``from_env`` reads.
    """

    name: str
    key: str
    convert: Callable[[str, object], Any]
    variable: Optional[str] = None


OPTIONS = (
    Option("account_id", "accountId", arguments.config_text, "BW_ACCOUNT_ID"),
    Option("client_id", "clientId", arguments.config_text, "BW_CLIENT_ID"),
    Option("client_secret", "clientSecret", arguments.config_text, "BW_CLIENT_SECRET"),
    Option("username", "username", arguments.config_text, "BW_USERNAME"),
    Option("password", "password", arguments.config_text, "BW_PASSWORD"),
    Option("base_url", "baseUrl", arguments.config_text, "BW_BASE_URL"),
    Option("endpoints_url", "endpointsUrl", arguments.config_text, "BW_ENDPOINTS_URL"),
    Option("token_url", "tokenUrl", arguments.config_text, "BW_TOKEN_URL"),
    Option("timeout", "timeoutMs", arguments.milliseconds),
    Option("attempt_timeout", "attemptTimeoutMs", arguments.milliseconds),
    Option("connect_timeout", "connectTimeoutMs", arguments.milliseconds),
    Option("max_retries", "maxRetries", arguments.integer),
    Option("retry_base", "retryBaseMs", arguments.milliseconds),
    Option("retry_max", "retryMaxMs", arguments.milliseconds),
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
)

REQUIRED = ("account_id",)

_API_CREDENTIALS = ("client_id", "client_secret")
_API_USER = ("username", "password")
_VARIABLES = {option.name: option.variable for option in OPTIONS if option.variable}


def to_document(values: Mapping[str, object]) -> str:
    """The configuration document for the options in ``values``; other names are ignored."""
    document: Dict[str, Any] = {}
    for name, key, convert, _ in OPTIONS:
        value = values.get(name)
        if value is not None or name in REQUIRED:
            document[key] = convert(name, value)
    return arguments.to_json("config", document)


def from_environment(given: Mapping[str, Any]) -> Optional[str]:
    """The configuration document for options and, where they are missing, the environment.

    Args:
        given: The options. Credentials of one kind also replace those of the other kind in the
            environment.

    Returns:
        The document. None, which makes the library read the environment, if no option is given.

    Raises:
        ConfigError: A variable is not set; the message names all of these. Or the process is
            set-uid.
    """
    unknown = given.keys() - {option.name for option in OPTIONS}
    if unknown:
        raise TypeError(f"from_env() got an unexpected keyword argument {min(unknown)!r}")
    options = {name: value for name, value in given.items() if value is not None}
    if not options:
        return None
    if os.getuid() != os.geteuid() or os.getgid() != os.getegid():
        raise arguments.invalid(
            "the environment is not read in a set-uid process; pass the options instead",
            error=ConfigError,
        )
    options = {**_variables(options), **options}
    missing = [_VARIABLES[name] for name in _missing(options)]
    if missing:
        names = " and ".join(filter(None, [", ".join(missing[:-1]), missing[-1]]))
        what = f"variables {names} are" if len(missing) > 1 else f"variable {names} is"
        raise arguments.invalid(f"the environment {what} not set", error=ConfigError)
    return to_document(options)


def _variables(options: Mapping[str, object]) -> Dict[str, str]:
    """The values in the environment. An empty variable counts as unset."""
    ignored: Tuple[str, ...] = ()
    for given, other in ((_API_CREDENTIALS, _API_USER), (_API_USER, _API_CREDENTIALS)):
        if _contains_any(options, given):
            ignored = other
    values = {name: os.environ.get(variable) for name, variable in _VARIABLES.items()}
    return {name: value for name, value in values.items() if value and name not in ignored}


def _missing(options: Mapping[str, object]) -> List[str]:
    """The required options that are missing; the credentials are of the kind that is in use."""
    is_api_user = _contains_any(options, _API_USER) and not _contains_any(options, _API_CREDENTIALS)
    pair = _API_USER if is_api_user else _API_CREDENTIALS
    return [name for name in (*REQUIRED, *pair) if name not in options]


def _contains_any(options: Mapping[str, object], names: Tuple[str, ...]) -> bool:
    return any(name in options for name in names)
