"""Finding the shared library, and the errors if it is missing or incompatible."""

from __future__ import annotations

import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bw_webrtc import LibraryError, __version__, _library
from support import PACKAGE, ROOT, python

LIBRARY = Path(os.environ["BW_WEBRTC_LIBRARY"])
SHOW = "from bw_webrtc import _library as l; x = l.load(); print(x.path); print(x.origin)"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """An installed copy of the package."""
    shutil.copytree(PACKAGE / "src" / "bw_webrtc", tmp_path / "site" / "bw_webrtc")
    return tmp_path / "site"


def compile_library(source: str, path: Path) -> Path:
    """Compiles another shared library."""
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [
            *shlex.split(os.environ.get("CC", "cc")),
            "-shared",
            "-fPIC",
            "-x",
            "c",
            "-",
            "-o",
            str(path),
        ],
        input=source.encode(),
        check=True,
    )
    return path


def test_variable_takes_precedence(package: Path) -> None:
    shutil.copy(LIBRARY, package / "bw_webrtc" / _library.SONAME)
    completed = python(
        ["-c", SHOW], {"PYTHONPATH": str(package), "BW_WEBRTC_LIBRARY": str(LIBRARY)}
    )
    assert completed.stdout.splitlines() == [
        str(LIBRARY),
        "the environment variable BW_WEBRTC_LIBRARY",
    ]


def test_variable_can_be_a_relative_path() -> None:
    completed = python(["-c", SHOW], {"BW_WEBRTC_LIBRARY": LIBRARY.name}, cwd=LIBRARY.parent)
    assert completed.stdout.splitlines()[:1] == [str(LIBRARY)], completed.stderr


@pytest.mark.parametrize("variable", [None, ""])
def test_copy_in_the_package_is_second(package: Path, variable: str) -> None:
    copy = package / "bw_webrtc" / _library.SONAME
    shutil.copy(LIBRARY, copy)
    completed = python(["-c", SHOW], {"PYTHONPATH": str(package), "BW_WEBRTC_LIBRARY": variable})
    assert completed.stdout.splitlines() == [str(copy), "the copy inside the package"], (
        completed.stderr
    )


def test_system_loader_is_third(tmp_path: Path) -> None:
    (tmp_path / _library.SONAME).symlink_to(LIBRARY)
    completed = python(["-c", SHOW], {"BW_WEBRTC_LIBRARY": None, "LD_LIBRARY_PATH": str(tmp_path)})
    path, origin = completed.stdout.splitlines()
    assert path == str(tmp_path / _library.SONAME)
    assert origin.startswith("the system's loader")


@pytest.mark.parametrize(
    ("platform", "name", "variable"),
    [
        ("darwin", "libbw_webrtc.0.dylib", "DYLD_LIBRARY_PATH"),
        ("freebsd14", "libbw_webrtc.so.0", "LD_LIBRARY_PATH"),
        ("linux", "libbw_webrtc.so.0", "LD_LIBRARY_PATH"),
    ],
)
def test_file_name_depends_on_the_platform(platform: str, name: str, variable: str) -> None:
    code = f"import sys\nsys.platform = {platform!r}\nimport bw_webrtc._library as l\nl.load()"
    completed = python(["-c", code], {"BW_WEBRTC_LIBRARY": None})
    copy = PACKAGE / "src" / "bw_webrtc" / name
    assert f"the copy inside the package: {copy}: " in completed.stderr
    assert f"the system's loader ({variable}, " in completed.stderr
    assert f"set BW_WEBRTC_LIBRARY to the path of {name}." in completed.stderr


def test_no_fallback_if_the_variable_is_set(package: Path) -> None:
    shutil.copy(LIBRARY, package / "bw_webrtc" / _library.SONAME)
    completed = python(
        ["-c", SHOW], {"PYTHONPATH": str(package), "BW_WEBRTC_LIBRARY": "/nowhere/lib.so"}
    )
    assert completed.returncode == 1
    assert "LibraryError" in completed.stderr
    assert "/nowhere/lib.so" in completed.stderr
    assert str(package / "bw_webrtc" / _library.SONAME) not in completed.stderr


