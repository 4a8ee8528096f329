"""Finding and loading the shared library, and the signatures of its functions.

The library is loaded on first use, so that the package can be imported without it, for its types or
its documentation.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from ctypes import POINTER, c_char_p, c_int32, c_uint32, c_uint64, c_void_p
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple, Type

from . import _names, _operations
from ._request import CALL, Operation
from ._version import __version__
from .enums import Outcome
from .errors import (
    BwError,
    CallTimeoutError,
    ConfigError,
    InvalidArgumentError,
    LibraryError,
    ProtocolError,
    UnauthorizedError,
    from_document,
)

ABI = 0
VARIABLE = "BW_WEBRTC_LIBRARY"


def _names_for(platform: str) -> Tuple[str, str]:
    """The file name of the library on a platform, and where its loader looks for the file."""
    if platform == "darwin":
        return f"libbw_webrtc.{ABI}.dylib", "DYLD_LIBRARY_PATH, /usr/local/lib, /usr/lib"
    return f"libbw_webrtc.so.{ABI}", "LD_LIBRARY_PATH, /etc/ld.so.conf, /usr/lib"


SONAME, _LOADER_PATHS = _names_for(sys.platform)

# The type of an output parameter for text, which must be passed to bw_free. A c_char_p contains the
# pointer and, as its value, a copy. As the type of a result, it would contain only the copy.
_TEXT = POINTER(c_char_p)
_HANDLE = POINTER(c_void_p)

_DECODER = json.JSONDecoder()

LOG_CALLBACK = ctypes.CFUNCTYPE(None, c_int32, c_char_p, c_void_p)
"""The type of a log callback: level, line, user data."""

INTERRUPT_CALLBACK = ctypes.CFUNCTYPE(c_int32, c_void_p)
"""The type of an interrupt callback: user data."""


def _operation(texts: int) -> Tuple[Any, List[Any]]:
    """The signature of an operation: the client, ids and document, and the output."""
    return c_int32, [c_void_p, *[c_char_p] * texts, _TEXT]


_SIGNATURES: Dict[str, Tuple[Any, List[Any]]] = {
    "bw_abi_version": (c_uint32, []),
    "bw_version": (c_char_p, []),
    "bw_status_name": (c_char_p, [c_int32]),
    "bw_free": (None, [c_void_p]),
    "bw_client_new": (c_int32, [c_char_p, _HANDLE, _TEXT]),
    "bw_client_free": (None, [c_void_p]),
    "bw_client_set_credentials": (c_int32, [c_void_p, c_char_p, c_char_p, _TEXT]),
    "bw_client_reload": (c_int32, [c_void_p, _TEXT]),
    "bw_client_stats": (c_int32, [c_void_p, _TEXT]),
    "bw_client_metrics": (c_int32, [c_void_p, _TEXT]),
    "bw_client_take_late": (c_int32, [c_void_p, _TEXT]),
    "bw_client_set_log": (c_int32, [c_void_p, c_int32, LOG_CALLBACK, c_void_p, _TEXT]),
    **{
        operation.function: _operation(len(operation.ids) + (operation.document is not None))
        for operation in _operations.ALL
    },
    "bw_call": _operation(1),
    "bw_thread_set_interrupt": (None, [INTERRUPT_CALLBACK, c_void_p]),
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
    "bw_json_length": (c_int32, [c_char_p, c_char_p, POINTER(c_uint64), _TEXT]),
    "bw_json_quote": (c_int32, [c_char_p, _TEXT]),
    "bw_transfer_bxml": (c_int32, [c_char_p, c_char_p, c_char_p, _TEXT]),
    "bw_connect_bxml": (c_int32, [c_char_p, c_char_p, _TEXT]),
    "bw_uui": (c_int32, [c_char_p, c_char_p, _TEXT]),
    "bw_parse_event": (c_int32, [c_char_p, _TEXT]),
    "bw_token_claims": (c_int32, [c_char_p, _TEXT]),
}


# The keys of an error document, in addition to the status, and the types of their values.
_ERROR_KEYS: Tuple[Tuple[str, Type[Any]], ...] = (
    *((key, str) for key in ("name", "message", "operation", "outcome", "requestId", "body")),
    *((key, int) for key in ("attempts", "httpStatus", "retryAfterMs")),
)

NOT_REPRESENTABLE = (ValueError, RecursionError)
"""The exceptions for valid JSON with a number of thousands of digits, or with deep nesting."""


def decode(document: Optional[bytes]) -> Any:
    """A document of the library as Python objects; None if there is no document.

    Raises:
        ValueError: One of ``NOT_REPRESENTABLE``.
        RecursionError: One of ``NOT_REPRESENTABLE``.
    """
    # json.loads would detect the encoding first, and repeat the library's checks.
    return _DECODER.raw_decode(document.decode().lstrip())[0] if document else None


def reason(error: Exception) -> str:
    """Why a document cannot be represented."""
    # The message of Python's own error describes settings of the interpreter.
    return (
        "it is nested too deeply" if isinstance(error, RecursionError) else "a number is too long"
    )


class Library:
    """The loaded library.

    Attributes:
        path: Its file.
        origin: How it was found.
    """

    def __init__(self, cdll: ctypes.CDLL, origin: str) -> None:
        # CDLL releases the GIL during a call; PyDLL would not.
        self._cdll = cdll
        self.origin = origin
        # All signatures are set before another thread can use this object: a function without a
        # signature would truncate a handle to 32 bits.
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
        """A function of the library, with its signature set.

        Raises:
            LibraryError: The library is too old to have it.
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

    def has(self, name: str) -> bool:
        """Whether the library has a function."""
        return name in self._functions

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
        """A copy of a text of the library, which is freed; None for NULL."""
        if not text:
            return None
        try:
            return text.value
        finally:
            self._functions["bw_free"](text)

    def call(
        self,
        name: str,
        *arguments: Any,
        received: Optional[List[Optional[bytes]]] = None,
        operation: Optional[Operation[Any]] = None,
    ) -> Optional[bytes]:
        """Calls a function whose last parameter receives its document, and returns the document.

        The document is also appended to ``received``, before any exception is raised.
        ``operation`` is what the function executes.

        Raises:
            BwError: The function returned another status than ``BW_OK``.
        """
        function, free = self.function(name), self._functions["bw_free"]
        documents = [] if received is None else received
        # ctypes passes the address of an object for a pointer parameter, faster than with byref.
        out = c_char_p()
        try:
            status = function(*arguments, out)
            documents.append(out.value)
        except BaseException:
            # A signal handler can raise an exception as soon as the function has returned.
            if not documents:
                documents.append(out.value)
            raise
        finally:
            if out:
                free(out)
        document = documents[0]
        if status:
            raise self.failure(status, document, operation)
        return document

    def response(self, document: Optional[bytes], operation: Optional[str]) -> Any:
        """The response of a call that succeeded, as Python objects; None if it is empty.

        Raises:
            ProtocolError: Python cannot represent the JSON.
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

    def failure(
        self,
        status: int,
        document: Optional[bytes],
        operation: Optional[Operation[Any]] = None,
    ) -> BwError:
        """The exception for a status and its error document."""
        error = self._error(status, document)
        # The caller of a generic call used the service's names.
        is_generic = operation is not None and operation.function == CALL
        if operation is not None and not (is_generic or error.get("operation")):
            error["operation"] = operation.name
            error["outcome"] = error.get("outcome") or Outcome.NOT_SENT
        if status == ConfigError.STATUS:
            error["message"] = _names.translate_config(str(error.get("message")))
        elif status == InvalidArgumentError.STATUS and not is_generic:
            body = "" if operation is None else operation.argument
            message = str(error.get("message"))
            if message.startswith("call: has ") and operation is not None:
                # The caller gave no document of the whole call, but its largest part.
                part = "bxml: " if operation.document == "bxml" else body and f"{body}: "
                message = f"{part}as JSON, the call {message[len('call: ') :]}"
            error["message"] = _names.translate(message, body=body)
        elif status in (CallTimeoutError.STATUS, UnauthorizedError.STATUS):
            error["message"] = _names.translate_advice(str(error.get("message")))
        return from_document(status, {"error": error})

    def _error(self, status: int, document: Optional[bytes]) -> Dict[str, Any]:
        """The object in an error document."""
        if not document:
            # An error without a document: its allocation failed.
            return {"status": status, "name": self.status_name(status)}
        error: Dict[str, Any]
        try:
            error = decode(document)["error"]
        except NOT_REPRESENTABLE:
            # Only the service's body can cause this. It remains JSON text.
            error = {"status": status}
            for key, convert in _ERROR_KEYS:
                value = self._value(document, f"/error/{key}")
                error[key] = None if value is None else convert(value)
        return error

    def _value(self, document: bytes, pointer: str) -> Optional[str]:
        """A value in a document, as ``bw_json_get`` returns it; None if it is missing or null."""
        out = c_char_p()
        status = self.function("bw_json_get")(document, pointer.encode(), out)
        text = self.take(out)
        return None if status or text is None else text.decode()

    def _file(self) -> Optional[str]:
        """The file that contains one of the library's functions, by ``dladdr``."""

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
    """The libraries to try, in order: the name for the loader, and the origin."""
    path = os.environ.get(VARIABLE)
    if path:
        # No other library is used instead.
        return [(os.path.abspath(path), f"the environment variable {VARIABLE}")]  # noqa: PTH100
    packaged = Path(__file__).resolve().parent / SONAME
    return [
        (str(packaged), "the copy inside the package"),
        (SONAME, f"the system's loader ({_LOADER_PATHS})"),
    ]


def _find() -> Library:
    tried: List[str] = []
    for name, origin in _candidates():
        try:
            cdll = ctypes.CDLL(name)
        except OSError as error:
            # The loader's message begins with the name if it could open the file.
            reason = str(error)
            path = Path(name)
            is_missing = reason.startswith(name) and "No such file" in reason
            if is_missing and path.is_absolute() and path.is_file():
                # The text of glibc for this case is misleading.
                reason = f"{name}: the library is for another processor"
            tried.append(f"{origin}: {reason if reason.startswith(name) else f'{name}: {reason}'}")
            continue
        return _checked(Library(cdll, origin))
    raise LibraryError(
        "the shared library libbw_webrtc is not found. Looked in:\n"
        + "".join(f"  - {place}\n" for place in tried)
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
    """The library. It is loaded once in each process.

    Raises:
        LibraryError: The library is not found; the message lists the locations that were tried.
    """
    # Without a lock: a lock that another thread holds during a fork is never released in the child.
    # Two threads that load the library at the same time only repeat the work.
    global _library
    if _library is None:
        _library = _find()
    return _library
