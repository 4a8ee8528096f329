"""The wheel and the source distribution, installed as a user does."""

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
from packages import DIST, RELEASE_PYTHON, RELEASED, ROOT, TARGET, run

HERE = Path(__file__).parent
PACKAGE = ROOT / "bindings" / "python"
TAG = f"py3-none-manylinux_2_17_{platform.machine()}"
WHEEL = DIST / f"bw_webrtc-{__version__}-{TAG}.whl"
SDIST = DIST / f"bw_webrtc-{__version__}.tar.gz"
VERSIONS = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13")


def interpreter(version: str) -> str:
    """The machine's Python of a version, from pyenv or PATH."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for folder in sorted(root.glob(f"versions/{version}.*"), reverse=True):
        if (folder / "bin" / "python").is_file():
            return str(folder / "bin" / "python")
    found = shutil.which(f"python{version}")
    if found and ".pyenv/shims" not in found:
        return found
    missing = f"Python {version} is not on this machine (pyenv install {version})"
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(missing)


def venv(python: str, folder: Path) -> Path:
    """A clean virtual environment's Python."""
    run(python, "-m", "venv", folder)
    return folder / "bin" / "python"


def pip_install(python: Path, *what: object, **env: str) -> str:
    words: List[str] = [str(word) for word in what]
    return run(python, "-m", "pip", "--disable-pip-version-check", "install", *words, env=env)


def works_without_a_compiler(python: Path, folder: Path) -> None:
    """Runs use.py where no program but this Python can be found."""
    empty = {"PATH": str(python.parent), "PYTHONPATH": "", "LD_LIBRARY_PATH": ""}
    for program in ("cc", "gcc", "ld", "objdump", "ldconfig", "cargo"):
        assert shutil.which(program, path=empty["PATH"]) is None
    said = run(
        python, "-W", "error", HERE / "use.py", RELEASED / "bw-sandbox", env=empty, cwd=folder
    )
    assert said == "all is well\n"


@pytest.mark.parametrize("version", VERSIONS)
def test_the_wheel_works(version: str, tmp_path: Path) -> None:
    python = venv(interpreter(version), tmp_path / "venv")
    # Nothing else is needed, so nothing is looked for anywhere.
    pip_install(python, "--no-index", WHEEL)
    works_without_a_compiler(python, tmp_path)


def test_auditwheel_has_nothing_to_say() -> None:
    said = " ".join(run(RELEASE_PYTHON, "-m", "auditwheel", "show", WHEEL).split())
    assert (
        f'consistent with the following platform tag: "manylinux_2_17_{platform.machine()}"' in said
    )


def test_pip_install_builds_the_same(tmp_path: Path) -> None:
    """In a clean environment, from the folder, with all that the build needs fetched by pip."""
    python = venv(sys.executable, tmp_path / "venv")
    said = pip_install(python, "-v", PACKAGE)
    assert TAG in said
    works_without_a_compiler(python, tmp_path)


def test_the_source_distribution_builds_where_rust_is(tmp_path: Path) -> None:
    python = venv(sys.executable, tmp_path / "venv")
    # The crates that are compiled already are not compiled again.
    target = str(TARGET)
    pip_install(python, "-v", SDIST, BW_WEBRTC_BUILD="native", CARGO_TARGET_DIR=target)
    works_without_a_compiler(python, tmp_path)


def test_without_rust_the_build_says_so(tmp_path: Path) -> None:
    said = run(
        *(
            RELEASE_PYTHON,
            "-m",
            "build",
            "--wheel",
            "--no-isolation",
            "--outdir",
            tmp_path,
            PACKAGE,
        ),
        env={"PATH": "/nowhere", "BW_WEBRTC_BUILD": "native"},
        code=1,
    )
    assert "the build requires Rust" in said
    assert "BW_WEBRTC_BUILD" in said


def test_the_tag_tells_what_the_library_asks_for(prefix: Path, tmp_path: Path) -> None:
    library = prefix / "lib" / "libbw_webrtc.so.0"
    run(
        *(
            RELEASE_PYTHON,
            "-m",
            "build",
            "--wheel",
            "--no-isolation",
            "--outdir",
            tmp_path,
            PACKAGE,
        ),
        env={"BW_WEBRTC_BUILD": str(library)},
    )
    (wheel,) = tmp_path.glob("*.whl")
    said = " ".join(run(RELEASE_PYTHON, "-m", "auditwheel", "show", wheel).split())
    tag = wheel.name.rsplit("-", 1)[1][: -len(".whl")]
    assert f'platform tag: "{tag}"' in said


def test_the_types_are_complete(tmp_path: Path) -> None:
    python = venv(sys.executable, tmp_path / "venv")
    pip_install(python, "--no-index", WHEEL)
    program = tmp_path / "typed.py"
    shutil.copy(HERE / "typed.py", program)
    # As a user's checker sees it: by the installed package alone, and no Any passes.
    said = run(
        *(sys.executable, "-m", "mypy", "--strict", "--disallow-any-expr", "--warn-unused-ignores"),
        *("--config-file", "", "--cache-dir", tmp_path / "cache"),
        *("--python-executable", python, program),
        cwd=tmp_path,
        env={"MYPYPATH": "", "PYTHONPATH": ""},
    )
    assert said.startswith("Success"), said


def test_check_says_what_is_wrong(tmp_path: Path) -> None:
    python = venv(sys.executable, tmp_path / "venv")
    pip_install(python, "--no-index", WHEEL)
    with Sandbox(program=str(RELEASED / "bw-sandbox")) as sandbox:
        env = sandbox.environment()
        wrong = {**env, "BW_CLIENT_SECRET": "wrong"}
        said = run(python, "-m", "bw_webrtc", "check", env=wrong, code=1)
        assert said.startswith("wrong: ")
        assert "the client id or secret is wrong" in said
        said = run(python, "-m", "bw_webrtc", "check", env=env)
        assert said.startswith("right: ")


def test_the_licenses_are_those_of_the_project() -> None:
    for name in ("LICENSE-MIT", "LICENSE-APACHE"):
        assert (PACKAGE / name).read_bytes() == (ROOT / name).read_bytes(), name


def test_the_wheel_brings_the_notices() -> None:
    with zipfile.ZipFile(WHEEL) as wheel:
        shipped = wheel.read("bw_webrtc/THIRD-PARTY-NOTICES")
    assert shipped == (ROOT / "THIRD-PARTY-NOTICES").read_bytes()


def test_the_build_uses_the_tools_of_the_release() -> None:
    pinned = (ROOT / "packaging" / "requirements.txt").read_text().splitlines()
    hook = (PACKAGE / "hatch_build.py").read_text()
    for tool in ("cargo-zigbuild", "ziglang"):
        (line,) = [line for line in pinned if line.startswith(f"{tool}==")]
        assert f'"{line}"' in hook
