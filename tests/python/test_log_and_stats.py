"""Counters of a client, and its log lines in ``logging``."""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import threading
from typing import Any, List, Union

import pytest

from bw_webrtc import (
    Client,
    ConfigError,
    InvalidArgumentError,
    InvalidHandleError,
    ServerError,
    _library,
    _log,
)
from bw_webrtc.testing import Sandbox
from support import LIMIT, Background


class Lines(logging.Handler):
    """A handler that keeps its records."""

    def __init__(self) -> None:
        super().__init__()
        self.records: List[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


def listen(name: str, level: int = logging.DEBUG) -> Lines:
    lines = Lines()
    logger = logging.getLogger(name)
    logger.setLevel(level)
    logger.handlers = [lines]
    logger.propagate = False
    return lines


def test_stats(client: Client, sandbox: Sandbox) -> None:
    assert client.stats()["calls"] == 0
    sandbox.fault("getSession", "status", status=503, headers={"Retry-After": "0"})
    session = client.create_session()
    client.get_session(session.id)
    stats = client.stats()
    assert (stats["calls"], stats["attempts"], stats["retries"]) == (2, 3, 1)
    assert stats["statuses"] == {"BW_OK": 2}
    assert stats["inFlight"] == 0
    # One request was for the token.
    assert stats["connectionsOpened"] + stats["connectionsReused"] == 4
    assert stats["tokenRequests"] == 1
    assert stats["operations"]["getSession"]["retries"] == 1
    times = stats["operations"]["getSession"]["times"]
    assert sum(bucket["count"] for bucket in times) == 1
    client.close()
    with pytest.raises(InvalidHandleError):
        client.stats()


@pytest.mark.parametrize(
    ("level", "levels"),
    [
        (logging.DEBUG, {logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR}),
        (1, {logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR}),
        (logging.INFO, {logging.INFO, logging.WARNING, logging.ERROR}),
        (25, {logging.WARNING, logging.ERROR}),
        (logging.WARNING, {logging.WARNING, logging.ERROR}),
        (logging.ERROR, {logging.ERROR}),
        (logging.CRITICAL, set()),
        ("DEBUG", {logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR}),
        ("info", {logging.INFO, logging.WARNING, logging.ERROR}),
        ("INFO", {logging.INFO, logging.WARNING, logging.ERROR}),
        ("WARN", {logging.WARNING, logging.ERROR}),
        ("ERROR", {logging.ERROR}),
        (None, set()),
    ],
)
def test_set_log(plain: Sandbox, level: Union[int, str, None], levels: object) -> None:
    lines = listen("bw_webrtc")
    with plain.client(max_retries=1) as client:
        client.create_session()
        client.set_log(level)
        session = client.create_session()
        plain.fault("getSession", "status", status=503, headers={"Retry-After": "0"}, count=3)
        with pytest.raises(ServerError):
            client.get_session(session.id)
        client.get_session(session.id)
    assert {record.levelno for record in lines.records} == levels
    assert {record.name for record in lines.records} <= {"bw_webrtc"}
    for record in lines.records:
        assert "Session" in record.getMessage()


@pytest.mark.parametrize(("retries", "words"), [(0, " attempts=1 "), (1, " attempts=2 ")])
def test_log_line_contains_the_number_of_attempts(plain: Sandbox, retries: int, words: str) -> None:
    lines = listen("bw_webrtc")
    plain.fault("getSession", "status", status=500, count=None)
    with plain.client(max_retries=retries) as client:
        client.set_log(logging.ERROR)
        with pytest.raises(ServerError):
            client.get_session("s")
    (line,) = lines.records
    assert words in line.getMessage()


def test_log_format_is_json(plain: Sandbox) -> None:
    lines = listen("bw_webrtc")
    with plain.client(log_format="json") as client:
        client.set_log(logging.INFO)
        session = client.create_session()
        client.get_session(session.id)
    line = json.loads(lines.records[-1].getMessage())
    assert line.pop("durationMs") > 0
    assert line == {
        "level": "info",
        "event": "call",
        "operation": "getSession",
        "call": 2,
        "sessionId": session.id,
        "status": "BW_OK",
        "httpStatus": 200,
        "connection": "reused",
        "attempts": 1,
    }


def test_unknown_log_format_is_rejected(plain: Sandbox) -> None:
    with pytest.raises(ConfigError, match='"xml" is not one of text, json'):
        plain.client(log_format="xml")


def test_lines_go_to_the_given_logger(plain: Sandbox) -> None:
    first, second = listen("calls.first"), listen("calls.second")
    with plain.client() as client:
        client.create_session()
        client.set_log(logging.INFO, "calls.first")
        client.create_session()
        client.set_log(logging.INFO, logging.getLogger("calls.second"))
        client.create_session()
        client.create_session()
        client.set_log(None)
        client.create_session()
    assert (len(first.records), len(second.records)) == (1, 2)


def test_level_of_the_logger_applies(plain: Sandbox) -> None:
    lines = listen("bw_webrtc", logging.ERROR)
    with plain.client() as client:
        client.set_log(logging.DEBUG)
        client.create_session()
    assert lines.records == []


def test_lines_contain_no_secret(sandbox: Sandbox) -> None:
    lines = listen("bw_webrtc")
    with sandbox.client() as client:
        client.set_log(logging.DEBUG)
        token = client.create_participant().token
        client.set_credentials(sandbox.client_id, "pass-of-nobody")
        with pytest.raises(Exception, match="HTTP 401"):
            client.create_participant()
    shown = "\n".join(record.getMessage() for record in lines.records)
    assert "createParticipant" in shown
    for secret in (
        *(token, token.rsplit(".", 1)[1], sandbox.client_secret, "pass-of-nobody"),
        *("Basic", "Bearer", "eyJ"),
    ):
        assert secret not in shown


def test_exception_of_a_handler_does_not_affect_the_call(
    plain: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = listen("bw_webrtc")

    def fail(record: logging.LogRecord) -> None:
        raise RuntimeError(record.getMessage())

    monkeypatch.setattr(lines, "emit", fail)
    request: List[object] = []
    monkeypatch.setattr("sys.unraisablehook", lambda raised: request.append(raised.exc_value))
    with plain.client() as client:
        client.create_session()
        client.set_log(logging.INFO)
        assert client.create_session().id
    assert [type(error) for error in request] == [RuntimeError]


def test_unreferenced_client_with_a_log_is_freed(plain: Sandbox) -> None:
    lines = listen("bw_webrtc")
    for _ in range(50):
        client = plain.client(username=plain.username)
        client.set_log(logging.INFO)
        client.create_session()
        del client
    gc.collect()
    assert len(lines.records) == 50


def test_log_is_changed_during_calls(plain: Sandbox) -> None:
    lines = listen("bw_webrtc")
    with plain.client() as client:
        client.create_session()
        client.set_log(logging.INFO)

        def work() -> None:
            for _ in range(50):
                client.create_session()

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            client.set_log(logging.INFO)
        for thread in threads:
            thread.join(LIMIT)
        assert client.stats()["calls"] == 201
    assert len(lines.records) == 200


def test_callback_is_not_freed_while_in_use(
    plain: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The first thread returns from the library, and the second changes the log before the first
    # continues.
    lines = listen("second")
    first_returned, second_done = threading.Event(), threading.Event()
    call = _library.Library.call

    def slow(self: _library.Library, name: str, *arguments: Any, **received: Any) -> Any:
        document = call(self, name, *arguments, **received)
        if name == "bw_client_set_log" and threading.current_thread() is first:
            first_returned.set()
            assert second_done.wait(LIMIT)
        return document

    with plain.client(username=plain.username) as client:
        first = threading.Thread(target=client.set_log, args=(logging.DEBUG, "first"))
        monkeypatch.setattr(_library.Library, "call", slow)
        first.start()
        assert first_returned.wait(LIMIT)
        client.set_log(logging.INFO, "second")
        second_done.set()
        first.join(LIMIT)
        gc.collect()
        client.create_session()
    assert len(lines.records) == 1
    assert len(_log._callbacks) == 1
    assert _log._loggers == {}


def test_log_is_changed_while_the_client_is_closed(
    plain: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = _library.Library.call
    client = plain.client()

    def slow(self: _library.Library, name: str, *arguments: Any, **received: Any) -> Any:
        if name == "bw_client_set_log" and arguments[1]:
            client.close()
        return call(self, name, *arguments, **received)

    monkeypatch.setattr(_library.Library, "call", slow)
    with pytest.raises(InvalidHandleError):
        client.set_log(logging.DEBUG)
    assert _log._loggers == {}


def test_threads_change_the_log_while_the_client_is_closed(plain: Sandbox) -> None:
    listen("bw_webrtc")
    for _ in range(20):
        client = plain.client(username=plain.username)

        def work(client: Client = client) -> None:
            with contextlib.suppress(InvalidHandleError):
                while True:
                    client.set_log(logging.DEBUG)

        threads = [Background(work) for _ in range(3)]
        client.create_session()
        client.close()
        for thread in threads:
            thread.result()
    assert _log._loggers == {}


def test_set_log_rejects_wrong_types(plain: Sandbox) -> None:
    with plain.client() as client:
        for level in (b"INFO", 2.5, True):
            with pytest.raises(TypeError, match="level must be an int, the name of a level or N"):
                client.set_log(level)  # type: ignore[arg-type]
        for name in ("LOUD", ""):
            with pytest.raises(InvalidArgumentError, match="level: is not the name of a level"):
                client.set_log(name)
        with pytest.raises(TypeError, match="logger must be a str or a Logger"):
            client.set_log(logging.INFO, 5)  # type: ignore[arg-type]
    with pytest.raises(InvalidHandleError):
        client.set_log(None)


def test_set_log_inside_a_handler_is_rejected(plain: Sandbox) -> None:
    lines = listen("bw_webrtc")
    rejected: List[BaseException] = []

    with plain.client() as client:

        def emit(record: logging.LogRecord) -> None:
            with pytest.raises(InvalidArgumentError, match="inside a callback") as caught:
                client.set_log(None)
            rejected.append(caught.value)

        lines.emit = emit  # type: ignore[method-assign]
        client.create_session()
        client.set_log(logging.INFO)
        client.create_session()
        client.create_session()
    assert len(rejected) == 2