def test_library_is_not_found() -> None:
    # The package can be imported nevertheless.
    code = (
        "import bw_webrtc\nprint(bw_webrtc.__version__)\n"
        "bw_webrtc.Client('a', client_id='b', client_secret='c')"
    )
    completed = python(["-c", code], {"BW_WEBRTC_LIBRARY": None})
    assert completed.stdout.strip() == __version__
    assert "LibraryError: the shared library libbw_webrtc is not found" in completed.stderr
    # The texts after the colons are those of glibc or musl.
    copy = re.escape(str(PACKAGE / "src" / "bw_webrtc" / _library.SONAME))
    assert re.search(f"the copy inside the package: .*{copy}: .*No such file", completed.stderr)
    loader = re.escape("the system's loader (LD_LIBRARY_PATH, /etc/ld.so.conf, /usr/lib)")
    assert re.search(f"{loader}: .*{re.escape(_library.SONAME)}: ", completed.stderr)
    assert "set BW_WEBRTC_LIBRARY to the path of" in completed.stderr


def test_broken_copy_is_reported(package: Path) -> None:
    copy = package / "bw_webrtc" / _library.SONAME
    copy.write_text("not a library")
    completed = python(["-c", SHOW], {"PYTHONPATH": str(package), "BW_WEBRTC_LIBRARY": None})
    text = "file too short|invalid ELF header|Exec format error"
    assert re.search(f"inside the package: .*{re.escape(str(copy))}: ({text})", completed.stderr)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other loaders do not check this")
def test_library_for_another_processor_is_reported(tmp_path: Path) -> None:
    other = bytearray(LIBRARY.read_bytes())
    # The field e_machine of the ELF header: PowerPC, which no test runs on.
    other[18:20] = (21).to_bytes(2, sys.byteorder)
    copy = tmp_path / "libother.so"
    copy.write_bytes(other)
    completed = python(["-c", SHOW], {"BW_WEBRTC_LIBRARY": str(copy)})
    assert f"BW_WEBRTC_LIBRARY: {copy}: the library is for another processor" in completed.stderr


def test_loader_does_not_search_the_current_folder(tmp_path: Path) -> None:
    """Nor is a library there reported as one for another processor."""
    shutil.copy(LIBRARY, tmp_path / _library.SONAME)
    completed = python(["-c", SHOW], {"BW_WEBRTC_LIBRARY": None}, cwd=tmp_path)
    assert "libbw_webrtc is not found" in completed.stderr
    assert "another processor" not in completed.stderr


def test_other_abi_is_rejected(tmp_path: Path) -> None:
    other = compile_library("unsigned bw_abi_version(void) { return 7; }", tmp_path / "libother.so")
    completed = python(["-c", SHOW], {"BW_WEBRTC_LIBRARY": str(other)})
    assert f"LibraryError: {other}" in completed.stderr
    assert f"has ABI 7; bw_webrtc {__version__} needs ABI 0" in completed.stderr


def test_other_library_is_rejected(tmp_path: Path) -> None:
    other = compile_library("int x;", tmp_path / "libother.so")
    completed = python(["-c", SHOW], {"BW_WEBRTC_LIBRARY": str(other)})
    assert f"LibraryError: {other}" in completed.stderr
    assert "is not libbw_webrtc" in completed.stderr


def test_older_library_is_reported(tmp_path: Path) -> None:
    older = compile_library(
        "unsigned bw_abi_version(void) { return 0; }\n"
        'const char *bw_version(void) { return "0.0.9"; }',
        tmp_path / "libolder.so",
    )
    code = "import bw_webrtc; bw_webrtc.Client('a', client_id='b', client_secret='c')"
    completed = python(["-c", code], {"BW_WEBRTC_LIBRARY": str(older)})
    assert f"LibraryError: {older} (0.0.9) has no bw_client_new: it is older" in completed.stderr


