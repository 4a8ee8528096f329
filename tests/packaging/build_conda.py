"""Builds the conda package with rattler-build, which tests it. Usage: build_conda.py RECIPE FOLDER.

Empty packages replace conda-forge's compilers, so that those of the system are used.
"""

from __future__ import annotations

import sys
from pathlib import Path

from rattler_build import (  # type: ignore[import-not-found]
    Stage0Recipe,
    ToolConfiguration,
    VariantConfig,
)

COMPILERS = ("gcc_linux-64", "rust_linux-64", "sysroot_linux-64", "make")
VARIANTS = "c_stdlib: [sysroot]\nc_stdlib_version: ['2.17']\n"

recipe, folder = map(Path, sys.argv[1:])
channel = folder / "channel"
for name in COMPILERS:
    (empty,) = Stage0Recipe.from_yaml(f"package: {{name: {name}, version: '2.17'}}").render()
    empty.run_build(output_dir=channel, channels=[])
(variant,) = Stage0Recipe.from_file(recipe).render(VariantConfig.from_yaml(VARIANTS))
built = variant.run_build(
    tool_config=ToolConfiguration(test_strategy="native"),
    output_dir=folder / "built",
    channels=[channel.as_uri()],
)
sys.stdout.write(f"{built.packages[0]}\n")
