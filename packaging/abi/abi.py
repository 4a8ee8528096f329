#!/usr/bin/env python3
"""Compares the library and its header with the published interface in bw_webrtc.abi.

    abi.py check [--library FILE].. [--header FILE]   prints differences; exits with 1 if any
    abi.py add                                        records new entries with the current version
    abi.py symbols                                    prints Debian's symbols file

`add` records new functions, types and constants, and never changes a recorded entry.
`scripts/header --check` checks that the header matches src/ffi.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
RECORD = HERE / "bw_webrtc.abi"
HEADER = ROOT / "include" / "bw_webrtc.h"

# These macros change with each version.
VERSIONS = re.compile(r"BW_VERSION(_MAJOR|_MINOR|_PATCH)?|BW_WEBRTC_H")
LINE = re.compile(r"(\d+\.\d+\.\d+) (function|type|constant) (\w+): (.+)")


class Entry(NamedTuple):
    """A published name. ``what`` is the type of a function, a type, or the value of a constant."""

    kind: str
    name: str
    what: str


class Interface(NamedTuple):
    """The declarations of a header."""

    version: str
    entries: Dict[str, Entry]


def normalize_spaces(text: str) -> str:
    """Normalizes spaces: one between words, none around parentheses or before commas."""
    text = re.sub(r"\s+", " ", text).strip()
    text = re.sub(r"\s*([(),])\s*", r"\1", text).replace(",", ", ")
    return re.sub(r"\s*(\*+)", r" \1", re.sub(r"\*\s+(?=\*)", "*", text))


def parameter_types(parameters: str) -> str:
    """The types of a list of parameters. Their names are not part of the interface."""
    types = [re.sub(r"\b\w+$", "", part.strip()) for part in parameters.split(",")]
    return (
        "void"
        if parameters.strip() == "void"
        else ", ".join(normalize_spaces(part) for part in types)
    )


def read_header(header: Path) -> Interface:
    """Reads the declarations of a header, in order."""
    text = header.read_text(encoding="utf-8")
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL)
    version = re.search(r'^#define BW_VERSION "(.+)"$', text, flags=re.MULTILINE)
    if version is None:
        raise SystemExit(f"abi: {header} has no BW_VERSION")
    entries: List[Entry] = []
    for name, value in re.findall(r"^#define (\w+)[ \t]*(.*)$", text, flags=re.MULTILINE):
        if not VERSIONS.fullmatch(name):
            entries.append(Entry("constant", name, normalize_spaces(value)))
    # Without the preprocessor's lines and the braces of extern "C", the rest is plain C.
    code = re.sub(r"^#.*$", "", text, flags=re.MULTILINE)
    code = re.sub(r'extern "C" \{|^\}', "", code, flags=re.MULTILINE)
    for declaration in filter(None, (normalize_spaces(part) for part in code.split(";"))):
        entries.append(read_declaration(declaration))
    found: Dict[str, Entry] = {}
    for entry in entries:
        if entry.name in found:
            raise SystemExit(f"abi: {entry.name} is declared twice")
        found[entry.name] = entry
    return Interface(version.group(1), found)


def read_declaration(declaration: str) -> Entry:
    """Parses the declaration of a function or a type."""
    callback = re.fullmatch(r"typedef (.+?)\( \*(\w+)\)\((.*)\)", declaration)
    if callback:
        result, name, parameters = callback.groups()
        return Entry("type", name, f"{result} (*)({parameter_types(parameters)})")
    alias = re.fullmatch(r"typedef (.+?)(\w+)", declaration)
    if alias:
        return Entry("type", alias.group(2), normalize_spaces(alias.group(1)))
    function = re.fullmatch(r"(.+?)(\w+)\((.*)\)", declaration)
    if function:
        result, name, parameters = function.groups()
        return Entry(
            "function", name, f"{normalize_spaces(result)} ({parameter_types(parameters)})"
        )
    raise SystemExit(f'abi: unknown form of declaration: "{declaration}"')


class Record(NamedTuple):
    """The checked-in file: its comment, and the entries with the version that added each."""

    comment: str
    entries: Dict[str, Entry]
    since: Dict[str, str]


def read_record(path: Path) -> Record:
    comment: List[str] = []
    entries: Dict[str, Entry] = {}
    since: Dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("#"):
            comment.append(line + "\n")
            continue
        if not line:
            continue
        parts = LINE.fullmatch(line)
        if parts is None or parts.group(3) in entries:
            raise SystemExit(f"abi: {path}:{number}: invalid or repeated line: {line}")
        version, kind, name, what = parts.groups()
        entries[name] = Entry(kind, name, what)
        since[name] = version
    return Record("".join(comment), entries, since)


def write_record(path: Path, record: Record) -> None:
    text = record.comment
    for kind in ("function", "type", "constant"):
        text += "\n"
        for name, entry in record.entries.items():
            if entry.kind == kind:
                text += f"{record.since[name]} {kind} {name}: {entry.what}\n"
    path.write_text(text, encoding="utf-8")


def differences(recorded: Dict[str, Entry], declared: Dict[str, Entry]) -> List[str]:
    """The published entries that the header removed or changed."""
    found = []
    for name, entry in recorded.items():
        now = declared.get(name)
        if now is None:
            found.append(f"{name} is missing from the header; it was {entry.what}")
        elif now != entry:
            found.append(f"{name} has changed: it was {entry.what}, and is now {now.what}")
    return found


def additions(recorded: Dict[str, Entry], declared: Dict[str, Entry]) -> List[str]:
    return [name for name in declared if name not in recorded]


def compile_errors(record: Record, header: Path) -> List[str]:
    """Compiles an assertion for each recorded entry. Returns the compiler's errors."""
    lines = [f'#include "{header.resolve()}"']
    for name, entry in record.entries.items():
        if entry.kind == "constant":
            same = f"{name} == {entry.what}"
        elif entry.what.startswith("struct "):
            same = f"__builtin_types_compatible_p({name} *, {entry.what} *)"
        elif entry.kind == "type":
            same = f"__builtin_types_compatible_p({name}, {entry.what})"
        else:
            same = f"__builtin_types_compatible_p(__typeof__({name}), {entry.what})"
        lines.append(f'_Static_assert({same}, "{name} is not {entry.what}");')
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "abi.c"
        source.write_text("\n".join(lines) + "\n", encoding="utf-8")
        ended = subprocess.run(
            [os.environ.get("CC", "cc"), "-std=gnu11", "-fsyntax-only", str(source)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            check=False,
        )
    errors = re.findall(r"error: (.*)", ended.stdout)
    if ended.returncode and not errors:
        errors = [ended.stdout]
    return [f"the compiler reports: {error}" for error in errors]


def output(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, encoding="utf-8").stdout


def library_differences(record: Record, library: Path) -> List[str]:
    """Compares the exported symbols of a shared or static library with the record."""
    shared = ".so" in library.name
    table = output(
        # The target's, for a library of another processor.
        os.environ.get("NM", "nm"),
        *(["-D"] if shared else []),
        "--defined-only",
        "--extern-only",
        "-P",
        str(library),
    )
    exported = {
        fields[0].split("@")[0] for fields in map(str.split, table.splitlines()) if fields[1:]
    }
    functions = {name for name, entry in record.entries.items() if entry.kind == "function"}
    found = [f"{library} has no {name}" for name in sorted(functions - exported)]
    found += [
        f"{library} exports {name}, which is not published" for name in sorted(exported - functions)
    ]
    if shared:
        dynamic = output("readelf", "--dynamic", "--wide", str(library))
        soname = re.search(r"\(SONAME\).*\[(.*)\]", dynamic)
        wanted = f"libbw_webrtc.so.{abi_number()}"
        if soname is None or soname.group(1) != wanted:
            found.append(f"{library} does not have the SONAME {wanted}")
        if not re.search(r"\(FLAGS_1\).*NODELETE", dynamic):
            found.append(f"{library} can be unloaded (no -z nodelete)")
    return found


def abi_number() -> str:
    source = (ROOT / "src" / "ffi" / "version.rs").read_text(encoding="utf-8")
    number = re.search(r"^const ABI: u32 = (\d+);$", source, flags=re.MULTILINE)
    if number is None:
        raise SystemExit("abi: src/ffi/version.rs does not contain ABI")
    return number.group(1)


def check(header: Path, libraries: List[Path]) -> int:
    record = read_record(RECORD)
    interface = read_header(header)
    problems = differences(record.entries, interface.entries)
    problems += [
        f"{name} is new: record it with packaging/abi/abi.py add"
        for name in additions(record.entries, interface.entries)
    ]
    problems += compile_errors(record, header)
    for library in libraries:
        problems += library_differences(record, library)
    for problem in problems:
        print(f"abi: {problem}", file=sys.stderr)
    if not problems:
        files = ", ".join(str(path) for path in [header, *libraries])
        print(f"abi: {len(record.entries)} entries match {files}")
    return 1 if problems else 0


def add(header: Path) -> int:
    record = read_record(RECORD)
    interface = read_header(header)
    changed = differences(record.entries, interface.entries)
    if changed:
        for problem in changed:
            print(f"abi: {problem}", file=sys.stderr)
        print(
            "abi: published entries must not change; add a new function instead",
            file=sys.stderr,
        )
        return 1
    for name in additions(record.entries, interface.entries):
        record.entries[name] = interface.entries[name]
        record.since[name] = interface.version
        print(f"abi: {name} since {interface.version}")
    write_record(RECORD, record)
    return 0


def symbols() -> int:
    record = read_record(RECORD)
    abi = abi_number()
    print(f"libbw_webrtc.so.{abi} libbw-webrtc{abi} #MINVER#")
    print("* Build-Depends-Package: libbw-webrtc-dev")
    for name in sorted(record.entries):
        if record.entries[name].kind == "function":
            print(f" {name}@Base {record.since[name]}")
    return 0


def main(argv: Optional[List[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    checking = commands.add_parser("check", help="print the differences")
    checking.add_argument("--header", type=Path, default=HEADER)
    checking.add_argument("--library", type=Path, action="append", default=[])
    adding = commands.add_parser("add", help="record new entries")
    adding.add_argument("--header", type=Path, default=HEADER)
    commands.add_parser("symbols", help="print Debian's symbols file")
    arguments = parser.parse_args(argv)
    if arguments.command == "check":
        return check(arguments.header, arguments.library)
    return add(arguments.header) if arguments.command == "add" else symbols()


if __name__ == "__main__":
    sys.exit(main())
