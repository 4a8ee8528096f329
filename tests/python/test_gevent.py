"""Calls from greenlets, with gevent: the page about it is correct."""

from __future__ import annotations

import re

from bw_webrtc.testing import Sandbox
from support import ROOT, environment, python

PAGE = ROOT / "docs" / "gevent.md"

RESPONSIVE = """
from gevent import monkey

monkey.patch_all()

import sys
import time

import gevent
from bw_webrtc import BwError, CallTimeoutError, Client, NotFoundError

client = Client.from_env(timeout=20)
hub = gevent.get_hub()
hub.NOT_ERROR += (BwError,)
client.create_session()
ticks = 0


def tick():
    global ticks
    while True:
        gevent.sleep(0.01)
        ticks += 1


def call(function, *arguments, **options):
    return hub.threadpool.apply(function, arguments, options)


watching = gevent.spawn(tick)
began = time.monotonic()
jobs = [gevent.spawn(call, client.create_participant, tag=str(n)) for n in range(5)]
gevent.joinall(jobs, raise_error=True)
took = time.monotonic() - began
assert [job.value.participant.tag for job in jobs] == list("01234")
# One after the other, the calls would take 5 s.
assert 1 <= took < 5, took
assert ticks > 20, ticks

try:
    call(client.get_participant, "00000000-0000-4000-8000-000000000000")
except NotFoundError as error:
    print(error.operation)
try:
    call(client.create_participant, timeout=0.9)
except CallTimeoutError as error:
    print(error.outcome)
client.close()
"""


def test_calls_in_the_thread_pool_do_not_block_the_hub(plain: Sandbox) -> None:
    plain.fault("createParticipant", "delay", ms=1000, count=None)
    completed = python(["-c", RESPONSIVE], environment(plain))
    assert (completed.returncode, completed.stderr) == (0, "")
    assert completed.stdout.splitlines() == ["getParticipant", "unknown"]


def test_program_of_the_page(plain: Sandbox) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.S)
    completed = python(["-c", program], environment(plain))
    assert (completed.returncode, completed.stderr) == (0, "")
    ids = re.findall(r"^participant ([0-9a-f-]{36})$", completed.stdout, flags=re.M)
    (account,) = plain.state()["accounts"]
    assert sorted(ids) == sorted(one["id"] for one in account["participants"])
    assert len(ids) == 3
