"""The record of the published interface, the header and the libraries match."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from packages import CC, ROOT, run

ABI = ROOT / "packaging" / "abi" / "abi.py"
HEADER = ROOT / "include" / "bw_webrtc.h"


def check(*arguments: object, code: int = 0) -> str:
    return run("python3", ABI, "check", *map(str, arguments), code=code)


def test_installed_libraries_match_the_record(prefix: Path) -> None:
    output = check(
        *("--header", prefix / "include" / "bw_webrtc.h"),
        *("--library", prefix / "lib" / "libbw_webrtc.so"),
        *("--library", prefix / "lib" / "libbw_webrtc.a"),
    )
    assert int(output.split()[1]) >= 66


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            "bw_queue_cancel(bw_queue *queue, uint64_t id)",
            "bw_queue_cancel(bw_queue *queue, uint32_t id)",
            "bw_queue_cancel has changed: it was bw_status (bw_queue *, uint64_t)",
        ),
        ("void bw_free(void *text);", "", "bw_free is missing from the header"),
        (
            "#define BW_E_TIMEOUT 13",
            "#define BW_E_TIMEOUT 12",
            "BW_E_TIMEOUT has changed: it was 13",
        ),
        ("typedef int32_t bw_status;", "typedef int64_t bw_status;", "bw_status has changed"),
        (
            "uint32_t bw_abi_version(void);",
            "uint32_t bw_abi_version(void);\nint bw_more(void);",
            "bw_more is new: record it",
        ),
        ("line, void *user_data);", "line, const void *user_data);", "bw_log_callback has changed"),
    ],
)
def test_changed_header_is_reported(old: str, new: str, problem: str, tmp_path: Path) -> None:
    text = HEADER.read_text()
    assert old in text
    changed = tmp_path / "bw_webrtc.h"
    changed.write_text(text.replace(old, new, 1))
    assert f"abi: {problem}" in check("--header", changed, code=1)


def test_declaration_that_the_compiler_does_not_see_is_reported(tmp_path: Path) -> None:
    changed = tmp_path / "bw_webrtc.h"
    declared = "void bw_free(void *text);"
    changed.write_text(HEADER.read_text().replace(declared, f"#if 0\n{declared}\n#endif"))
    output = check("--header", changed, code=1)
    assert re.search("the compiler reports: .*bw_free.* undeclared", output)


def test_library_with_other_symbols_is_reported(tmp_path: Path) -> None:
    other = tmp_path / "libother.so"
    source = tmp_path / "other.c"
    source.write_text("int bw_version(void) { return 0; }\nint ring_core(void) { return 0; }\n")
    run(CC, "-shared", "-fPIC", source, "-o", other)
    output = check("--library", other, code=1)
    assert f"{other} has no bw_client_new" in output
    assert f"{other} exports ring_core, which is not published" in output
    assert f"{other} does not have the SONAME libbw_webrtc.so.0" in output
    assert f"{other} can be unloaded" in output


def test_add_does_not_change_the_record(tmp_path: Path) -> None:
    record = (ROOT / "packaging" / "abi" / "bw_webrtc.abi").read_text()
    changed = tmp_path / "bw_webrtc.h"
    changed.write_text(HEADER.read_text().replace("#define BW_OK 0", "#define BW_OK 1"))
    output = run("python3", ABI, "add", "--header", changed, code=1)
    assert "published entries must not change" in output
    assert (ROOT / "packaging" / "abi" / "bw_webrtc.abi").read_text() == record


def test_symbols_file_of_debian() -> None:
    lines = run("python3", ABI, "symbols").splitlines()
    assert lines[0] == "libbw_webrtc.so.0 libbw-webrtc0 #MINVER#"
    assert " bw_create_participant@Base 0.1.0" in lines
    assert all(re.fullmatch(r" bw_\w+@Base \d+\.\d+\.\d+", line) for line in lines[2:])
