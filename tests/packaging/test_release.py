"""The archives of ``make dist``: checksums, and use after unpacking."""

from __future__ import annotations

import hashlib
import platform
import re
from pathlib import Path

import pytest

from bw_webrtc import __version__
from bw_webrtc.testing import Sandbox
from packages import CC, DIST, EXAMPLES, ROOT, archive_name, assert_creates_participant, run

NAME = f"libbw_webrtc-{__version__}"
BINARY = archive_name(f"{platform.machine()}-unknown-linux-gnu")


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    run("tar", "-xzf", DIST / f"{BINARY}.tar.gz", "-C", folder)
    return folder / BINARY


def test_checksums_match() -> None:
    lines = (DIST / "SHA256SUMS").read_text().splitlines()
    listed = {name: digest for digest, name in (line.split("  ") for line in lines)}
    files = {path.name for path in DIST.iterdir()} - {"SHA256SUMS"}
    assert set(listed) == files
    for name, digest in listed.items():
        assert hashlib.sha256((DIST / name).read_bytes()).hexdigest() == digest, name


def test_archive_is_usable_where_it_is_unpacked(unpacked: Path, tmp_path: Path) -> None:
    source = EXAMPLES / "create_participant.c"
    found = {"PKG_CONFIG_PATH": str(unpacked / "lib" / "pkgconfig")}
    flags = run("pkg-config", "--cflags", "--libs", "bw_webrtc", env=found).split()
    program = tmp_path / "program"
    run(CC, source, "-o", program, *flags)
    static = tmp_path / "static"
    archive = unpacked / "lib" / "libbw_webrtc.a"
    run(CC, source, "-o", static, f"-I{unpacked}/include", archive, "-lpthread", "-ldl", "-lm")
    with Sandbox(tls=True, program=str(unpacked / "bin" / "bw-sandbox")) as sandbox:
        assert_creates_participant([program], sandbox, LD_LIBRARY_PATH=str(unpacked / "lib"))
        assert_creates_participant([static], sandbox)


def test_archive_contains_instructions_and_licences(unpacked: Path) -> None:
    assert "pkg-config" in (unpacked / "INSTALL").read_text()
    assert (unpacked / "share/doc/libbw_webrtc/LICENSE-MIT").is_file()
    assert (unpacked / "share/doc/libbw_webrtc/THIRD-PARTY-NOTICES").is_file()


def test_source_archive_is_complete(tmp_path: Path) -> None:
    run("tar", "-xzf", DIST / f"{NAME}.tar.gz", "-C", tmp_path)
    source = tmp_path / NAME
    tracked = run("git", "-C", ROOT, "ls-files").split()
    assert [name for name in tracked if not (source / name).exists()] == []
    # cargo finds all files that it needs before compiling.
    run("cargo", "metadata", "--locked", "--offline", "--format-version", "1", cwd=source)


def test_c_tests_pass_with_the_shipped_library(unpacked: Path, tmp_path: Path) -> None:
    """The tests of the C interface and of the operations."""
    flags = ("-std=gnu99", f"-I{unpacked}/include", f"-I{ROOT}/tests/c", f"-L{unpacked}/lib")
    link = ("-lbw_webrtc", f"-Wl,-rpath,{unpacked}/lib", "-pthread")
    for name in ("abi_test", "live_test"):
        run(CC, *flags, ROOT / "tests" / "c" / f"{name}.c", "-o", tmp_path / name, *link)
    outputs = [run(tmp_path / "abi_test", "2000")]
    with Sandbox(
        tls=True, program=str(unpacked / "bin" / "bw-sandbox"), arguments=["--endpoint-bxml"]
    ) as sandbox:
        assert sandbox.ca_file is not None
        outputs.append(run(tmp_path / "live_test", sandbox.url, sandbox.ca_file))
    for lines in outputs:
        assert re.search(r"[1-9]\d* passed, 0 failed$", lines.strip()), lines
