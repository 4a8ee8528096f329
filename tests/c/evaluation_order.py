"""Finds calls such as ``must(f(&out), out)``, whose arguments are evaluated in an undefined order.

No compiler warns about them. The script reads all C and C++ files, the code in the documentation,
and the program in the first comment of the header. Its last line of output is a summary.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Iterator, List, Tuple

ROOT = Path(__file__).resolve().parents[2]
WRONG = (
    "must(bw_create_session(client, NULL, &out), out);",
    'must(out, bw_get_session(client, "a, (b", &out));',
    "printf(text, bw_status_name(f(x, &text[0])));",
)
RIGHT = (
    "status = bw_create_session(client, NULL, &out); must(status, out);",
    "CHECK(bw_get_session(client, id, &out) == BW_OK && out != NULL);",
    'f(&out, "out", other.out, pointer->out);',
    "bwt_participant_clear(&made), bw_free(id);",
    "bind(fd, (struct sockaddr *)&address, sizeof address);",
)


def calls(code: str) -> Iterator[List[str]]:
    """Yields the arguments of each call in a piece of code."""
    for begin in re.finditer(r"\b(?!if\b|for\b|while\b|switch\b|return\b)\w+\s*\(", code):
        depth, arguments = 0, [""]
        for character in code[begin.end() :]:
            depth += (character in "([{") - (character in ")]}")
            if depth < 0 or character == ";":
                break
            if character == "," and depth == 0:
                arguments.append("")
            else:
                arguments[-1] += character
        yield arguments


def set_in(argument: str) -> List[str]:
    """Returns the variables whose addresses an argument passes to a nested call."""
    return [
        found[1]
        for found in re.finditer(r"&\s*(\w+)\b", argument)
        if argument.count("(", 0, found.start()) > argument.count(")", 0, found.start())
    ]


def faults(code: str) -> List[str]:
    """Returns the calls that set a variable in one argument and read it in another."""
    code = re.sub(r"/\*.*?\*/|//[^\n]*", " ", code, flags=re.S)
    code = re.sub(r'"(?:\\.|[^"\\\n])*"', '""', code)
    found = []
    for arguments in calls(code):
        for index, argument in enumerate(arguments):
            others = ",".join(arguments[:index] + arguments[index + 1 :])
            for name in set_in(argument):
                if re.search(rf"(?<![&.>\w]){name}\b", others):
                    found.append(" ".join(",".join(arguments).split()))
    return found


def pieces() -> Iterator[Tuple[str, str]]:
    """Yields all code, with the name of its file."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.split():
        path = ROOT / name
        if not path.is_file():
            continue
        if path.suffix == ".md":
            text = path.read_text()
            for block in re.findall(r"^ *```(?:c|cpp)\n(.*?)^ *```", text, flags=re.S | re.M):
                yield name, block
        elif path.suffix in {".c", ".h", ".cpp", ".hpp"}:
            yield name, path.read_text()
        elif name == "src/ffi/header.txt":
            yield name, re.sub(r"/\*|\*/|^ \*", " ", path.read_text(), flags=re.M)


def main() -> int:
    """Prints the faults. Returns 1 if there are any."""
    failed = [f"not found: {code}" for code in WRONG if not faults(code)]
    failed += [f"found without reason: {code}" for code in RIGHT if faults(code)]
    count = 0
    for name, code in pieces():
        count += 1
        failed += [f"{name}: the order is undefined: {fault}" for fault in faults(code)]
    sys.stdout.write("".join(f"{line}\n" for line in failed))
    sys.stdout.write(f"evaluation order: {count} passed, {len(failed)} failed\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
