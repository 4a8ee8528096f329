"""The client's options as the library's configuration document.

Defaults are the library's: an option that is None is not mentioned.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Mapping, Tuple

from . import _arguments as arguments

# The option, the key of the configuration, and how its value is read.
_KEYS: Tuple[Tuple[str, str, Callable[[str, object], Any]], ...] = (
    ("account_id", "accountId", arguments.config_text),
    ("username", "username", arguments.config_text),
    ("password", "password", arguments.config_text),
    ("base_url", "baseUrl", arguments.config_text),
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

REQUIRED = ("account_id", "username", "password")


def to_document(options: Mapping[str, object]) -> str:
    """The configuration document for these options."""
    document: Dict[str, Any] = {}
    for option, key, read in _KEYS:
        value = options[option]
        if value is not None or option in REQUIRED:
            document[key] = read(option, value)
    return arguments.to_json("config", document)
