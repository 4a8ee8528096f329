"""The shipped files of each target: processor, required libraries, exports, and labels."""

from __future__ import annotations

import re
import shutil
import zipfile
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Set, Tuple

import pytest

from bw_webrtc import __version__
from packages import DIST, ROOT, TARGETS, archive_name, assert_platform_tag, run, tool

OLDEST = (2, 17)
MACHINES = {"x86_64": "Advanced Micro Devices X86-64", "aarch64": "AArch64"}
DEBIAN = {"x86_64": "amd64", "aarch64": "arm64"}
# Without libgcc_s: Zig links its own unwinder. The loader contains __tls_get_addr of glibc.
GLIBC = {"libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1"}
LOADERS = {"x86_64": "ld-linux-x86-64.so.2", "aarch64": "ld-linux-aarch64.so.1"}


class Shipped(NamedTuple):
    """The unpacked archives of a target."""

    target: str
    folder: Path
    wheels: Dict[str, Path]

    @property
    def machine(self) -> str:
        return self.target.split("-")[0]

    @property
    def is_glibc(self) -> bool:
        return self.target.endswith("-gnu")

    def binaries(self) -> List[Path]:
        """Every program and shared library in the archives."""
        found = [
            path
            for path in sorted(self.folder.rglob("*"))
            if path.is_file() and not path.is_symlink() and path.read_bytes()[:4] == b"\x7fELF"
        ]
        assert len(found) == (6 if self.is_glibc else 4), found
        return found


@pytest.fixture(scope="module", params=TARGETS)
def shipped(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shipped]:
    target: str = request.param
    folder = tmp_path_factory.mktemp(target)
    run("tar", "-xzf", DIST / f"{archive_name(target)}.tar.gz", "-C", folder)
    machine = target.split("-")[0]
    tag = "manylinux_2_17" if target.endswith("-gnu") else "musllinux_1_2"
    wheels = {}
    for name in ("bw_webrtc", "bw_webrtc_sandbox"):
        wheels[name] = DIST / f"{name}-{__version__}-py3-none-{tag}_{machine}.whl"
        run("python3", "-m", "zipfile", "-e", wheels[name], folder / name)
    if target.endswith("-gnu"):
        for name in ("libbw-webrtc0", "bw-sandbox"):
            deb = DIST / f"{name}_{__version__}_{DEBIAN[machine]}.deb"
            assert run("dpkg-deb", "--field", deb, "Architecture").strip() == DEBIAN[machine]
            run("dpkg-deb", "--extract", deb, folder / f"{name}.deb")
    yield Shipped(target, folder, wheels)
    shutil.rmtree(folder)


def glibc_versions(file: Path) -> Set[str]:
    """The versions of glibc's symbols that a program or library requires."""
    needs = run("readelf", "--version-info", "--wide", file)
    return set(re.findall(r"Name: GLIBC_(\S+)", needs))


def test_processor(shipped: Shipped) -> None:
    for file in shipped.binaries():
        assert f"Machine:                           {MACHINES[shipped.machine]}\n" in run(
            "readelf", "--file-header", file
        ), file
    archive = shipped.folder / archive_name(shipped.target) / "lib" / "libbw_webrtc.a"
    assert set(re.findall(r"Machine: +(.*)", run("readelf", "--file-header", archive))) == {
        MACHINES[shipped.machine]
    }


def newest_version(versions: Set[str]) -> Tuple[int, ...]:
    return max((tuple(map(int, version.split("."))) for version in versions), default=(0,))


def test_newer_glibc_versions_are_found() -> None:
    # A program of the machine's own system.
    assert newest_version(glibc_versions(Path("/bin/sh"))) > OLDEST


def test_oldest_c_library_is_sufficient(shipped: Shipped) -> None:
    for file in shipped.binaries():
        required = glibc_versions(file)
        assert bool(required) == shipped.is_glibc, file
        assert newest_version(required) <= OLDEST, (file, required)


def test_only_the_c_library_is_required(shipped: Shipped) -> None:
    libraries = {*GLIBC, LOADERS[shipped.machine]} if shipped.is_glibc else {"libc.so"}
    for file in shipped.binaries():
        needed = re.findall(r"\(NEEDED\) .*\[(.*)\]", run("readelf", "--dynamic", "--wide", file))
        assert needed
        assert set(needed) <= libraries, file


def test_segments_fit_the_largest_page(shipped: Shipped) -> None:
    """Kernels for aarch64 can have pages of 64 KiB."""
    largest = 0x10000 if shipped.machine == "aarch64" else 0x1000
    for file in shipped.binaries():
        table = run("readelf", "--program-headers", "--wide", file)
        alignments = [int(found, 16) for found in re.findall(r"^ +LOAD .* (0x\w+)$", table, re.M)]
        assert alignments
        assert [one for one in alignments if one % largest] == [], file


def test_libraries_match_the_record(shipped: Shipped) -> None:
    libraries = [file for file in shipped.binaries() if file.name.startswith("libbw_webrtc.so")]
    assert len(libraries) == (3 if shipped.is_glibc else 2)
    unpacked = shipped.folder / archive_name(shipped.target)
    output = run(
        *("python3", ROOT / "packaging" / "abi" / "abi.py", "check"),
        *("--header", unpacked / "include" / "bw_webrtc.h"),
        *("--library", unpacked / "lib" / "libbw_webrtc.a"),
        *(word for library in libraries for word in ("--library", library)),
        env={"NM": tool("nm", shipped.target)},
    )
    assert int(output.split()[1]) >= 66


def test_platform_tag(shipped: Shipped) -> None:
    for wheel in shipped.wheels.values():
        tag = wheel.name[: -len(".whl")].rsplit("-", 1)[1]
        if shipped.is_glibc:
            assert_platform_tag(wheel, tag)
            continue
        # auditwheel knows musl's library only by the name that Alpine's linker writes. test_ports
        # runs the wheel with musl, for which pip accepts it only because of this tag.
        assert tag == f"musllinux_1_2_{shipped.machine}"
        name = "-".join(wheel.name.split("-")[:2])
        with zipfile.ZipFile(wheel) as archive:
            metadata = archive.read(f"{name}.dist-info/WHEEL").decode()
        assert f"Tag: py3-none-{tag}\n" in metadata
