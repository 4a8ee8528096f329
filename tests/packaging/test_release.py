"""What ``make dist`` made: for which machines it is, and that it works where it is unpacked."""

from __future__ import annotations

import hashlib
import platform
import re
from pathlib import Path
from typing import List

import pytest

from bw_webrtc import __version__
from bw_webrtc.testing import Sandbox
from packages import CC, DIST, EXAMPLES, RELEASED, ROOT, creates_a_participant, run

OLDEST = (2, 17)
NAME = f"libbw_webrtc-{__version__}"
BINARY = f"{NAME}-linux-{platform.machine()}"


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    run("tar", "-xzf", DIST / f"{BINARY}.tar.gz", "-C", folder)
    return folder / BINARY


def asked_glibc(file: Path) -> List[str]:
    """What a program or library asks of the C library that 2.17 has not."""
    table = run("nm", "--dynamic", "--with-symbol-versions", "--undefined-only", file)
    found = re.findall(r"(\w+)@GLIBC_(\d+)\.(\d+)", table)
    assert found, table
    return [
        f"{name}@{major}.{minor}"
        for name, major, minor in found
        if (int(major), int(minor)) > OLDEST
    ]


@pytest.mark.parametrize("name", ["libbw_webrtc.so", "bw-sandbox"])
def test_nothing_newer_than_glibc_2_17_is_asked_for(name: str) -> None:
    assert asked_glibc(RELEASED / name) == []


def test_the_test_would_see_a_newer_one(prefix: Path) -> None:
    # What the machine's own linker makes asks for the machine's own C library.
    newest = max(map(int, re.findall(r"2\.(\d+)", platform.libc_ver()[1])))
    if newest >= 33:
        assert "fstat@2.33" in asked_glibc(prefix / "lib" / "libbw_webrtc.so")


def test_the_sums_hold() -> None:
    lines = (DIST / "SHA256SUMS").read_text().splitlines()
    told = {name: digest for digest, name in (line.split("  ") for line in lines)}
    made = {path.name for path in DIST.iterdir()} - {"SHA256SUMS"}
    assert set(told) == made
    for name, digest in told.items():
        assert hashlib.sha256((DIST / name).read_bytes()).hexdigest() == digest, name


def test_the_archive_is_used_where_it_is(unpacked: Path, tmp_path: Path) -> None:
    source = EXAMPLES / "create_participant.c"
    found = {"PKG_CONFIG_PATH": str(unpacked / "lib" / "pkgconfig")}
    flags = run("pkg-config", "--cflags", "--libs", "bw_webrtc", env=found).split()
    program = tmp_path / "program"
    run(CC, source, "-o", program, *flags)
    static = tmp_path / "static"
    archive = unpacked / "lib" / "libbw_webrtc.a"
    run(CC, source, "-o", static, f"-I{unpacked}/include", archive, "-lpthread", "-ldl", "-lm")
    with Sandbox(tls=True, program=str(unpacked / "bin" / "bw-sandbox")) as sandbox:
        creates_a_participant([program], sandbox, LD_LIBRARY_PATH=str(unpacked / "lib"))
        creates_a_participant([static], sandbox)


def test_the_archive_says_how_to_use_it(unpacked: Path) -> None:
    assert "pkg-config" in (unpacked / "INSTALL").read_text()
    assert (unpacked / "share/doc/libbw_webrtc/LICENSE-MIT").is_file()
    assert (unpacked / "share/doc/libbw_webrtc/THIRD-PARTY-NOTICES").is_file()


def test_the_source_is_whole(tmp_path: Path) -> None:
    run("tar", "-xzf", DIST / f"{NAME}.tar.gz", "-C", tmp_path)
    source = tmp_path / NAME
    tracked = run("git", "-C", ROOT, "ls-files").split()
    assert [name for name in tracked if not (source / name).exists()] == []
    # Nothing is missing that cargo asks for before it compiles.
    run("cargo", "metadata", "--locked", "--offline", "--format-version", "1", cwd=source)


def test_the_shipped_libraries_are_as_published(unpacked: Path) -> None:
    run(
        *("python3", ROOT / "packaging" / "abi" / "abi.py", "check"),
        *("--header", unpacked / "include" / "bw_webrtc.h"),
        *("--library", unpacked / "lib" / "libbw_webrtc.so"),
        *("--library", unpacked / "lib" / "libbw_webrtc.a"),
    )


def test_the_c_interface_works_as_shipped(unpacked: Path, tmp_path: Path) -> None:
    """The suite of the interface, and that of the operations, against what is shipped."""
    flags = ("-std=gnu99", f"-I{unpacked}/include", f"-I{ROOT}/tests/c", f"-L{unpacked}/lib")
    link = ("-lbw_webrtc", f"-Wl,-rpath,{unpacked}/lib", "-pthread")
    for name in ("abi_test", "live_test"):
        run(CC, *flags, ROOT / "tests" / "c" / f"{name}.c", "-o", tmp_path / name, *link)
    said = [run(tmp_path / "abi_test", "2000")]
    with Sandbox(tls=True, program=str(unpacked / "bin" / "bw-sandbox")) as sandbox:
        assert sandbox.ca_file is not None
        said.append(run(tmp_path / "live_test", sandbox.url, sandbox.ca_file))
    for lines in said:
        assert re.search(r"[1-9]\d* passed, 0 failed$", lines.strip()), lines
