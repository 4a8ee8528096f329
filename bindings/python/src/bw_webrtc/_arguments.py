"""Conversion of Python values to the library's arguments: strings, numbers, JSON documents.

Values of the wrong type are rejected here, with the argument's name. The library checks the
contents, except for what a C string cannot contain.
"""

from __future__ import annotations

import json
import os
import re
from collections import abc
from typing import Any, Mapping, Optional, Type, Union

from .errors import BwError, ConfigError, InvalidArgumentError, local

PathLike = Union[str, "os.PathLike[str]"]

# json.dumps would make one for each call. Quick for a str, for which it does nothing else.
ENCODER = json.JSONEncoder(allow_nan=False, separators=(",", ":"))
_SURROGATE = re.compile("[\ud800-\udfff]")


def refuse(
    message: str,
    operation: Optional[str] = None,
    *,
    error: Type[BwError] = InvalidArgumentError,
) -> BwError:
    """The exception for a value that cannot be handed to the library."""
    return local(error, message, operation)


def wrong_type(name: str, wanted: str, value: object) -> TypeError:
    """The exception for a value of the wrong type. Its text never shows the value."""
    return TypeError(f"{name} must be {wanted}, not {type(value).__name__}")


def text(
    name: str,
    value: object,
    operation: Optional[str] = None,
    *,
    wanted: str = "a str",
    error: Type[BwError] = InvalidArgumentError,
) -> str:
    """A str that a C string can carry."""
    if not isinstance(value, str):
        raise wrong_type(name, wanted, value)
    if _is_plain(value):
        return value
    at = value.find("\0")
    if at >= 0:
        raise refuse(f"{name}: must not contain U+0000 (at index {at})", operation, error=error)
    found = _SURROGATE.search(value)
    if found:
        raise refuse(
            f"{name}: has a lone surrogate (at index {found.start()}), which UTF-8 cannot hold",
            operation,
            error=error,
        )
    return value


def _is_plain(value: object) -> bool:
    """Whether a value is a str in which nothing can be wrong; quickly seen, and so of most."""
    return isinstance(value, str) and value.isascii() and "\0" not in value


def quoted(name: str, value: object, operation: Optional[str]) -> str:
    """A text as JSON text, for an argument that may also be left None."""
    return ENCODER.encode(text(name, value, operation, wanted="a str or None"))


def quoted_list(name: str, value: object, operation: Optional[str]) -> str:
    """The items of an iterable of str as a JSON array.

    A lone str, whose items are its characters, is a mistake.
    """
    if not isinstance(value, (list, tuple)) and (
        isinstance(value, (str, bytes, abc.Mapping)) or not isinstance(value, abc.Iterable)
    ):
        raise wrong_type(name, "an iterable of str", value)
    items = ""
    for i, item in enumerate(value):
        checked = item if _is_plain(item) else text(f"{name}[{i}]", item, operation)
        items += "," + ENCODER.encode(checked)
    return "[" + items[1:] + "]"


def milliseconds(name: str, seconds: object) -> int:
    """Seconds as whole milliseconds; what is more than nothing stays so."""
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise wrong_type(name, "a number of seconds", seconds)
    # Also refuses NaN, and infinity, which no deadline is.
    if not abs(seconds) <= 1e12:
        raise refuse(f"{name}: must be a finite number of seconds", error=ConfigError)
    whole = round(seconds * 1000)
    return 1 if whole == 0 and seconds > 0 else whole


def whole(name: str, value: object) -> int:
    """An int."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong_type(name, "an int", value)
    return value


def flag(name: str, value: object) -> bool:
    """A bool."""
    if not isinstance(value, bool):
        raise wrong_type(name, "a bool", value)
    return value


def path(name: str, value: object) -> str:
    """A file's path as a str."""
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    return text(name, value, wanted="a str or a path", error=ConfigError)


def config_text(name: str, value: object) -> str:
    """As ``text``, for a configuration."""
    return text(name, value, error=ConfigError)


def to_json(name: str, document: Mapping[str, Any], operation: Optional[str] = None) -> str:
    """A mapping as JSON text."""
    try:
        return ENCODER.encode(dict(document))
    except TypeError as error:
        raise TypeError(f"{name}: {error}") from None
    except ValueError as error:
        raise refuse(f"{name}: {error}", operation) from None
    except RecursionError:
        raise refuse(f"{name}: is nested too deeply", operation) from None
