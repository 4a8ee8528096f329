"""Finding and loading the shared library, and the signatures of its functions.

The library is loaded on first use, so that the package can be imported (for its types or its
documentation) if the library is missing.
"""

from __future__ import annotations

import ctypes
import json
import os
from ctypes import POINTER, c_char_p, c_int32, c_uint32, c_uint64, c_void_p
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple, Type

from . import _operations
from ._version import __version__
from .errors import BwError, LibraryError, Outcome, ProtocolError, from_document

ABI = 0
SONAME = f"libbw_webrtc.so.{ABI}"
VARIABLE = "BW_WEBRTC_LIBRARY"

# Where a text is put that the library gives out and that must go back to bw_free. A c_char_p has
# the pointer and, as its value, a copy; never as a result, of which ctypes gives the copy alone.
_TEXT = POINTER(c_char_p)
_HANDLE = POINTER(c_void_p)

_DECODER = json.JSONDecoder()

LOG_CALLBACK = ctypes.CFUNCTYPE(None, c_int32, c_char_p, c_void_p)
"""What takes log lines: level, line, user data."""


def _operation(texts: int) -> Tuple[Any, List[Any]]:
    """The signature of an operation: client, ids and bodies, out."""
    return c_int32, [c_void_p, *[c_char_p] * texts, _TEXT]


_SIGNATURES: Dict[str, Tuple[Any, List[Any]]] = {
    "bw_abi_version": (c_uint32, []),
    "bw_version": (c_char_p, []),
    "bw_status_name": (c_char_p, [c_int32]),
    "bw_free": (None, [c_void_p]),
    "bw_client_new": (c_int32, [c_char_p, _HANDLE, _TEXT]),
    "bw_client_free": (None, [c_void_p]),
    "bw_client_set_credentials": (c_int32, [c_void_p, c_char_p, c_char_p, _TEXT]),
    "bw_client_stats": (c_int32, [c_void_p, _TEXT]),
    "bw_client_take_late": (c_int32, [c_void_p, _TEXT]),
    "bw_client_set_log": (c_int32, [c_void_p, c_int32, LOG_CALLBACK, c_void_p, _TEXT]),
    **{
        operation.function: _operation(len(operation.ids) + operation.has_body)
        for operation in _operations.ALL
    },
    "bw_call": _operation(1),
    "bw_queue_new": (c_int32, [c_void_p, c_char_p, _HANDLE, _TEXT]),
    "bw_queue_submit": (c_int32, [c_void_p, c_char_p, c_void_p, POINTER(c_uint64), _TEXT]),
    "bw_queue_fd": (c_int32, [c_void_p]),
    "bw_queue_next": (
        c_int32,
        [c_void_p, c_int32, POINTER(c_uint64), POINTER(c_void_p), POINTER(c_int32), _TEXT],
    ),
    "bw_queue_cancel": (c_int32, [c_void_p, c_uint64]),
    "bw_queue_close": (c_int32, [c_void_p]),
    "bw_queue_free": (None, [c_void_p]),
    "bw_json_get": (c_int32, [c_char_p, c_char_p, _TEXT]),
    "bw_transfer_bxml": (c_int32, [c_char_p, c_char_p, c_char_p, _TEXT]),
    "bw_parse_event": (c_int32, [c_char_p, _TEXT]),
    "bw_token_claims": (c_int32, [c_char_p, _TEXT]),
}


# The keys of an error document, in addition to the status, and the types of their values.
_ERROR_KEYS: Tuple[Tuple[str, Type[Any]], ...] = (
    *((key, str) for key in ("name", "message", "operation", "outcome", "requestId", "body")),
    *((key, int) for key in ("attempts", "httpStatus", "retryAfterMs")),
)

NOT_REPRESENTABLE = (ValueError, RecursionError)
"""What valid JSON can raise: a number with thousands of digits, deep nesting."""


def decode(document: Optional[bytes]) -> Any:
    """A document of the library as Python objects; None for none.

    Raises one of ``NOT_REPRESENTABLE``.
    """
    # json.loads would guess the encoding first, and repeat the library's checks.
    return _DECODER.raw_decode(document.decode().lstrip())[0] if document else None


def reason(error: Exception) -> str:
    """Why a document cannot be represented."""
    # The text of Python's own error is about settings of the interpreter.
    return (
        "it is nested too deeply" if isinstance(error, RecursionError) else "a number is too long"
    )


