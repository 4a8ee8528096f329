"""Metrics of a server whose worker processes are forks: the sums over all processes.

Each process has its own counters. Each writes its metrics to a file, and the process that
Prometheus scrapes adds them up: all values can be added, also those of a histogram. The files of
workers that have ended remain, because a counter must not decrease: empty the directory when the
server starts.

It uses the same environment variables as create_participant.py. The argument is the directory.
"""

import os
import sys
from pathlib import Path
from typing import Dict, Optional

from bw_webrtc import BwError, Client, LibraryError


def write_metrics(client: Client, directory: Path) -> None:
    """Replaces the file of this process. A worker does this every few seconds and when it ends."""
    new = directory / f"{os.getpid()}.new"
    new.write_text(client.metrics())
    new.rename(directory / f"{os.getpid()}.prom")


def sum_metrics(directory: Path) -> str:
    """The sums of the values in all files, in the same format."""
    # The lines of each metric: comments, and series with their sums.
    metrics: Dict[str, Dict[str, Optional[float]]] = {}
    for file in directory.glob("*.prom"):
        lines: Dict[str, Optional[float]] = {}
        for line in file.read_text().splitlines()[:-1]:
            if line.startswith("# "):
                lines = metrics.setdefault(line.split()[2], {})
                lines[line] = None
            else:
                series, value = line.rsplit(" ", 1)
                lines[series] = (lines.get(series) or 0.0) + float(value)
    text = [
        line if total is None else f"{line} {total:.15g}"
        for lines in metrics.values()
        for line, total in lines.items()
    ]
    return "\n".join([*text, "# EOF", ""])


def run(client: Client, directory: Path) -> None:
    """Makes one call in this process and three in each of four workers, and prints the sums."""
    client.create_session()
    write_metrics(client, directory)
    workers = []
    for _ in range(4):
        worker = os.fork()
        if worker == 0:
            for _ in range(3):
                client.create_session()
            write_metrics(client, directory)
            os._exit(0)
        workers.append(worker)
    for worker in workers:
        os.waitpid(worker, 0)
    print(sum_metrics(directory), end="")


try:
    with Client.from_env(ca_file=os.environ.get("BW_CA_FILE")) as client:
        run(client, Path(sys.argv[1]))
except (BwError, LibraryError) as error:
    sys.exit(f"{error}")
