"""A client's log lines into ``logging``.

Not here: what the lines say. The library makes them.
"""

from __future__ import annotations

import logging
from ctypes import c_void_p
from typing import Any, List, Optional, Tuple, Union

from . import _arguments as arguments
from . import _library

# The levels of logging, and the library's.
_LEVELS: Tuple[Tuple[int, int], ...] = (
    (logging.ERROR, 1),
    (logging.WARNING, 2),
    (logging.INFO, 3),
    (logging.DEBUG, 4),
)
_OFF = 0

# Callbacks that the library may still call: see Log.stop.
_immortal: List[Any] = []


class Log:
    """Where one client's lines go. It knows nothing of the client, so that it keeps none alive."""

    def __init__(self) -> None:
        # ctypes frees a callback's code with the object, so it must live as long as it is called.
        self._callback: Optional[Any] = None

    def set(
        self,
        library: _library.Library,
        handle: c_void_p,
        level: object,
        logger: Union[str, logging.Logger],
    ) -> None:
        """Sends lines that matter as much as ``level`` to a logger; None turns it off."""
        if level is None:
            wanted, callback = _OFF, _library.LOG_CALLBACK()
        else:
            wanted, callback = _code(arguments.whole("level", level)), _callback(_logger(logger))
        library.call("bw_client_set_log", handle, wanted, callback, None)
        # Only now is the one before out of use.
        self._callback = callback

    def stop(self, library: _library.Library, handle: c_void_p) -> None:
        """Turns it off before the client goes."""
        if self._callback is None:
            return
        try:
            library.call("bw_client_set_log", handle, _OFF, _library.LOG_CALLBACK(), None)
        except Exception:
            # Refused inside a callback, where a garbage collection can bring us.
            _immortal.append(self._callback)


def _code(level: int) -> int:
    """The library's level for one of logging's."""
    return max((code for matters, code in _LEVELS if matters >= level), default=_OFF)


def _logger(logger: object) -> logging.Logger:
    if isinstance(logger, logging.Logger):
        return logger
    return logging.getLogger(arguments.text("logger", logger, wanted="a str or a Logger"))


def _callback(logger: logging.Logger) -> Any:
    levels = {code: level for level, code in _LEVELS}

    def take(level: int, line: Optional[bytes], _: object) -> None:
        logger.log(levels.get(level, logging.DEBUG), "%s", (line or b"").decode(errors="replace"))

    return _library.LOG_CALLBACK(take)
