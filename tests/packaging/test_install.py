"""``make install`` and ``make uninstall``, and programs that use the installed library."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Dict, List

import pytest

from bw_webrtc import __version__
from bw_webrtc.testing import Sandbox
from packages import CC, CXX, EXAMPLES, RELEASE, ROOT, assert_creates_participant, make, run

REAL = f"libbw_webrtc.so.{__version__}"
C = EXAMPLES / "create_participant.c"
CPP = ROOT / "bindings" / "cpp" / "examples" / "create_participant.cpp"
BUILT = f"RELEASE_DIR={RELEASE}"
STRICT = ("-Wall", "-Wextra", "-Wpedantic", "-Werror")


def files(folder: Path) -> List[str]:
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_symlink() or not path.is_dir()
    )


INSTALLED = sorted(
    [
        "bin/bw-sandbox",
        "include/bw_webrtc.h",
        "include/bw_webrtc.hpp",
        "include/bw_webrtc_typed.h",
        "lib/cmake/bw_webrtc/bw_webrtc-config-version.cmake",
        "lib/cmake/bw_webrtc/bw_webrtc-config.cmake",
        "lib/libbw_webrtc.a",
        "lib/libbw_webrtc.so",
        "lib/libbw_webrtc.so.0",
        f"lib/{REAL}",
        "lib/pkgconfig/bw_webrtc.pc",
        "share/doc/libbw_webrtc/CHANGELOG.md",
        "share/doc/libbw_webrtc/LICENSE-APACHE",
        "share/doc/libbw_webrtc/LICENSE-MIT",
        "share/doc/libbw_webrtc/THIRD-PARTY-NOTICES",
        "share/man/man1/bw-sandbox.1",
    ]
)


def pkg_config(prefix: Path, *arguments: str) -> List[str]:
    path = str(prefix / "lib" / "pkgconfig")
    return run("pkg-config", *arguments, "bw_webrtc", env={"PKG_CONFIG_PATH": path}).split()


def is_linked_dynamically(program: Path) -> bool:
    return "libbw_webrtc" in run("readelf", "--dynamic", "--wide", program)


def test_installed_files_and_modes(prefix: Path) -> None:
    assert files(prefix) == INSTALLED
    lib = prefix / "lib"
    assert Path(os.readlink(lib / "libbw_webrtc.so")) == Path("libbw_webrtc.so.0")
    assert Path(os.readlink(lib / "libbw_webrtc.so.0")) == Path(REAL)
    modes: Dict[str, int] = {name: (prefix / name).stat().st_mode & 0o777 for name in INSTALLED}
    executable = {name for name, mode in modes.items() if mode == 0o755}
    assert executable == {
        "bin/bw-sandbox",
        *(f"lib/{name}" for name in ("libbw_webrtc.so", "libbw_webrtc.so.0", REAL)),
    }
    assert {mode for name, mode in modes.items() if name not in executable} == {0o644}
    for template in ("lib/pkgconfig/bw_webrtc.pc", "lib/cmake/bw_webrtc/bw_webrtc-config.cmake"):
        assert not re.search(r"@\w+@", (prefix / template).read_text()), template


def test_destdir_and_uninstall(tmp_path: Path) -> None:
    places = (f"DESTDIR={tmp_path}", "PREFIX=/usr", "LIBDIR=/usr/lib/there", BUILT)
    make("install", *places)
    moved = [
        name.replace("lib/", "lib/there/", 1) if name.startswith("lib/") else name
        for name in INSTALLED
    ]
    assert files(tmp_path / "usr") == sorted(moved)
    pc = (tmp_path / "usr/lib/there/pkgconfig/bw_webrtc.pc").read_text()
    assert "\nlibdir=${prefix}/lib/there\n" in pc
    assert str(tmp_path) not in pc
    other = tmp_path / "usr" / "include" / "other.h"
    other.write_text("")
    make("uninstall", *places)
    assert files(tmp_path) == ["usr/include/other.h"]
    assert not (tmp_path / "usr/lib/there/cmake/bw_webrtc").exists()


def test_second_install_replaces_the_files(tmp_path: Path) -> None:
    make("install", f"PREFIX={tmp_path}", BUILT)
    before = (tmp_path / "lib" / REAL).stat().st_ino
    make("install", f"PREFIX={tmp_path}", BUILT)
    assert files(tmp_path) == INSTALLED
    # A program that has the old file mapped keeps it.
    assert (tmp_path / "lib" / REAL).stat().st_ino != before


def test_relative_prefix_is_rejected() -> None:
    ended = run("packaging/install", env={"PREFIX": "somewhere", "DESTDIR": ""}, cwd=ROOT, code=1)
    assert "PREFIX must be an absolute path" in ended


@pytest.mark.parametrize("source", [C, CPP], ids=["c", "c++"])
def test_compiler_flags(source: Path, prefix: Path, sandbox: Sandbox, tmp_path: Path) -> None:
    program = tmp_path / "program"
    compiler = CC if source is C else CXX
    flags = (f"-I{prefix}/include", f"-L{prefix}/lib", "-lbw_webrtc", f"-Wl,-rpath,{prefix}/lib")
    run(compiler, *STRICT, source, "-o", program, *flags)
    assert is_linked_dynamically(program)
    assert_creates_participant([program], sandbox)


def test_compiler_flags_static(prefix: Path, sandbox: Sandbox, tmp_path: Path) -> None:
    program = tmp_path / "program"
    archive = prefix / "lib" / "libbw_webrtc.a"
    run(CC, *STRICT, C, f"-I{prefix}/include", "-o", program, archive, "-lpthread", "-ldl", "-lm")
    assert not is_linked_dynamically(program)
    assert_creates_participant([program], sandbox)


def test_pkg_config(prefix: Path, sandbox: Sandbox, tmp_path: Path) -> None:
    assert pkg_config(prefix, "--modversion") == [__version__]
    program = tmp_path / "program"
    run(CC, *STRICT, C, "-o", program, *pkg_config(prefix, "--cflags", "--libs"))
    assert is_linked_dynamically(program)
    assert_creates_participant([program], sandbox, LD_LIBRARY_PATH=str(prefix / "lib"))


def test_pkg_config_static(prefix: Path, sandbox: Sandbox, tmp_path: Path) -> None:
    flags = pkg_config(prefix, "--cflags", "--libs", "--static")
    # A fully static program. (With "-static", the linker prints a warning about getaddrinfo.)
    program = tmp_path / "all"
    run(CC, *STRICT, "-static", C, "-o", program, *flags)
    assert "There is no dynamic section" in run("readelf", "--dynamic", "--wide", program)
    assert_creates_participant([program], sandbox)
    # Only this library is static, although the prefix also contains the shared one.
    archive = pkg_config(prefix, "--variable=archive")
    flags = [flag for flag in flags if flag != "-lbw_webrtc"]
    program = tmp_path / "alone"
    run(CC, *STRICT, C, "-o", program, *archive, *flags)
    assert not is_linked_dynamically(program)
    assert_creates_participant([program], sandbox)


PROJECT = """\
cmake_minimum_required(VERSION 3.5...3.30)
project(program C CXX)
find_package(bw_webrtc {version} REQUIRED)
add_executable(shared_c "{c}")
target_link_libraries(shared_c PRIVATE bw_webrtc::bw_webrtc)
add_executable(shared_cpp "{cpp}")
target_link_libraries(shared_cpp PRIVATE bw_webrtc::bw_webrtc)
set_target_properties(shared_cpp PROPERTIES CXX_STANDARD 11)
add_executable(static_c "{c}")
target_link_libraries(static_c PRIVATE bw_webrtc::static)
"""


def configure(folder: Path, prefix: Path, version: str, code: int = 0) -> str:
    folder.mkdir(exist_ok=True)
    (folder / "CMakeLists.txt").write_text(PROJECT.format(version=version, c=C, cpp=CPP))
    return run(
        *("cmake", "-S", folder, "-B", folder / "build", f"-DCMAKE_PREFIX_PATH={prefix}"),
        f"-DCMAKE_C_COMPILER={CC}",
        f"-DCMAKE_CXX_COMPILER={CXX}",
        code=code,
    )


def test_cmake(prefix: Path, sandbox: Sandbox, tmp_path: Path) -> None:
    configure(tmp_path, prefix, __version__)
    run("cmake", "--build", tmp_path / "build")
    for name in ("shared_c", "shared_cpp", "static_c"):
        program = tmp_path / "build" / name
        assert is_linked_dynamically(program) == name.startswith("shared"), name
        assert_creates_participant([program], sandbox)


def test_cmake_package_is_relocatable(prefix: Path, sandbox: Sandbox, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    run("cp", "-a", prefix, moved)
    configure(tmp_path / "project", moved, "")
    printed = run("cmake", "--build", tmp_path / "project" / "build", "--verbose")
    assert str(moved) in printed
    assert f"{prefix}/" not in printed
    assert_creates_participant([tmp_path / "project" / "build" / "shared_c"], sandbox)


@pytest.mark.parametrize("version", ["0.0.1", "0.1", ""])
def test_cmake_accepts_a_compatible_version(version: str, prefix: Path, tmp_path: Path) -> None:
    configure(tmp_path, prefix, version)


@pytest.mark.parametrize("version", ["0.99.0", "1.0.0"])
def test_cmake_rejects_another_version(version: str, prefix: Path, tmp_path: Path) -> None:
    printed = configure(tmp_path, prefix, version, code=1)
    assert f'requested version "{version}"' in " ".join(printed.split())


def test_two_rust_libraries_in_one_program(prefix: Path, sandbox: Sandbox, tmp_path: Path) -> None:
    here = Path(__file__).parent
    other = tmp_path / "libother.a"
    run("rustc", "--crate-type=staticlib", "-O", here / "other.rs", "-o", other)

    def link(library: Path, code: int) -> str:
        # Links all members of both archives, so that every collision of names is found.
        return run(
            *(
                CC,
                *STRICT,
                here / "both.c",
                f"-I{prefix}/include",
                f"-I{EXAMPLES}",
                "-o",
                tmp_path / "both",
            ),
            *("-Wl,--whole-archive", other, library, "-Wl,--no-whole-archive"),
            *("-lpthread", "-ldl", "-lm"),
            code=code,
        )

    cargo_archive = RELEASE / "libbw_webrtc.a"
    assert "multiple definition" in link(cargo_archive, code=1)
    link(prefix / "lib" / "libbw_webrtc.a", code=0)
    assert_creates_participant([tmp_path / "both"], sandbox)


def test_manual_page_contains_all_options(prefix: Path) -> None:
    page = (prefix / "share/man/man1/bw-sandbox.1").read_text().replace("\\-", "-")
    options = re.findall(r"^ +(?:-\w, )?(--[\w-]+)", run(prefix / "bin/bw-sandbox", "--help"), re.M)
    assert len(options) > 8
    assert [option for option in options if option not in page] == []
