"""Where the shared library is looked for, and what is said when it does not fit."""

from __future__ import annotations

import os
import re
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
    """A copy of the package, as installed."""
    shutil.copytree(PACKAGE / "src" / "bw_webrtc", tmp_path / "site" / "bw_webrtc")
    return tmp_path / "site"


def compile_library(source: str, path: Path) -> Path:
    """A shared library that is not ours."""
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", str(path)],
        input=source.encode(),
        check=True,
    )
    return path


def test_the_variable_comes_first(package: Path) -> None:
    shutil.copy(LIBRARY, package / "bw_webrtc" / _library.SONAME)
    ended = python(["-c", SHOW], {"PYTHONPATH": str(package), "BW_WEBRTC_LIBRARY": str(LIBRARY)})
    assert ended.stdout.splitlines() == [
        str(LIBRARY),
        "the environment variable BW_WEBRTC_LIBRARY",
    ]


def test_the_variable_may_be_relative() -> None:
    ended = python(["-c", SHOW], {"BW_WEBRTC_LIBRARY": LIBRARY.name}, cwd=LIBRARY.parent)
    assert ended.stdout.splitlines()[:1] == [str(LIBRARY)], ended.stderr


@pytest.mark.parametrize("variable", [None, ""])
def test_then_the_copy_inside_the_package(package: Path, variable: str) -> None:
    copy = package / "bw_webrtc" / _library.SONAME
    shutil.copy(LIBRARY, copy)
    ended = python(["-c", SHOW], {"PYTHONPATH": str(package), "BW_WEBRTC_LIBRARY": variable})
    assert ended.stdout.splitlines() == [str(copy), "the copy inside the package"], ended.stderr


def test_then_the_system(tmp_path: Path) -> None:
    (tmp_path / _library.SONAME).symlink_to(LIBRARY)
    ended = python(["-c", SHOW], {"BW_WEBRTC_LIBRARY": None, "LD_LIBRARY_PATH": str(tmp_path)})
    path, origin = ended.stdout.splitlines()
    assert path == str(tmp_path / _library.SONAME)
    assert origin.startswith("the system's loader")


def test_a_library_that_the_variable_names_is_the_only_one(package: Path) -> None:
    shutil.copy(LIBRARY, package / "bw_webrtc" / _library.SONAME)
    ended = python(
        ["-c", SHOW], {"PYTHONPATH": str(package), "BW_WEBRTC_LIBRARY": "/nowhere/lib.so"}
    )
    assert ended.returncode == 1
    assert "LibraryError" in ended.stderr
    assert "/nowhere/lib.so" in ended.stderr
    assert str(package / "bw_webrtc" / _library.SONAME) not in ended.stderr


def test_a_library_that_is_nowhere() -> None:
    # The package can be imported all the same.
    code = (
        "import bw_webrtc\nprint(bw_webrtc.__version__)\n"
        "bw_webrtc.Client('a', client_id='b', client_secret='c')"
    )
    ended = python(["-c", code], {"BW_WEBRTC_LIBRARY": None})
    assert ended.stdout.strip() == __version__
    assert "LibraryError: the shared library libbw_webrtc is not found" in ended.stderr
    beside = PACKAGE / "src" / "bw_webrtc" / _library.SONAME
    assert f"the copy inside the package: {beside}: cannot open" in ended.stderr
    assert f"the system's loader (LD_LIBRARY_PATH, /etc/ld.so.conf, /usr/lib): {_library.SONAME}: "
    assert "set BW_WEBRTC_LIBRARY to the path of" in ended.stderr


def test_a_broken_copy_is_told_of(package: Path) -> None:
    copy = package / "bw_webrtc" / _library.SONAME
    copy.write_text("not a library")
    ended = python(["-c", SHOW], {"PYTHONPATH": str(package), "BW_WEBRTC_LIBRARY": None})
    assert re.search(f"inside the package: {re.escape(str(copy))}: .*(short|header)", ended.stderr)


def test_another_abi_is_refused(tmp_path: Path) -> None:
    other = compile_library("unsigned bw_abi_version(void) { return 7; }", tmp_path / "libother.so")
    ended = python(["-c", SHOW], {"BW_WEBRTC_LIBRARY": str(other)})
    assert f"LibraryError: {other}" in ended.stderr
    assert f"has ABI 7; bw_webrtc {__version__} needs ABI 0" in ended.stderr


def test_another_library_is_refused(tmp_path: Path) -> None:
    other = compile_library("int x;", tmp_path / "libother.so")
    ended = python(["-c", SHOW], {"BW_WEBRTC_LIBRARY": str(other)})
    assert f"LibraryError: {other}" in ended.stderr
    assert "is not libbw_webrtc" in ended.stderr


def test_a_library_that_lacks_a_function_is_told_to_be_older(tmp_path: Path) -> None:
    older = compile_library(
        "unsigned bw_abi_version(void) { return 0; }\n"
        'const char *bw_version(void) { return "0.0.9"; }',
        tmp_path / "libolder.so",
    )
    code = "import bw_webrtc; bw_webrtc.Client('a', client_id='b', client_secret='c')"
    ended = python(["-c", code], {"BW_WEBRTC_LIBRARY": str(older)})
    assert f"LibraryError: {older} (0.0.9) has no bw_client_new: it is older" in ended.stderr


def test_a_missing_library_is_an_import_error() -> None:
    assert issubclass(LibraryError, ImportError)


def test_the_versions_agree() -> None:
    library = _library.load()
    assert library.version == __version__
    header = (ROOT / "include" / "bw_webrtc.h").read_text()
    assert f'#define BW_VERSION "{__version__}"' in header


def test_the_signatures_are_those_of_the_header() -> None:
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


def test_the_module_tells_what_is_used() -> None:
    ended = python(["-m", "bw_webrtc"])
    assert (ended.returncode, ended.stderr) == (0, "")
    facts = dict(re.split(r"  +", line, maxsplit=1) for line in ended.stdout.splitlines())
    assert facts["bw_webrtc"] == __version__
    assert facts["libbw_webrtc"] == f"{_library.load().version}, ABI 0"
    assert facts["library"] == str(LIBRARY)
    assert facts["found by"] == "the environment variable BW_WEBRTC_LIBRARY"
    assert sys.executable in facts["Python"]


def test_the_module_tells_where_it_looked() -> None:
    ended = python(["-m", "bw_webrtc"], {"BW_WEBRTC_LIBRARY": None})
    assert ended.returncode == 1
    assert __version__ in ended.stdout
    assert "is not found. Looked in:" in ended.stderr


def test_the_module_refuses_what_it_does_not_know() -> None:
    ended = python(["-m", "bw_webrtc", "nonsense"])
    assert ended.returncode == 2
    assert "nonsense" in ended.stderr
