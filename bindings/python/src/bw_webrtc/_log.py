"""The log lines of a client as records of ``logging``."""

from __future__ import annotations

import contextlib
import itertools
import logging
from ctypes import c_void_p
from typing import Any, Dict, List, Optional, Tuple, Union

from . import _arguments as arguments
from . import _library

# The levels of `logging`, and those of the library.
_LEVELS: Tuple[Tuple[int, int], ...] = (
    (logging.ERROR, 1),
    (logging.WARNING, 2),
    (logging.INFO, 3),
    (logging.DEBUG, 4),
)
_OFF = 0
_LOGGING_LEVELS = {code: level for level, code in _LEVELS}

# The loggers that lines may still arrive for, by the user data of the callback. A line whose key is
# missing is dropped.
_loggers: Dict[int, logging.Logger] = {}
_keys = itertools.count(1)


def _write(level: int, line: Optional[bytes], key: Optional[int]) -> None:
    logger = _loggers.get(key or 0)
    if logger is not None:
        text = (line or b"").decode(errors="replace")
        logger.log(_LOGGING_LEVELS.get(level, logging.DEBUG), "%s", text)


# The callback of all clients. ctypes frees the code of a callback with the object, and which of two
# concurrent calls of bw_client_set_log was the last is not known: this one is never freed. It is
# created on first use, because some hardened systems do not allow it.
_callbacks: List[Any] = []
_NO_CALLBACK = _library.LOG_CALLBACK()


def _callback() -> Any:
    if not _callbacks:
        # Two threads may add one each; both remain.
        _callbacks.append(_library.LOG_CALLBACK(_write))
    return _callbacks[0]


class Log:
    """The log of one client, without a reference to the client, which could not be freed then.

    There is no lock: a lock that another thread holds during a fork is never released in the child.
    """

    def __init__(self) -> None:
        # The keys of this client's loggers. All are kept until the client is closed, because any
        # of them may be in use while threads change the log.
        self._own: Dict[logging.Logger, int] = {}
        self._stopped = False

    def set(
        self,
        library: _library.Library,
        handle: c_void_p,
        level: object,
        logger: Union[str, logging.Logger],
    ) -> None:
        """Sends lines of ``level`` and above to a logger; None disables the log."""
        if level is None:
            library.call("bw_client_set_log", handle, _OFF, _NO_CALLBACK, None)
            return
        code, target = _code(_number(level)), _logger(logger)
        key = self._own.setdefault(target, next(_keys))
        _loggers[key] = target
        try:
            library.call("bw_client_set_log", handle, code, _callback(), key)
        finally:
            if self._stopped:
                # The client was closed meanwhile.
                self._forget()

    def stop(self, library: _library.Library, handle: c_void_p) -> None:
        """Disables the log before the client is freed."""
        self._stopped = True
        if not self._own:
            return
        # It is rejected inside a callback, where a garbage collection can free the client.
        with contextlib.suppress(Exception):
            library.call("bw_client_set_log", handle, _OFF, _NO_CALLBACK, None)
        self._forget()

    def _forget(self) -> None:
        for key in list(self._own.values()):
            _loggers.pop(key, None)


def _code(level: int) -> int:
    """The library's level for a level of ``logging``."""
    return max((code for least, code in _LEVELS if least >= level), default=_OFF)


def _number(level: object) -> int:
    """The number of a level of ``logging``, which may be given by its name."""
    if not isinstance(level, str):
        return arguments.integer("level", level, wanted="an int, the name of a level or None")
    number = logging.getLevelName(level.upper())
    if not isinstance(number, int):
        raise arguments.invalid("level: is not the name of a level of logging, such as INFO")
    return number


def _logger(logger: object) -> logging.Logger:
    if isinstance(logger, logging.Logger):
        return logger
    return logging.getLogger(arguments.text("logger", logger, wanted="a str or a Logger"))
