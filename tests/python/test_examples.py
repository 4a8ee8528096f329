"""The examples do what they say, and are as short as promised."""

from __future__ import annotations

import io
import re
import tokenize
from pathlib import Path
from typing import Dict, Optional, Set

import pytest

from bw_webrtc.testing import Sandbox
from support import PACKAGE, environment, python

EXAMPLES = PACKAGE / "examples"


def lines_of_code(path: Path) -> int:
    """Lines that hold more than comments and the docstring."""
    skipped = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.ENCODING}
    skipped |= {tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    lines: Set[int] = set()
    tokens = list(tokenize.generate_tokens(io.StringIO(path.read_text()).readline))
    for before, token in zip([None, *tokens], tokens):
        docstring = token.type == tokenize.STRING and before is None
        if token.type not in skipped and not docstring:
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines)


def test_create_participant(sandbox: Sandbox) -> None:
    completed = python(
        [str(EXAMPLES / "create_participant.py")],
        environment(sandbox, BW_CA_FILE=sandbox.ca_file),
    )
    assert (completed.returncode, completed.stderr) == (0, "")
    shown = re.fullmatch(
        r"participant ([0-9a-f-]{36})\ntoken       (\S{12})\.\.\. \((\d+) characters\)\n",
        completed.stdout,
    )
    assert shown, completed.stdout
    assert shown[1] in str(sandbox.state())
    assert int(shown[3]) > 100
    assert lines_of_code(EXAMPLES / "create_participant.py") < 20


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"BW_CLIENT_SECRET": None}, "the environment variable BW_CLIENT_SECRET is not set"),
        ({"BW_CLIENT_SECRET": "wrong"}, "BW_E_UNAUTHORIZED"),
        ({"BW_WEBRTC_LIBRARY": "/nowhere"}, "is not found"),
    ],
)
def test_create_participant_reports_errors(
    plain: Sandbox, changed: Dict[str, Optional[str]], message: str
) -> None:
    completed = python(
        [str(EXAMPLES / "create_participant.py")],
        environment(plain, BW_CA_FILE=None, **changed),
    )
    assert completed.returncode == 1
    assert message in completed.stderr
    assert "Traceback" not in completed.stderr


def test_session(sandbox: Sandbox) -> None:
    completed = python(
        [str(EXAMPLES / "session.py")], environment(sandbox, BW_CA_FILE=sandbox.ca_file)
    )
    assert (completed.returncode, completed.stderr) == (0, "")
    assert completed.stdout == (
        "alice hears everyone in the session\nbob hears everyone in the session\n"
    )
    assert len((EXAMPLES / "session.py").read_text().splitlines()) < 40
    (state,) = sandbox.state()["accounts"]
    assert (state["sessions"], state["participants"]) == ([], [])


def test_endpoint(sandbox: Sandbox) -> None:
    completed = python(
        [str(EXAMPLES / "endpoint.py")],
        environment(
            sandbox,
            BW_CA_FILE=sandbox.ca_file,
            BW_ENDPOINTS_URL=sandbox.url.replace("/v1", "/v2"),
        ),
    )
    assert (completed.returncode, completed.stderr) == (0, "")
    shown = re.fullmatch(
        r"endpoint    (e-[0-9a-f-]+)\ntoken       \S{12}\.\.\. \(\d+ characters\)\n"
        r"expires     .*\n",
        completed.stdout,
    )
    assert shown, completed.stdout
    (created,) = sandbox.requests("createEndpoint")
    (deleted,) = sandbox.requests("deleteEndpoint")
    assert created["status"] == 201
    assert deleted["path"].endswith(shown[1])
    assert sandbox.state()["accounts"][0]["endpoints"] == []
    assert lines_of_code(EXAMPLES / "endpoint.py") < 20
