"""``python -m bw_webrtc``: the versions, and where the library was found."""

from __future__ import annotations

import argparse
import platform
import sys
from typing import List, Optional

from . import _library
from ._version import __version__
from .errors import LibraryError


def main(argv: Optional[List[str]] = None) -> int:
    """Prints what is used; 1 if the library cannot be."""
    parser = argparse.ArgumentParser(
        prog="python -m bw_webrtc",
        description="Print the versions in use and where the shared library was found.",
    )
    parser.parse_args(argv)
    print(f"bw_webrtc     {__version__}")
    print(f"Python        {platform.python_version()} ({sys.executable})")
    try:
        library = _library.load()
    except LibraryError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"libbw_webrtc  {library.version}, ABI {library.abi_version}")
    print(f"library       {library.path}")
    print(f"found by      {library.origin}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
