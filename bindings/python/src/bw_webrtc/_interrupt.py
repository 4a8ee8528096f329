"""Signal handlers during a blocking call of the main thread.

Python runs signal handlers on the main thread, between instructions of Python code. Therefore the
library resumes a generator while it waits. The exception of a handler cannot pass through the
library: it is kept here, and raised when the call has returned.
"""

from __future__ import annotations

import atexit
import signal
import threading
from typing import Any, Generator, NoReturn, Optional

from . import _library
from .errors import BwError

_FUNCTION = "bw_thread_set_interrupt"


class Interrupt:
    """The interrupt callback of the main thread.

    Attributes:
        is_set: Whether the library has the callback.
        exception: The exception that a signal handler raised during the call in progress, if any.
    """

    def __init__(self) -> None:
        self.exception: Optional[BaseException] = None
        self.is_set = False
        # ctypes frees the code of a callback with the object.
        self._callback: Any = None

    def set(self, library: _library.Library) -> None:
        """Lets calls on this thread run signal handlers while they wait."""
        handlers = self._run_handlers()
        next(handlers)
        try:
            # A Python function would not do: a handler may run when the function begins, before its
            # `try`. ctypes would discard the exception.
            callback = _library.INTERRUPT_CALLBACK(handlers.send)
        except (MemoryError, OSError):
            # Some hardened systems do not allow callbacks.
            callback = _library.INTERRUPT_CALLBACK()
        # Both, because a handler may raise an exception between the next two lines.
        self._callback = (self._callback, callback)
        library.function(_FUNCTION)(callback, None)
        self._callback = callback
        self.is_set = True

    def unset(self, library: _library.Library) -> None:
        """Removes the callback of this thread."""
        library.function(_FUNCTION)(_library.INTERRUPT_CALLBACK(), None)
        self.is_set = False

    def _run_handlers(self) -> Generator[int, None, None]:
        """Lets Python run handlers when it is resumed, and yields whether the call must end.

        After the first exception there are neither calls nor jumps, at which Python would run
        another handler outside ``try``. The next call needs a new generator: see ``take``.
        """
        try:
            try:
                try:
                    while True:
                        yield 0
                except GeneratorExit:
                    raise
                except BaseException as error:
                    self.exception = error
            except GeneratorExit:
                raise
            except BaseException as error:
                # Python 3.10 and earlier run handlers anywhere.
                if self.exception is None:
                    self.exception = error
            yield 1
        finally:
            self.is_set = False

    def take(self) -> Optional[BaseException]:
        """Returns ``exception``, and prepares the next call."""
        exception, self.exception = self.exception, None
        if exception is not None:
            self.is_set = False
        return exception

    def raise_exception(self, cause: Optional[BwError]) -> NoReturn:
        """Raises ``exception``, which is not None. ``cause`` is the failure of the call, if any."""
        exception = self.take()
        assert exception is not None
        if cause is not None:
            # The handler may have stated a cause of its own.
            cause.__cause__ = exception.__cause__
            raise exception from cause
        raise exception


_interrupt = Interrupt()
# The thread that has the callback.
_thread: Optional[int] = None
_is_registered = _is_exiting = False


def of_this_thread(library: _library.Library) -> Optional[Interrupt]:
    """The callback of this thread, which is set; None except on the main thread."""
    thread = threading.get_ident()
    if thread != _thread and not _begin(library, thread):
        return None
    if not _interrupt.is_set:
        _interrupt.set(library)
    return _interrupt


def _begin(library: _library.Library, thread: int) -> bool:
    """Makes this the thread that has the callback, if Python runs signal handlers on it."""
    global _thread, _interrupt, _is_registered
    # In a forked child, the thread that forked is the main thread.
    if thread != threading.main_thread().ident or _is_exiting or not library.has(_FUNCTION):
        return False
    try:
        # Has no effect. In a subinterpreter, it raises a ValueError.
        signal.signal(signal.SIGKILL, signal.SIG_DFL)
    except OSError:
        pass
    except ValueError:
        return False
    _thread, _interrupt = thread, Interrupt()
    if not _is_registered:
        # Python deletes the callback when it exits.
        atexit.register(_stop, library)
        _is_registered = True
    return True


def _stop(library: _library.Library) -> None:
    global _thread, _is_exiting
    _is_exiting = True
    if _thread == threading.get_ident():
        _thread = None
        _interrupt.unset(library)
