"""The Debian packages, installed in new roots of the machine's Debian and of an older one.

``make dist`` runs lintian.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
from pathlib import Path
from typing import Iterator

import pytest

from bw_webrtc import __version__
from packages import CLEAN_PATH, DIST, EXAMPLES, run

OLDER = "bullseye"
"""Debian 11: its glibc 2.31 is too old for a library from the machine's own linker."""
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]

SESSION = """\
set -eu
exec 3>url
bw-sandbox --listen 127.0.0.1:0 --quiet --env --tls --ca-out /tmp/ca.pem >url &
sandbox=$!
trap 'kill $sandbox' EXIT
tries=0
while ! grep -q BW_TOKEN_URL url; do
  tries=$((tries + 1))
  [ $tries -lt 200 ] || { echo "bw-sandbox did not start"; exit 1; }
  sleep 0.1
done
eval "$(sed 1d url)"
export BW_CA_FILE=/tmp/ca.pem
"""


def deb(package: str) -> Path:
    return DIST / f"{package}_{__version__}_{ARCHITECTURE}.deb"


def apt_site() -> str:
    """The mirror of this machine's apt."""
    listed = run("apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages")
    return listed.splitlines()[0]


def codename() -> str:
    found = re.search(r"^VERSION_CODENAME=(\w+)$", Path("/etc/os-release").read_text(), re.M)
    assert found, "this system is not Debian"
    return found.group(1)


def new_root(suite: str, folder: Path, *more: str) -> Path:
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        missing = "a new Debian root needs root and debootstrap: sudo make test-packaging"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    root = folder / suite
    env = {"PATH": CLEAN_PATH}
    run("debootstrap", "--variant=minbase", *more, suite, root, apt_site(), env=env)
    return root


def in_root(root: Path, script: str) -> str:
    return run("chroot", root, "/bin/sh", "-c", script, env={"PATH": CLEAN_PATH, "LC_ALL": "C"})


def install(root: Path, *packages: str) -> None:
    for package in packages:
        shutil.copy(deb(package), root / "tmp")
    names = " ".join(f"/tmp/{deb(package).name}" for package in packages)
    # dpkg is sufficient, since there are no dependencies to download.
    in_root(root, f"dpkg --install {names}")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A new root with a compiler and all three packages."""
    folder = tmp_path_factory.mktemp("debian")
    root = new_root(codename(), folder, "--include=gcc,libc6-dev,pkg-config")
    install(root, "libbw-webrtc0", "libbw-webrtc-dev", "bw-sandbox")
    yield root
    shutil.rmtree(folder)


def test_program_is_compiled_and_run(root: Path) -> None:
    for name in ("create_participant.c", "from_environment.h"):
        shutil.copy(EXAMPLES / name, root / "tmp")
    build = (
        "cd /tmp\n"
        "cc create_participant.c -o shared $(pkg-config --cflags --libs bw_webrtc)\n"
        "cc create_participant.c -o static $(pkg-config --variable=archive bw_webrtc) "
        "-lpthread -ldl -lm\n"
        "ldd shared | grep -q libbw_webrtc.so.0\n"
        "! ldd static | grep -q libbw_webrtc\n"
    )
    output = in_root(root, f"{build}{SESSION}./shared\n./static\n")
    assert output.count("participant ") == 2, output


def test_each_package_contains_the_notices(root: Path) -> None:
    for package in ("libbw-webrtc0", "libbw-webrtc-dev", "bw-sandbox"):
        assert "rustls" in in_root(root, f"zcat -f /usr/share/doc/{package}/THIRD-PARTY-NOTICES*")


def test_purge_removes_all_files(root: Path) -> None:
    in_root(root, "dpkg --purge libbw-webrtc-dev libbw-webrtc0 bw-sandbox")
    left = in_root(root, "find / -xdev -name '*bw*webrtc*' ! -path '/tmp/*' ! -path '/proc/*'")
    assert left == ""


def test_packages_work_on_an_older_debian(tmp_path: Path) -> None:
    """The packages and the wheel, with a C library that is older than the build machine's."""
    shown = run(
        *("sh", "-c", f"debootstrap --print-debs {OLDER} {tmp_path}/none {apt_site()} || true"),
        env={"PATH": CLEAN_PATH},
    )
    if "Failed getting release file" in shown:
        pytest.skip(f"the mirror no longer has {OLDER}")
    root = new_root(OLDER, tmp_path, "--include=python3")
    install(root, "libbw-webrtc0", "bw-sandbox")
    assert "GLIBC 2.31" in in_root(root, "ldd --version")
    code = "import ctypes; print(ctypes.CDLL('libbw_webrtc.so.0').bw_abi_version())"
    assert in_root(root, f'python3 -c "{code}"') == "0\n"
    (wheel,) = DIST.glob(f"bw_webrtc-*-manylinux_*_{platform.machine()}.whl")
    run("python3", "-m", "zipfile", "-e", wheel, root / "usr/lib/python3/dist-packages")
    shutil.copy(Path(__file__).parent / "use.py", root / "tmp")
    assert (
        in_root(root, "python3 -W error /tmp/use.py /usr/bin/bw-sandbox") == "all checks passed\n"
    )
    shutil.rmtree(root)
