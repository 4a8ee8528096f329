"""Conversion of Python values to the library's arguments: strings, numbers, JSON documents.

Values of the wrong type are rejected here, with the argument's name. The library checks the
contents, except for what a C string cannot contain.
"""

from __future__ import annotations

import json
import os
import re
from collections import abc
from typing import Any, Iterable, Mapping, Optional, Type, Union

from .errors import BwError, ConfigError, InvalidArgumentError, local

PathLike = Union[str, "os.PathLike[str]"]

# json.dumps would create one for each call.
ENCODER = json.JSONEncoder(allow_nan=False, separators=(",", ":"))
_SURROGATE = re.compile("[\ud800-\udfff]")


def invalid(
    message: str,
    operation: Optional[str] = None,
    *,
    error: Type[BwError] = InvalidArgumentError,
) -> BwError:
    """The exception for a value that cannot be passed to the library."""
    return local(error, message, operation)


def wrong_type(name: str, wanted: str, value: object) -> TypeError:
    """The exception for a value of the wrong type. Its text never contains the value."""
    return TypeError(f"{name} must be {wanted}, not {type(value).__name__}")


def text(
    name: str,
    value: object,
    operation: Optional[str] = None,
    *,
    wanted: str = "a str",
    error: Type[BwError] = InvalidArgumentError,
) -> str:
    """A str that a C string can contain."""
    if not isinstance(value, str):
        raise wrong_type(name, wanted, value)
    if _is_plain(value):
        return value
    at = value.find("\0")
    if at >= 0:
        raise invalid(f"{name}: must not contain U+0000 (at index {at})", operation, error=error)
    found = _SURROGATE.search(value)
    if found:
        raise invalid(
            f"{name}: has a lone surrogate (at index {found.start()}), which UTF-8 cannot encode",
            operation,
            error=error,
        )
    return value


def _is_plain(value: object) -> bool:
    """Whether a value is a str of ASCII without NUL: a fast check for most values."""
    return isinstance(value, str) and value.isascii() and "\0" not in value


def json_string(name: str, value: object, operation: Optional[str]) -> str:
    """A str as JSON text, for an optional argument."""
    return ENCODER.encode(text(name, value, operation, wanted="a str or None"))


def json_strings(name: str, value: object, operation: Optional[str]) -> str:
    """An iterable of str as a JSON array. A single str is rejected."""
    array = ""
    for i, item in enumerate(items(name, "an iterable of str", value)):
        checked = item if _is_plain(item) else text(f"{name}[{i}]", item, operation)
        array += "," + ENCODER.encode(checked)
    return "[" + array[1:] + "]"


def json_integer(name: str, value: object, operation: Optional[str]) -> str:
    """An int as JSON text, for an optional argument."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong_type(name, "an int or None", value)
    # Conversions of longer numbers are limited by Python itself.
    if not abs(value) < 1 << 63:
        raise invalid(f"{name}: is too large", operation)
    return str(int(value))


def json_object(name: str, value: object, operation: Optional[str]) -> str:
    """A mapping as JSON text, for an optional argument."""
    if not isinstance(value, abc.Mapping):
        raise wrong_type(name, "a mapping or None", value)
    return to_json(name, value, operation)


def items(name: str, wanted: str, value: object) -> Iterable[Any]:
    """An iterable that is neither a mapping nor a single str or bytes."""
    if isinstance(value, (list, tuple)):
        return value
    if isinstance(value, (str, bytes, abc.Mapping)) or not isinstance(value, abc.Iterable):
        raise wrong_type(name, wanted, value)
    return value


def milliseconds(
    name: str,
    seconds: object,
    operation: Optional[str] = None,
    *,
    error: Type[BwError] = ConfigError,
) -> int:
    """Seconds as whole milliseconds. A positive value never becomes 0."""
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise wrong_type(name, "a number of seconds", seconds)
    # Also rejects NaN and infinity.
    if not abs(seconds) <= 1e12:
        raise invalid(f"{name}: must be a finite number of seconds", operation, error=error)
    rounded = round(seconds * 1000)
    return 1 if rounded == 0 and seconds > 0 else rounded


def integer(name: str, value: object, *, wanted: str = "an int") -> int:
    """An int."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong_type(name, wanted, value)
    return value


def boolean(name: str, value: object) -> bool:
    """A bool."""
    if not isinstance(value, bool):
        raise wrong_type(name, "a bool", value)
    return value


def path(name: str, value: object) -> str:
    """The path of a file as a str."""
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
        raise invalid(f"{name}: {error}", operation) from None
    except RecursionError:
        raise invalid(f"{name}: is nested too deeply", operation) from None
