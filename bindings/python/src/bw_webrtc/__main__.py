"""``python -m bw_webrtc``: prints versions, or checks the credentials."""

from __future__ import annotations

import argparse
import platform
import sys
from typing import List, Optional

from . import _check, _library
from ._version import __version__
from .errors import LibraryError


def main(argv: Optional[List[str]] = None) -> int:
    """Prints the versions, or the result of the check. Returns 1 if something is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m bw_webrtc",
        usage="%(prog)s [-h] [--version]\n       %(prog)s check [-h] [options]",
        description="Without a command: print the versions in use, and where the shared library "
        "was found.",
    )
    parser.add_argument(
        "--version",
        action="version",
        version=f"bw_webrtc {__version__}",
        help="print the version of the package, and exit",
    )
    commands = parser.add_subparsers(
        dest="command", title="commands", metavar="command", prog=parser.prog
    )
    checking = commands.add_parser(
        "check",
        help="make a harmless call to each service with the environment's credentials",
        description="Make a harmless call to each service with the credentials in BW_ACCOUNT_ID, "
        "BW_CLIENT_ID and BW_CLIENT_SECRET (or BW_USERNAME and BW_PASSWORD, which stop working on "
        "2 December 2026), and report what is right or wrong. BW_BASE_URL, BW_ENDPOINTS_URL, "
        "BW_TOKEN_URL and the settings file BW_CONFIG_FILE are used if they are set. The calls "
        "read a participant that does not exist (WebRTC v1), and at most one endpoint (BRTC). The "
        "exit status is 0 if the credentials can be used with one of the services, and nothing but "
        "the access to the other is missing.",
    )
    checking.add_argument("--ca-file", help="PEM file with the certificate authorities to trust")
    checking.add_argument("--proxy", help="URL of the proxy")
    checking.add_argument("--timeout", type=float, help="the limit for each call, in seconds (10)")
    arguments = parser.parse_args(argv)
    try:
        if arguments.command == "check":
            good, sentence = _check.check(
                ca_file=arguments.ca_file, proxy=arguments.proxy, timeout=arguments.timeout
            )
            print(sentence, file=sys.stdout if good else sys.stderr)
            return 0 if good else 1
        return versions()
    except LibraryError as error:
        print(error, file=sys.stderr)
        return 1


def versions() -> int:
    """Prints the versions and the location of the library."""
    print(f"bw_webrtc     {__version__}")
    print(f"Python        {platform.python_version()} ({sys.executable})")
    library = _library.load()
    print(f"libbw_webrtc  {library.version}, ABI {library.abi_version}")
    print(f"library       {library.path}")
    print(f"found by      {library.origin}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
