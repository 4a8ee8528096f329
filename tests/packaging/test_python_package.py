"""The wheel and the source distribution, installed with pip."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import zipfile
from pathlib import Path
from typing import List

import pytest

from bw_webrtc import __version__
from bw_webrtc.testing import Sandbox
from packages import DIST, RELEASE, RELEASE_PYTHON, RELEASED, ROOT, TARGET, assert_platform_tag, run

HERE = Path(__file__).parent
PACKAGE = ROOT / "bindings" / "python"
TAG = f"py3-none-manylinux_2_17_{platform.machine()}"
WHEEL = DIST / f"bw_webrtc-{__version__}-{TAG}.whl"
SDIST = DIST / f"bw_webrtc-{__version__}.tar.gz"
VERSIONS = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13")


def interpreter(version: str) -> str:
    """The Python interpreter of this version, from pyenv or PATH."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for folder in sorted(root.glob(f"versions/{version}.*"), reverse=True):
        if (folder / "bin" / "python").is_file():
            return str(folder / "bin" / "python")
    found = shutil.which(f"python{version}")
    if found and ".pyenv/shims" not in found:
        return found
    missing = f"Python {version} is not installed (pyenv install {version})"
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(missing)


def venv(python: str, folder: Path) -> Path:
    """Creates a virtual environment, and returns its Python interpreter."""
    run(python, "-m", "venv", folder)
    return folder / "bin" / "python"


def pip_install(python: Path, *what: object, **env: str) -> str:
    words: List[str] = [str(word) for word in what]
    return run(python, "-m", "pip", "--disable-pip-version-check", "install", *words, env=env)


def assert_works_without_compiler(python: Path, folder: Path) -> None:
    """Runs use.py with a PATH that contains only this Python."""
    empty = {"PATH": str(python.parent), "PYTHONPATH": "", "LD_LIBRARY_PATH": ""}
    for program in ("cc", "gcc", "ld", "objdump", "ldconfig", "cargo"):
        assert shutil.which(program, path=empty["PATH"]) is None
    output = run(
        python, "-W", "error", HERE / "use.py", RELEASED / "bw-sandbox", env=empty, cwd=folder
    )
    assert output == "all checks passed\n"


@pytest.mark.parametrize("version", VERSIONS)
def test_wheel_works(version: str, tmp_path: Path) -> None:
    python = venv(interpreter(version), tmp_path / "venv")
    # The package has no dependencies.
    pip_install(python, "--no-index", WHEEL)
    assert_works_without_compiler(python, tmp_path)


def test_pip_install_builds_the_wheel(tmp_path: Path) -> None:
    """From the source folder; pip downloads what the build needs."""
    python = venv(sys.executable, tmp_path / "venv")
    # In a folder of its own: cargo compiles everything again if the path of the linker changes.
    target = str(TARGET / "wheel")
    output = pip_install(python, "-v", PACKAGE, BW_WEBRTC_BUILD="zig", CARGO_TARGET_DIR=target)
    assert TAG in output
    assert "bw-webrtc: cargo builds libbw_webrtc.so and links it for glibc 2.17" in output
    assert_works_without_compiler(python, tmp_path)


def test_pip_install_uses_a_library_that_is_already_built(tmp_path: Path) -> None:
    """From the source folder, after ``cargo build --release``."""
    python = venv(sys.executable, tmp_path / "venv")
    output = pip_install(python, "-v", PACKAGE, CARGO="/nowhere/cargo")
    assert f"bw-webrtc: uses {RELEASE / 'libbw_webrtc.so'}, which is already built" in output
    assert "ziglang" not in output
    assert_works_without_compiler(python, tmp_path)


FIXTURES = """
def test_create(bw_client, bw_sandbox):
    assert bw_client.create_participant().token
    assert len(bw_sandbox.requests()) == 1
"""


def test_sandbox_extra_is_enough_for_the_fixtures(tmp_path: Path) -> None:
    python = venv(sys.executable, tmp_path / "venv")
    pip_install(python, "pytest")
    pip_install(python, "--no-index", "--find-links", DIST, "bw-webrtc[sandbox]")
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["bw_webrtc.pytest_plugin"]')
    (tmp_path / "test_program.py").write_text(FIXTURES)
    # Neither PATH nor a variable contains the program.
    env = {"PATH": "/nowhere", "BW_SANDBOX": "", "PYTHONPATH": ""}
    output = run(python, "-m", "pytest", "-q", "test_program.py", env=env, cwd=tmp_path)
    assert "1 passed" in output
    printed = run(python.parent / "bw-sandbox", "--version", env=env)
    assert printed.split() == ["bw-sandbox", __version__]


def test_source_distribution_builds_with_rust(tmp_path: Path) -> None:
    python = venv(sys.executable, tmp_path / "venv")
    # Crates that were compiled before are not compiled again.
    target = str(TARGET)
    pip_install(python, "-v", SDIST, BW_WEBRTC_BUILD="native", CARGO_TARGET_DIR=target)
    assert_works_without_compiler(python, tmp_path)


