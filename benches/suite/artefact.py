"""The library file: size, required glibc version, exported symbols."""

from __future__ import annotations

import re
from pathlib import Path

from .places import LIBRARY
from .running import run


def size(library: Path = LIBRARY) -> int:
    """The size of the stripped library in bytes."""
    return library.stat().st_size


def newest_glibc(library: Path) -> tuple[int, ...]:
    """The highest symbol version of glibc that the library requires."""
    listed = run(["readelf", "-V", "--wide", str(library)])
    return max(tuple(map(int, found.split("."))) for found in re.findall(r"GLIBC_([\d.]+)", listed))


def exported() -> list[str]:
    """The exported symbols."""
    listed = run(["nm", "-D", "--defined-only", str(LIBRARY)])
    return [line.split()[-1] for line in listed.splitlines() if line]
