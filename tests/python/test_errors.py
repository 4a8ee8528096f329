"""The exception classes: one for each status."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
from typing import Any, Dict
from unittest import mock

import pytest

import bw_webrtc
from bw_webrtc import BwError, _library, errors
from support import ROOT

HEADER = (ROOT / "include" / "bw_webrtc.h").read_text()
STATUSES = {int(n): name for name, n in re.findall(r"#define (BW_E_\w+) (\d+)", HEADER)}


def document(**fields: Any) -> Dict[str, Any]:
    error: Dict[str, Any] = {
        "status": 26,
        "name": "BW_E_SERVER",
        "message": "the service failed (HTTP 503)",
        "operation": "createParticipant",
        "outcome": "rejected",
        "attempts": 3,
        "httpStatus": 503,
        "requestId": "r-1",
        "retryAfterMs": 1500,
        "body": {"error": "busy"},
    }
    error.update(fields)
    return {"error": error}


@pytest.mark.parametrize("status", sorted(STATUSES))
def test_every_status_has_a_class(status: int) -> None:
    error = errors.from_document(status, document(status=status, name=STATUSES[status]))
    cls = type(error)
    assert cls is not BwError
    assert status == cls.STATUS == error.status
    assert getattr(bw_webrtc, cls.__name__) is cls
    assert _library.load().status_name(status) == STATUSES[status] == cls.NAME
    # BW_E_NOT_FOUND is NotFoundError. A name that Python already uses has a prefix.
    words = "".join(word.capitalize() for word in STATUSES[status][len("BW_E_") :].split("_"))
    assert cls.__name__ in {f"{words}Error", f"Call{words}Error", f"Queue{words}Error"}


def test_there_are_no_other_classes() -> None:
    classes = {
        cls
        for _, cls in inspect.getmembers(errors, inspect.isclass)
        if issubclass(cls, BwError) and cls.STATUS is not None
    }
    assert {cls.STATUS for cls in classes} == set(STATUSES)
    assert len(classes) == len(STATUSES)


def test_unknown_status_is_a_base_error() -> None:
    error = errors.from_document(99, document(status=99, name="BW_E_NOVEL"))
    assert type(error) is BwError
    assert (error.status, error.name) == (99, "BW_E_NOVEL")


def test_attributes_match_the_document() -> None:
    error = errors.from_document(26, document())
    assert error.status == 26
    assert error.name == "BW_E_SERVER"
    assert error.message == "the service failed (HTTP 503)"
    assert error.operation == "createParticipant"
    assert error.outcome == bw_webrtc.Outcome.REJECTED
    assert error.attempts == 3
    assert error.http_status == 503
    assert error.request_id == "r-1"
    assert error.retry_after == 1.5
    assert error.body == {"error": "busy"}
    assert error.document == document()
    assert error.args == ("the service failed (HTTP 503)",)


def test_str_and_repr() -> None:
    assert str(errors.from_document(26, document())) == (
        "createParticipant: the service failed (HTTP 503) [BW_E_SERVER, outcome rejected, "
        "3 attempts, retry after 1.5 s, request id r-1]"
    )
    bare = document(
        operation=None, outcome=None, attempts=0, retryAfterMs=None, requestId=None, status=3
    )
    bare["error"].update(name="BW_E_CONFIG", message="config.timoutMs: is not known")
    assert str(errors.from_document(3, bare)) == "config.timoutMs: is not known [BW_E_CONFIG]"
    assert repr(errors.from_document(3, bare)).startswith("<ConfigError: config.timoutMs: is not")


def test_invalid_error_document_is_accepted() -> None:
    for odd in ({}, {"error": None}, {"error": "x"}):
        error = errors.from_document(40, odd)
        assert isinstance(error, bw_webrtc.InternalError)
        assert str(error)


def test_base_classes() -> None:
    assert issubclass(bw_webrtc.CallTimeoutError, TimeoutError)
    assert issubclass(bw_webrtc.ConfigError, ValueError)
    assert issubclass(bw_webrtc.InvalidArgumentError, ValueError)
    for name in ("Resolve", "Connect", "Tls", "CallTimeout", "Network", "Protocol", "Proxy"):
        assert issubclass(getattr(bw_webrtc, f"{name}Error"), bw_webrtc.TransportError)
    for name in ("BadRequest", "Unauthorized", "NotFound", "Conflict", "Server", "HttpStatus"):
        assert issubclass(getattr(bw_webrtc, f"{name}Error"), bw_webrtc.ServiceError)


@pytest.mark.parametrize("status", sorted(STATUSES))
def test_errors_can_be_pickled_and_copied(status: int) -> None:
    error = errors.from_document(status, document(status=status))
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(again) is type(error)
        assert again.document == error.document
        assert str(again) == str(error)


def test_error_without_document() -> None:
    error = _library.load().failure(13, None)
    assert isinstance(error, bw_webrtc.CallTimeoutError)
    assert (error.status, error.name) == (13, "BW_E_TIMEOUT")


@pytest.mark.parametrize("status", sorted(STATUSES))
def test_exception_from_a_message(status: int) -> None:
    cls = type(errors.from_document(status, {}))
    for error in (cls("gone"), copy.copy(cls("gone")), pickle.loads(pickle.dumps(cls("gone")))):
        assert type(error) is cls
        assert (error.status, error.name) == (status, STATUSES[status])
        assert (error.message, error.outcome, error.attempts) == ("gone", None, 0)
        assert str(error) == f"gone [{STATUSES[status]}]"
        assert set(error.document["error"]) == set(document()["error"])
    assert cls().message


def test_exception_with_all_attributes() -> None:
    error = bw_webrtc.RateLimitedError(
        "slow down",
        operation="createParticipant",
        outcome=bw_webrtc.Outcome.REJECTED,
        attempts=2,
        http_status=429,
        request_id="r-1",
        retry_after=1.5,
        body={"error": "busy"},
    )
    assert str(error) == (
        "createParticipant: slow down [BW_E_RATE_LIMITED, outcome rejected, 2 attempts, "
        "retry after 1.5 s, request id r-1]"
    )
    assert (error.http_status, error.body) == (429, {"error": "busy"})
    assert errors.from_document(25, error.document).__dict__ == error.__dict__


def test_mock_raises_an_exception() -> None:
    client = mock.Mock()
    for effect in (bw_webrtc.NotFoundError, bw_webrtc.NotFoundError("gone")):
        client.get_participant.side_effect = effect
        with pytest.raises(bw_webrtc.NotFoundError):
            client.get_participant("x")