def test_missing_library_is_an_import_error() -> None:
    assert issubclass(LibraryError, ImportError)


def test_versions_match() -> None:
    library = _library.load()
    assert library.version == __version__
    header = (ROOT / "include" / "bw_webrtc.h").read_text()
    assert f'#define BW_VERSION "{__version__}"' in header


def test_signatures_match_the_header() -> None:
    header = (ROOT / "include" / "bw_webrtc.h").read_text()
    code = re.sub(r"/\*.*?\*/", "", header, flags=re.S)
    types = {
        "bw_status": "c_int",
        "uint32_t": "c_uint",
        "int32_t": "c_int",
        "void": "None",
        "const char *": "c_char_p",
        "char **": "LP_c_char_p",
        "bw_client **": "LP_c_void_p",
        "bw_client *": "c_void_p",
        "void *": "c_void_p",
        "bw_log_callback": "CFunctionType",
        "bw_interrupt_callback": "CFunctionType",
        "bw_queue *": "c_void_p",
        "bw_queue **": "LP_c_void_p",
        "void **": "LP_c_void_p",
        "uint64_t": "c_ulong",
        "uint64_t *": "LP_c_ulong",
        "bw_status *": "LP_c_int",
        "int": "c_int",
    }
    declared = {
        name: (result.strip(), arguments)
        for result, name, arguments in re.findall(
            r"^([a-z][\w ]*?[ *])(bw_\w+)\(([^)]*)\);", code, flags=re.M
        )
    }
    assert set(declared) == set(_library._SIGNATURES)
    for name, (result, arguments) in _library._SIGNATURES.items():
        wanted_result, wanted = declared[name]
        parts = [] if wanted.strip() == "void" else wanted.split(",")
        names = [types[re.sub(r"\w+$", "", " ".join(part.split())).strip()] for part in parts]
        assert [argument.__name__ for argument in arguments] == names, name
        assert getattr(result, "__name__", "None") == types[wanted_result], name


def test_module_prints_versions_and_library() -> None:
    completed = python(["-m", "bw_webrtc"])
    assert (completed.returncode, completed.stderr) == (0, "")
    facts = dict(re.split(r"  +", line, maxsplit=1) for line in completed.stdout.splitlines())
    assert facts["bw_webrtc"] == __version__
    assert facts["libbw_webrtc"] == f"{_library.load().version}, ABI 0"
    assert facts["library"] == str(LIBRARY)
    assert facts["found by"] == "the environment variable BW_WEBRTC_LIBRARY"
    assert sys.executable in facts["Python"]


def test_module_prints_searched_locations() -> None:
    completed = python(["-m", "bw_webrtc"], {"BW_WEBRTC_LIBRARY": None})
    assert completed.returncode == 1
    assert __version__ in completed.stdout
    assert "is not found. Looked in:" in completed.stderr


def test_module_prints_its_version() -> None:
    # Also without the library.
    completed = python(["-m", "bw_webrtc", "--version"], {"BW_WEBRTC_LIBRARY": None})
    assert (completed.returncode, completed.stderr) == (0, "")
    assert completed.stdout == f"bw_webrtc {__version__}\n"


def test_module_prints_help() -> None:
    completed = python(["-m", "bw_webrtc", "--help"])
    assert (completed.returncode, completed.stderr) == (0, "")
    assert completed.stdout.startswith("usage: python -m bw_webrtc [-h] [--version]\n")
    for text in (
        "Without a command: print the versions in use",
        "--version",
        "check",
        "make a harmless call to each service",
    ):
        assert text in completed.stdout


def test_module_rejects_unknown_arguments() -> None:
    completed = python(["-m", "bw_webrtc", "nonsense"])
    assert completed.returncode == 2
    assert "nonsense" in completed.stderr
