"""The recipes of docs/recipes.md: the functions of the page itself are called."""

from __future__ import annotations

import re
from typing import Any, Dict, Set

import pytest

from bw_webrtc import Client, ConflictError, CreatedParticipant, Subscriptions
from bw_webrtc.testing import Sandbox
from support import ROOT, WebhookServer, bodies

PAGE = (ROOT / "docs" / "recipes.md").read_text()


def recipe(heading: str) -> Dict[str, Any]:
    """The functions in the section with this heading."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    (code,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    functions: Dict[str, Any] = {}
    exec(compile(code, f"recipes.md: {heading}", "exec"), functions)
    return functions


class Room:
    """A session with an agent and a customer that hear everyone in it."""

    def __init__(self, sandbox: Sandbox, client: Client) -> None:
        self._sandbox = sandbox
        self.client = client
        self.session_id = client.create_session().id
        self.agent, self.customer = [self.add(tag) for tag in ("agent", "customer")]

    def add(self, tag: str) -> CreatedParticipant:
        """Adds a participant that hears everyone."""
        created = self.client.create_participant(publish_permissions=["AUDIO"], tag=tag)
        self.client.add_participant_to_session(
            self.session_id, created.id, Subscriptions(session_id=self.session_id)
        )
        return created

    def hears(self) -> Dict[str, Set[str]]:
        """Whom each participant hears: those that publish, by their tags."""
        (account,) = self._sandbox.state()["accounts"]
        participants = {found["id"]: found for found in account["participants"]}
        return {
            found["tag"]: {
                participants[other]["tag"]
                for other in found["hears"]
                if participants[other]["publishPermissions"]
            }
            for found in participants.values()
        }


@pytest.fixture
def room(sandbox: Sandbox, client: Client) -> Room:
    return Room(sandbox, client)


def test_listener_hears_everyone_and_publishes_nothing(room: Room) -> None:
    add_listener = recipe("A participant without publishPermissions")["add_listener"]
    listener = add_listener(room.client, room.session_id)
    assert room.client.get_participant(listener.id).publish_permissions == ()
    room.add("later")
    assert room.hears() == {
        "agent": {"customer", "later"},
        "customer": {"agent", "later"},
        "later": {"agent", "customer"},
        "listener": {"agent", "customer", "later"},
    }
    listed = room.client.list_session_participants(room.session_id)
    assert listener.id in {participant.id for participant in listed}


def test_silent_supervisor_is_heard_by_nobody(room: Room) -> None:
    functions = recipe("A silent supervisor")
    supervisor = functions["add_supervisor"](room.client, room.session_id)
    assert room.hears() == {
        "agent": {"customer"},
        "customer": {"agent"},
        "supervisor": {"agent", "customer"},
    }
    functions["remove_supervisor"](room.client, supervisor)
    assert room.hears() == {"agent": {"customer"}, "customer": {"agent"}}


def test_whisper_coach_is_heard_by_the_agent_only(room: Room) -> None:
    add_coach = recipe("A whisper coach")["add_coach"]
    add_coach(room.client, room.session_id, room.agent.id, room.customer.id)
    assert room.hears() == {
        "agent": {"customer", "coach"},
        "customer": {"agent"},
        "coach": {"agent", "customer"},
    }
    room.add("later")
    assert "later" not in room.hears()["customer"]


@pytest.mark.parametrize("failed", range(4))
def test_customer_never_hears_the_coach_if_a_call_fails(
    room: Room, sandbox: Sandbox, failed: int
) -> None:
    add_coach = recipe("A whisper coach")["add_coach"]
    sandbox.fault("*", "status", status=400, body={"error": "no"}, after=failed)
    with pytest.raises(Exception, match="no"):
        add_coach(room.client, room.session_id, room.agent.id, room.customer.id)
    assert "coach" not in room.hears()["customer"]


def test_guest_waits_outside_of_the_session(room: Room, sandbox: Sandbox) -> None:
    functions = recipe("A waiting room")
    apart = {"agent": {"customer"}, "customer": {"agent"}, "guest": set()}
    together = {
        "agent": {"customer", "guest"},
        "customer": {"agent", "guest"},
        "guest": {"agent", "customer"},
    }
    with WebhookServer() as receiver:
        guest = functions["create_guest"](room.client, "guest", receiver.url)
        sandbox.connect(guest.id)
        assert b"onConnect" in receiver.body()
    assert room.hears() == apart
    for _ in range(2):
        functions["admit"](room.client, room.session_id, guest.id)
        assert room.hears() == together
        functions["send_back"](room.client, room.session_id, guest.id)
        assert room.hears() == apart
    functions["admit"](room.client, room.session_id, guest.id)
    with pytest.raises(ConflictError):
        functions["admit"](room.client, room.session_id, guest.id)


def test_every_recipe_has_a_test() -> None:
    source = (ROOT / "tests" / "python" / "test_recipes.py").read_text()
    for name in re.findall(r"^def (\w+)\(", PAGE, re.MULTILINE):
        assert f'["{name}"]' in source, name


def test_empty_list_of_permissions_is_sent(room: Room, sandbox: Sandbox) -> None:
    recipe("A silent supervisor")["add_supervisor"](room.client, room.session_id)
    assert bodies(sandbox, "createParticipant")[-1] == {
        "publishPermissions": [],
        "tag": "supervisor",
    }
