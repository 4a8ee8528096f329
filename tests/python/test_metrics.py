"""The metrics of a client: parsed by a strict OpenMetrics parser and by promtool."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Dict, Tuple

import pytest
from prometheus_client import parser as text_format
from prometheus_client.openmetrics import parser as openmetrics

from bw_webrtc import AsyncClient, BadRequestError, Client, InvalidHandleError
from bw_webrtc.testing import Sandbox
from support import LIMIT, PACKAGE, environment, python

EXAMPLE = PACKAGE / "examples" / "prefork_metrics.py"

Samples = Dict[Tuple[str, Tuple[Tuple[str, str], ...]], float]


# Both parsers have no types.
OPENMETRICS: Any = openmetrics.text_string_to_metric_families
TEXT_FORMAT: Any = text_format.text_string_to_metric_families


def parse(text: str) -> Samples:
    """The values by metric and labels. Both parsers must accept the text and find the same."""
    strict, other = (
        {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in families(text)
            for sample in family.samples
        }
        for families in (OPENMETRICS, TEXT_FORMAT)
    )
    assert strict == other
    return strict


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[(f"bw_webrtc_{name}", tuple(sorted(labels.items())))]


def used(client: Client, sandbox: Sandbox) -> str:
    """The metrics after two successful calls, one retry and one failure."""
    sandbox.fault("getSession", "status", status=503, headers={"Retry-After": "0"})
    session = client.create_session()
    client.get_session(session.id)
    with pytest.raises(BadRequestError):
        client.get_session('hostile"} 1 bw_webrtc_forged_total{a="')
    return client.metrics()


def test_metrics_are_openmetrics(client: Client, sandbox: Sandbox) -> None:
    before = parse(client.metrics())
    assert value(before, "token_requests_total") == 0
    text = used(client, sandbox)
    samples = parse(text)
    get = {"operation": "getSession"}
    assert value(samples, "calls_total", status="BW_OK", **get) == 1
    assert value(samples, "calls_total", status="BW_E_BAD_REQUEST", **get) == 1
    assert value(samples, "attempts_total", **get) == 3
    assert value(samples, "retries_total", **get) == 1
    assert value(samples, "calls_in_flight", **get) == 0
    assert value(samples, "token_requests_total") == 1
    assert value(samples, "connections_opened_total") >= 1
    assert sum(value(samples, f"connections_{kind}_total") for kind in ("opened", "reused")) == 5
    count = value(samples, "call_duration_seconds_count", **get)
    assert count == value(samples, "call_duration_seconds_bucket", le="+Inf", **get) == 2
    assert 0 < value(samples, "call_duration_seconds_sum", **get) < 2 * LIMIT
    for stage in ("waiting", "running", "done"):
        assert value(samples, "queue_calls", stage=stage) == 0
    families = {family.name: family for family in OPENMETRICS(text)}
    assert all(family.documentation for family in families.values())
    assert families["bw_webrtc_call_duration_seconds"].type == "histogram"
    assert families["bw_webrtc_call_duration_seconds"].unit == "seconds"
    assert families["bw_webrtc_calls_in_flight"].type == "gauge"
    # Ids of callers are not labels.
    assert "hostile" not in text
    assert text.endswith("\n# EOF\n")


def test_promtool_accepts_the_metrics(client: Client, sandbox: Sandbox) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        assert os.environ.get("PROMTOOL") != "require"
        pytest.skip("promtool was not found (Debian: apt-get install prometheus)")
    for text in (client.metrics(), used(client, sandbox)):
        checked = subprocess.run(
            [promtool, "check", "metrics"],
            input=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT,
        )
        assert (checked.returncode, checked.stdout) == (0, "")


def test_counters_do_not_decrease(client: Client) -> None:
    client.create_session()
    earlier = parse(client.metrics())
    client.create_session()
    later = parse(client.metrics())
    counters = [key for key in earlier if re.search("_(total|bucket|count|sum)$", key[0])]
    assert len(counters) > 15
    assert all(later[key] >= earlier[key] for key in counters)


def test_queued_calls_are_counted(sandbox: Sandbox) -> None:
    async def run() -> Samples:
        async with sandbox.async_client() as client:
            await client.create_session()
            return parse(client.metrics())

    samples = asyncio.run(run())
    assert value(samples, "calls_total", operation="createSession", status="BW_OK") == 1
    assert value(samples, "queue_cancelled_total") == 0


def test_metrics_of_a_closed_client_are_an_error(plain: Sandbox) -> None:
    client = plain.client()
    client.close()
    with pytest.raises(InvalidHandleError):
        client.metrics()

    async def run() -> AsyncClient:
        async with plain.async_client() as closed:
            return closed

    with pytest.raises(InvalidHandleError):
        asyncio.run(run()).metrics()


def test_sums_over_prefork_workers(sandbox: Sandbox, tmp_path: Path) -> None:
    completed = python(
        [str(EXAMPLE), str(tmp_path)], environment(sandbox, BW_CA_FILE=sandbox.ca_file)
    )
    assert (completed.returncode, completed.stderr) == (0, "")
    samples = parse(completed.stdout)
    # One call of the parent, and three of each of the four workers.
    create = {"operation": "createSession"}
    assert value(samples, "calls_total", status="BW_OK", **create) == 13
    assert value(samples, "call_duration_seconds_count", **create) == 13
    assert value(samples, "calls_in_flight", **create) == 0
    files = sorted(tmp_path.glob("*.prom"))
    assert len(files) == 5
    counts = [value(parse(file.read_text()), "attempts_total", **create) for file in files]
    assert sorted(counts) == [1, 3, 3, 3, 3]
