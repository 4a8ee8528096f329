"""The library file itself: size, what it asks of glibc, what it exports."""

from __future__ import annotations

import re
from pathlib import Path

from .places import LIBRARY
from .running import run


def size(library: Path = LIBRARY) -> int:
    """Bytes, stripped."""
    return library.stat().st_size


def newest_glibc(library: Path) -> tuple[int, ...]:
    """The highest version of a symbol that the library asks glibc for."""
    listed = run(["readelf", "-V", "--wide", str(library)])
    return max(tuple(map(int, found.split("."))) for found in re.findall(r"GLIBC_([\d.]+)", listed))


def exported() -> list[str]:
    """The names that the library gives to others."""
    listed = run(["nm", "-D", "--defined-only", str(LIBRARY)])
    return [line.split()[-1] for line in listed.splitlines() if line]