def build_wheel(folder: Path, code: int = 0, **env: str) -> str:
    options = ("--wheel", "--no-isolation", "--outdir", folder)
    return run(RELEASE_PYTHON, "-m", "build", *options, PACKAGE, env=env, code=code)


def test_build_without_rust_reports_it(tmp_path: Path) -> None:
    output = build_wheel(tmp_path, code=1, PATH="/nowhere", BW_WEBRTC_BUILD="native")
    assert "the build requires Rust" in output
    assert "BW_WEBRTC_BUILD" in output


def test_platform_tag_matches_the_library(prefix: Path, tmp_path: Path) -> None:
    library = prefix / "lib" / "libbw_webrtc.so.0"
    build_wheel(tmp_path, BW_WEBRTC_BUILD=str(library))
    (wheel,) = tmp_path.glob("*.whl")
    assert_platform_tag(wheel, wheel.name.rsplit("-", 1)[1][: -len(".whl")])


def test_types_are_complete(tmp_path: Path) -> None:
    python = venv(sys.executable, tmp_path / "venv")
    pip_install(python, "--no-index", WHEEL)
    program = tmp_path / "typed.py"
    shutil.copy(HERE / "typed.py", program)
    # mypy sees only the installed package, and rejects every expression of type Any.
    output = run(
        *(sys.executable, "-m", "mypy", "--strict", "--disallow-any-expr", "--warn-unused-ignores"),
        *("--config-file", "", "--cache-dir", tmp_path / "cache"),
        *("--python-executable", python, program),
        cwd=tmp_path,
        env={"MYPYPATH": "", "PYTHONPATH": ""},
    )
    assert output.startswith("Success"), output


def test_check_reports_wrong_credentials(tmp_path: Path) -> None:
    python = venv(sys.executable, tmp_path / "venv")
    pip_install(python, "--no-index", WHEEL)
    with Sandbox(program=str(RELEASED / "bw-sandbox")) as sandbox:
        env = sandbox.environment()
        wrong = {**env, "BW_CLIENT_SECRET": "wrong"}
        output = run(python, "-m", "bw_webrtc", "check", env=wrong, code=1)
        assert output.startswith("wrong: ")
        assert "the client id or secret is wrong" in output
        assert run(python, "-m", "bw_webrtc", "check", env=env).startswith("right: ")


def test_licenses_match_those_of_the_project() -> None:
    for name in ("LICENSE-MIT", "LICENSE-APACHE"):
        assert (PACKAGE / name).read_bytes() == (ROOT / name).read_bytes(), name


def test_wheel_contains_the_notices() -> None:
    with zipfile.ZipFile(WHEEL) as wheel:
        shipped = wheel.read("bw_webrtc/THIRD-PARTY-NOTICES")
    assert shipped == (ROOT / "THIRD-PARTY-NOTICES").read_bytes()


def test_build_uses_the_tools_of_the_release() -> None:
    pinned = (ROOT / "packaging" / "requirements.txt").read_text().splitlines()
    hook = (PACKAGE / "hatch_build.py").read_text()
    for tool in ("cargo-zigbuild", "ziglang"):
        (line,) = [line for line in pinned if line.startswith(f"{tool}==")]
        assert f'"{line}"' in hook


def in_hook(code: str, *arguments: object) -> str:
    """Runs code in the module that builds the wheel."""
    words = [str(word) for word in arguments]
    return run(RELEASE_PYTHON, "-c", f"from hatch_build import *\n{code}", *words, cwd=PACKAGE)


def test_damaged_library_is_rejected(tmp_path: Path) -> None:
    whole = (RELEASED / "libbw_webrtc.so").read_bytes()
    lengths = (6, 20, 40, 64, 1000, len(whole) // 2)
    for length in lengths:
        (tmp_path / f"{length}.so").write_bytes(whole[:length])
    code = (
        "for name in sys.argv[1:]:\n"
        "    try: print(wheel_platform(Path(name)))\n"
        "    except SystemExit as error: print(error)"
    )
    output = in_hook(code, *(tmp_path / f"{length}.so" for length in lengths))
    assert output.count(".so is damaged: ") == len(output.splitlines()) == len(lengths), output


def test_flags_of_the_environment_are_kept() -> None:
    code = "for env in [{}, {NAME: 'a'}]: add_flags(env, ['b', 'c']); print(env)"
    plain = in_hook(code.replace("NAME", "'RUSTFLAGS'"))
    assert plain.splitlines() == ["{'RUSTFLAGS': 'b c'}", "{'RUSTFLAGS': 'a b c'}"]
    name = "CARGO_ENCODED_RUSTFLAGS"
    encoded = in_hook(code.replace("NAME", f"'{name}'"))
    assert encoded.splitlines()[1] == repr({name: "a\x1fb\x1fc"})