class Library:
    """The loaded library. ``path``: its file; ``origin``: by which way it was found."""

    def __init__(self, cdll: ctypes.CDLL, origin: str) -> None:
        # CDLL gives up the GIL for the time of a call; PyDLL would not.
        self._cdll = cdll
        self.origin = origin
        # All are bound before any thread sees this object: a function whose signature was not
        # set yet would cut a handle to 32 bits.
        self._functions: Dict[str, Any] = {}
        for name, (result, arguments) in _SIGNATURES.items():
            try:
                function = cdll[name]
            except AttributeError:
                continue
            function.restype, function.argtypes = result, arguments
            self._functions[name] = function
        self.path = self._file() or str(cdll._name)

    def function(self, name: str) -> Callable[..., Any]:
        """A function of the library's, with its signature set.

        Raises ``LibraryError`` if this library is too old to have it.
        """
        try:
            found: Callable[..., Any] = self._functions[name]
        except KeyError:
            version = self.version if "bw_version" in self._functions else "no version"
            raise LibraryError(
                f"{self.path} ({version}) has no {name}: it is older than this package "
                f"({__version__}); install a newer libbw_webrtc"
            ) from None
        return found

    @property
    def abi_version(self) -> int:
        """The number of the library's ABI."""
        return int(self.function("bw_abi_version")())

    @property
    def version(self) -> str:
        """The library's version, such as ``"0.1.0"``."""
        return str(self.function("bw_version")().decode())

    def status_name(self, status: int) -> str:
        """The name of a status, such as ``"BW_E_TIMEOUT"``."""
        return str(self.function("bw_status_name")(status).decode())

    def take(self, text: c_char_p) -> Optional[bytes]:
        """A copy of a text that the library gave out, which is freed; None for NULL."""
        if not text:
            return None
        try:
            return text.value
        finally:
            self._functions["bw_free"](text)

    def call(
        self, name: str, *arguments: Any, received: Optional[List[Optional[bytes]]] = None
    ) -> Optional[bytes]:
        """Calls a function whose last parameter receives its document, and returns the document.

        The document is also appended to ``received``, before any exception is raised.

        Raises the ``BwError`` of the status that the function returns.
        """
        function, free = self.function(name), self._functions["bw_free"]
        documents = [] if received is None else received
        # Where a pointer is expected, ctypes passes the address by itself, quicker than by byref.
        out = c_char_p()
        try:
            status = function(*arguments, out)
            documents.append(out.value)
        except BaseException:
            # A signal handler can raise as soon as the function has returned.
            if not documents:
                documents.append(out.value)
            raise
        finally:
            if out:
                free(out)
        document = documents[0]
        if status:
            raise self.failure(status, document)
        return document

    def response(self, document: Optional[bytes], operation: Optional[str]) -> Any:
        """The response of a call that succeeded, as Python objects; None if there is none.

        Raises ``ProtocolError`` for JSON that Python cannot represent.
        """
        try:
            return decode(document)
        except NOT_REPRESENTABLE as error:
            raise ProtocolError(
                f"the response is JSON that Python cannot represent: {reason(error)}",
                operation=operation,
                outcome=Outcome.UNKNOWN,
                attempts=1,
            ) from None

    def failure(self, status: int, document: Optional[bytes]) -> BwError:
        """The exception for a status and its error document."""
        if not document:
            # The only case without a document: there was no memory for it.
            name = self.status_name(status)
            return from_document(status, {"error": {"status": status, "name": name}})
        try:
            return from_document(status, decode(document))
        except NOT_REPRESENTABLE:
            # The service's body is the only part that this can happen to. It stays JSON text.
            error: Dict[str, Any] = {"status": status}
            for key, convert in _ERROR_KEYS:
                value = self._value(document, f"/error/{key}")
                error[key] = None if value is None else convert(value)
            return from_document(status, {"error": error})

    def _value(self, document: bytes, pointer: str) -> Optional[str]:
        """A value in a document, as ``bw_json_get`` gives it; None if it is missing or null."""
        out = c_char_p()
        status = self.function("bw_json_get")(document, pointer.encode(), out)
        text = self.take(out)
        return None if status or text is None else text.decode()

    def _file(self) -> Optional[str]:
        """The file that the loader took, by asking for the home of one of its functions."""

        class DlInfo(ctypes.Structure):
            _fields_ = (
                ("dli_fname", c_char_p),
                ("dli_fbase", c_void_p),
                ("dli_sname", c_char_p),
                ("dli_saddr", c_void_p),
            )

        try:
            dladdr = ctypes.CDLL(None)["dladdr"]
            address = ctypes.cast(self._functions["bw_version"], c_void_p)
        except (AttributeError, KeyError):
            return None
        dladdr.restype, dladdr.argtypes = ctypes.c_int, [c_void_p, POINTER(DlInfo)]
        info = DlInfo()
        if not dladdr(address, ctypes.byref(info)) or not info.dli_fname:
            return None
        return os.fsdecode(info.dli_fname)


def _candidates() -> List[Tuple[str, str]]:
    """Where to look, in order: what to give the loader, and which way that is."""
    given = os.environ.get(VARIABLE)
    if given:
        # Whoever names a library wants that one: no other is taken instead.
        return [(os.path.abspath(given), f"the environment variable {VARIABLE}")]  # noqa: PTH100
    beside = Path(__file__).resolve().parent / SONAME
    return [
        (str(beside), "the copy inside the package"),
        (SONAME, "the system's loader (LD_LIBRARY_PATH, /etc/ld.so.conf, /usr/lib)"),
    ]


def _find() -> Library:
    looked: List[str] = []
    for name, origin in _candidates():
        try:
            cdll = ctypes.CDLL(name)
        except OSError as error:
            # The loader's message names the file already when it got as far as opening it.
            why = str(error)
            looked.append(f"{origin}: {why if why.startswith(name) else f'{name}: {why}'}")
            continue
        return _checked(Library(cdll, origin))
    raise LibraryError(
        "the shared library libbw_webrtc is not found. Looked in:\n"
        + "".join(f"  - {place}\n" for place in looked)
        + f"Install it, or set {VARIABLE} to the path of {SONAME}."
    )


def _checked(library: Library) -> Library:
    try:
        abi = library.abi_version
    except LibraryError:
        raise LibraryError(
            f"{library.path} (from {library.origin}) is not libbw_webrtc: it has no bw_abi_version"
        ) from None
    if abi != ABI:
        raise LibraryError(
            f"{library.path} (from {library.origin}) has ABI {abi}; bw_webrtc {__version__} needs "
            f"ABI {ABI}"
        )
    return library


_library: Optional[Library] = None


def load() -> Library:
    """The library, looked for once a process.

    Raises ``LibraryError``, which lists where it was looked for.
    """
    # Without a lock: one that another thread held at a fork would never be free in the child,
    # and two threads that load it at once only do the same work twice.
    global _library
    if _library is None:
        _library = _find()
    return _library
