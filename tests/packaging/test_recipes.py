"""The recipes of other package managers, which package the existing release build here.

Only the tests of the crate and of FetchContent use Cargo. Where a package manager is not
available, a file in ``replacements`` runs the recipe's commands.
"""

from __future__ import annotations

import os
import re
import shutil
import tarfile
import tempfile
from pathlib import Path
from typing import Dict, Iterator, List

import pytest

from bw_webrtc import __version__
from bw_webrtc.testing import Sandbox
from packages import (
    CC,
    EXAMPLES,
    RELEASE,
    ROOT,
    TARGET,
    assert_creates_participant,
    run,
)

RECIPES = ROOT / "packaging" / "recipes"
REPLACEMENTS = Path(__file__).parent / "replacements"
PYTHON = ROOT / "build" / "recipes-venv" / "bin" / "python"
NAME = f"libbw_webrtc-{__version__}"
WORKS = f"libbw_webrtc {__version__}, headers {__version__}, BW_E_CONFIG"
VERSIONS = {
    "alpine/APKBUILD": r"^pkgver=(.*)$",
    "aur/PKGBUILD": r"^pkgver=(.*)$",
    "conan/conanfile.py": r'^    version = "(.*)"$',
    "conda/recipe.yaml": r"^  version: ([\d.]+)$",
    "homebrew/libbw_webrtc.rb": r'^  version "(.*)"$',
    "nix/default.nix": r'^  version = "(.*)";$',
    "rpm/libbw_webrtc.spec": r"^Version: +(.*)$",
    "vcpkg/bw-webrtc/vcpkg.json": r'^  "version": "(.*)",$',
    "../../docs/install.md": r"libbw_webrtc-([\d.]+\d)",
}


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """A folder that every user can read, unlike those of pytest."""
    with tempfile.TemporaryDirectory(prefix="recipes-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture(scope="session")
def release(folder: Path) -> Dict[str, str]:
    """The environment variable that makes a recipe package the existing build."""
    copied = folder / "release"
    copied.mkdir()
    for name in ("libbw_webrtc.so", "libbw_webrtc.a", "bw-sandbox"):
        shutil.copy(RELEASE / name, copied)
    return {"RELEASE_DIR": str(copied)}


@pytest.fixture(scope="session")
def archive(folder: Path) -> Path:
    """The source archive, as ``make dist`` creates it."""
    path = folder / f"{NAME}.tar.gz"
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        for name in run("git", "-C", ROOT, "ls-files").split():
            tar.add(ROOT / name, f"{NAME}/{name}")
    return path


@pytest.fixture(scope="session")
def source(archive: Path) -> Path:
    """The unpacked source archive, so that no recipe writes to the source tree."""
    run("tar", "-xzf", archive, "-C", archive.parent)
    return archive.parent / NAME


def assert_works(prefix: Path, sandbox: Sandbox, tmp_path: Path, lib: str = "lib") -> None:
    """Compiles a program with an installed package, and runs it."""
    program = tmp_path / "program"
    source = EXAMPLES / "create_participant.c"
    run(CC, source, "-o", program, f"-I{prefix}/include", f"-L{prefix}/{lib}", "-lbw_webrtc")
    assert_creates_participant([program], sandbox, LD_LIBRARY_PATH=f"{prefix}/{lib}")
    archive = prefix / lib / "libbw_webrtc.a"
    run(CC, source, "-o", program, f"-I{prefix}/include", archive, "-lpthread", "-ldl", "-lm")
    assert_creates_participant([program], sandbox)


def files(folder: Path) -> List[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_recipes_have_the_version_of_the_library() -> None:
    header = (ROOT / "include" / "bw_webrtc.h").read_text()
    version = set(re.findall(r'^#define BW_VERSION "(.*)"$', header, re.M))
    found = {
        name: set(re.findall(pattern, (RECIPES / name).read_text(), re.M))
        for name, pattern in VERSIONS.items()
    }
    assert found == dict.fromkeys(VERSIONS, version)
    # No recipe contains another version, such as in a comment.
    for name in files(RECIPES):
        if not name.endswith("requirements.txt"):
            others = re.findall(r"\b\d+\.\d+\.\d+\b", (RECIPES / name).read_text())
            assert set(others) <= version, name


def test_each_recipe_states_how_it_was_run() -> None:
    folders = [path for path in RECIPES.iterdir() if path.is_dir()]
    assert len(folders) == 9
    for folder in folders:
        recipes = [name for name in files(folder) if "test_package" not in name]
        heads = ["".join((folder / name).read_text().splitlines()[:2]) for name in recipes]
        assert any("tests/packaging/test_recipes.py" in head for head in heads), folder


def test_rpm(archive: Path, release: Dict[str, str], sandbox: Sandbox, tmp_path: Path) -> None:
    database = ("--define", f"_dbpath {tmp_path}/db")
    run(
        *("rpmbuild", "-bb", "--nodeps", "--define", f"_topdir {tmp_path}", *database),
        *("--define", f"_sourcedir {archive.parent}", RECIPES / "rpm" / "libbw_webrtc.spec"),
        env=release,
    )
    packages = sorted((tmp_path / "RPMS").rglob("*.rpm"))
    assert [path.name.split(f"-{__version__}")[0] for path in packages] == [
        *("bw-sandbox", "libbw_webrtc", "libbw_webrtc-devel", "libbw_webrtc-static")
    ]
    root = tmp_path / "root"
    root.mkdir()
    # The packages of the C library are missing in the empty root.
    run("rpm", "--root", root, "--nodeps", "--install", *packages)
    assert f"libbw_webrtc-{__version__}-1" in run("rpm", "--root", root, "--query", "libbw_webrtc")
    libdir = run("rpm", "--eval", "%{_lib}").strip()
    assert_works(root / "usr", sandbox, tmp_path, libdir)
    required = run("rpm", "--root", root, "--query", "--requires", "libbw_webrtc-devel")
    assert re.search(rf"^libbw_webrtc\(.*\) = {__version__}-1$", required, re.M)
    provided = run("rpm", "--root", root, "--query", "--provides", "libbw_webrtc").splitlines()
    assert "libbw_webrtc.so.0()(64bit)" in provided


@pytest.mark.parametrize("shared", [True, False], ids=["shared", "static"])
def test_conan(source: Path, release: Dict[str, str], tmp_path: Path, shared: bool) -> None:
    conan = PYTHON.with_name("conan")
    env = {**release, "CONAN_HOME": str(tmp_path)}
    run(conan, "profile", "detect", env=env)
    recipe = source / "packaging" / "recipes" / "conan"
    printed = run(conan, "create", recipe, "--no-remote", f"-o=&:shared={shared}", env=env)
    assert WORKS in printed


def test_conda(source: Path, release: Dict[str, str], sandbox: Sandbox, tmp_path: Path) -> None:
    recipe = source / "packaging" / "recipes" / "conda" / "recipe.yaml"
    printed = run(PYTHON, Path(__file__).with_name("build_conda.py"), recipe, tmp_path, env=release)
    run(PYTHON, "-m", "zipfile", "-e", printed.splitlines()[-1], tmp_path)
    (contents,) = tmp_path.glob("pkg-*.tar.zst")
    prefix = tmp_path / "prefix"
    prefix.mkdir()
    run("tar", "--zstd", "-xf", contents, "-C", prefix)
    assert_works(prefix, sandbox, tmp_path)


def test_aur(
    folder: Path, archive: Path, release: Dict[str, str], sandbox: Sandbox, tmp_path: Path
) -> None:
    build = folder / "aur"
    build.mkdir()
    shutil.copy(RECIPES / "aur" / "PKGBUILD", build)
    shutil.copy(archive, build)
    env = {**release, "HOME": str(build), "PKGEXT": ".pkg.tar.gz"}
    # makepkg does not run as root.
    other_user = []
    if os.geteuid() == 0:
        shutil.chown(build, "nobody")
        other_user = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
    run(*other_user, "makepkg", "--nodeps", env=env, cwd=build)
    (package,) = build.glob("*.pkg.tar.gz")
    database = tmp_path / "root" / "var" / "lib" / "pacman"
    database.mkdir(parents=True)
    settings = tmp_path / "pacman.conf"
    settings.write_text("[options]\nArchitecture = auto\n")
    run(
        *("fakeroot", "pacman", "--config", settings, "--root", tmp_path / "root"),
        *("--dbpath", database, "--noconfirm", "-dd", "--upgrade", package),
    )
    assert_works(tmp_path / "root" / "usr", sandbox, tmp_path)


def test_alpine_functions(
    source: Path, release: Dict[str, str], sandbox: Sandbox, tmp_path: Path
) -> None:
    env = {
        **release,
        "startdir": str(RECIPES / "alpine"),
        "srcdir": str(source.parent),
        "pkgbasedir": str(tmp_path),
    }
    run("busybox", "sh", REPLACEMENTS / "abuild.sh", env=env)
    assert files(tmp_path / "bw-sandbox") == ["usr/bin/bw-sandbox"]
    assert_works(tmp_path / "libbw_webrtc" / "usr", sandbox, tmp_path)


def test_homebrew_methods(source: Path, release: Dict[str, str], tmp_path: Path) -> None:
    formula = RECIPES / "homebrew" / "libbw_webrtc.rb"
    printed = run("ruby", "-w", REPLACEMENTS / "formula.rb", formula, source, tmp_path, env=release)
    assert "formula passed" in printed


def test_nix(source: Path, release: Dict[str, str], sandbox: Sandbox, tmp_path: Path) -> None:
    recipe = source / "packaging" / "recipes" / "nix"
    nixpkgs = f"import {REPLACEMENTS / 'nixpkgs.nix'}"
    store = {f"NIX_{name}_DIR": str(tmp_path / name) for name in ("STORE", "STATE", "LOG", "CONF")}
    options = {"sandbox": "false", "substitute": "false", "build-users-group": ""}
    printed = run(
        *("nix-build", recipe, "--arg", "pkgs", nixpkgs, "--no-out-link"),
        *(word for name, value in options.items() for word in ("--option", name, value)),
        env={**release, **store, "HOME": str(tmp_path)},
    )
    assert_works(Path(printed.splitlines()[-1]), sandbox, tmp_path)


CONSUMER = """\
cmake_minimum_required(VERSION 3.14)
project(consumer C)
find_package(bw_webrtc CONFIG REQUIRED)
add_executable(program "{source}")
target_link_libraries(program PRIVATE {target})
"""


@pytest.mark.parametrize(
    ("linkage", "target"),
    [("dynamic", "bw_webrtc::bw_webrtc"), ("static", "bw_webrtc::static")],
    ids=["dynamic", "static"],
)
def test_vcpkg_commands(
    source: Path, release: Dict[str, str], tmp_path: Path, linkage: str, target: str
) -> None:
    port = source / "packaging" / "recipes" / "vcpkg" / "bw-webrtc"
    prefix = tmp_path / "prefix"
    run(
        *("cmake", "-D", f"PORT_DIR={port}", "-D", f"CURRENT_PACKAGES_DIR={prefix}"),
        *("-D", f"VCPKG_LIBRARY_LINKAGE={linkage}", "-P", REPLACEMENTS / "vcpkg.cmake"),
        env=release,
    )
    assert (prefix / "share/bw-webrtc/copyright").is_file()
    assert (prefix / "tools/bw-webrtc/bw-sandbox").is_file()
    assert target in (prefix / "share/bw-webrtc/usage").read_text()
    project = CONSUMER.format(source=RECIPES / "program.c", target=target)
    (tmp_path / "CMakeLists.txt").write_text(project)
    build = tmp_path / "build"
    run("cmake", "-S", tmp_path, "-B", build, f"-DCMAKE_PREFIX_PATH={prefix}")
    run("cmake", "--build", build)
    assert WORKS in run(build / "program")


def test_cmake_fetch_content(archive: Path, source: Path, tmp_path: Path) -> None:
    example = source / "packaging" / "recipes" / "cmake"
    build = tmp_path / "build"
    run(
        "cmake",
        "-S",
        example,
        "-B",
        build,
        f"-DBW_WEBRTC_URL={archive}",
        f"-DCMAKE_C_COMPILER={CC}",
    )
    # Optimization takes most of the time.
    quick = {"OPT_LEVEL": "0", "LTO": "off", "CODEGEN_UNITS": "16"}
    env = {f"CARGO_PROFILE_RELEASE_{name}": value for name, value in quick.items()}
    run("cmake", "--build", build, env=env)
    assert WORKS in run(build / "program")
    assert "libbw_webrtc.so.0" in run("readelf", "--dynamic", build / "program")
    assert WORKS in run(build / "static_program")
    assert "libbw_webrtc" not in run("readelf", "--dynamic", build / "static_program")
    # The second build links nothing.
    assert "Linking" not in run("cmake", "--build", build, env=env)


CRATE = {
    *("Cargo.lock", "Cargo.toml", "Cargo.toml.orig", "build.rs", "cbindgen.toml"),
    *("LICENSE-APACHE", "LICENSE-MIT", "THIRD-PARTY-NOTICES", "CHANGELOG.md", "README.md"),
    *("include/bw_webrtc.h", "include/bw_webrtc.hpp"),
}


def test_crate_contains_the_library_only_and_compiles(tmp_path: Path) -> None:
    options = ("--allow-dirty", "--offline", "--no-verify", "--target-dir", tmp_path)
    run("cargo", "package", *options, cwd=ROOT)
    name = f"bw-webrtc-{__version__}"
    run("tar", "-xzf", tmp_path / "package" / f"{name}.crate", "-C", tmp_path)
    crate = tmp_path / name
    packaged = set(files(crate)) - {".cargo_vcs_info.json"}
    assert packaged == CRATE | {f"src/{name}" for name in files(ROOT / "src")}
    # Uses what was compiled for clippy, and replaces no library, as a build would.
    run("cargo", "check", "--offline", "--locked", "--target-dir", TARGET, cwd=crate)
