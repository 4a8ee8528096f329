"""Python's names of arguments in the library's messages, which contain those of its documents."""

from __future__ import annotations

import re
from typing import Dict, List, Match

from . import _config

_FIELDS: Dict[str, str] = {
    "afterCursor": "after_cursor",
    "callbackUrl": "callback_url",
    "connectionMetadata": "connection_metadata",
    "deviceApiVersion": "device_api_version",
    "endpointId": "endpoint_id",
    "eventCallbackUrl": "event_callback_url",
    "eventFallbackUrl": "event_fallback_url",
    "participantId": "participant_id",
    "publishPermissions": "publish_permissions",
    "sessionId": "session_id",
    "streamAliases": "stream_aliases",
}
NAMES: Dict[str, str] = {**_FIELDS, **{option.key: option.name for option in _config.OPTIONS}}

_TOKEN = re.compile(
    # Not translated: quoted values, and the keys of documents that the caller gave.
    r'(?P<kept>"(?:[^"\\]|\\.)*"|(?:subscriptions|event)\.[\w.\[\]]+'
    r"|did you mean \w+|the known names are [^;]*)"
    # A document that is one argument, and the documents that the arguments are parts of.
    r"|(?<![\w./-])(?:call\.body(?P<path>\.[\w.\[\]]+|(?=:))"
    r"|(?:config|request|options|(?:call\.)?query|call)\.(?=[a-z]))"
    r"|(?<![\w/-])(?P<key>[a-z]+[A-Z]\w*)(?![\w/-])"
    r"(?P<times>: must be a whole number from (?P<least>\d+) to (?P<most>\d+))?"
)


def translate(message: str, *, body: str = "") -> str:
    """A message with Python's names and units.

    Args:
        message: The library's message.
        body: The argument that is the whole body of the request, if there is one.
    """

    def replace(match: Match[str]) -> str:
        if match["kept"]:
            return match["kept"]
        if match["path"] is not None:
            return body + match["path"] if body else translate(match["path"][1:]) or "request"
        key = match["key"]
        if key is None:
            return ""
        name, times = NAMES.get(key, key), match["times"] or ""
        if times and key.endswith("Ms"):
            least, most = (int(match[end]) / 1000 for end in ("least", "most"))
            times = f": must be a number of seconds from {least:g} to {most:.10g}"
        return name + times

    return _TOKEN.sub(replace, message)


# The beginning of a problem in a settings file: its path, and the key.
_IN_FILE = re.compile(r"(?!config[.:]).+?: [a-z]\w*: ")
_IN_CODE = re.compile(r"config[.:]|BW_")


def translate_config(message: str) -> str:
    """A message about the configuration. The keys of a settings file are not translated."""
    problems: List[str] = []
    in_file = False
    for problem in message.split("; "):
        in_file = bool(_IN_FILE.match(problem)) or (in_file and not _IN_CODE.match(problem))
        problems.append(problem if in_file else translate(problem))
    return "; ".join(problems)


def translate_advice(message: str) -> str:
    """A message about a call that failed, with Python's names before the service's own words."""
    advice, colon, words = message.partition(": ")
    return re.sub(r"[a-z]+[A-Z]\w*", lambda m: NAMES.get(m[0], m[0]), advice) + colon + words


# The arguments of set_credentials, by the options that the library's messages name.
_CREDENTIALS = {
    "client_id": "identifier",
    "username": "identifier",
    "client_secret": "secret",
    "password": "secret",
}


def translate_credentials(message: str) -> str:
    """A message about new credentials, with the names of the arguments of set_credentials."""
    words = "|".join(_CREDENTIALS)
    return re.sub(rf"\b({words})\b", lambda match: _CREDENTIALS[match[1]], message)
