# Run by tests/packaging/test_recipes.py: `conan create`, which also builds and runs test_package,
# with the shared and with the static library.
#
#   conan create packaging/recipes/conan
#
# RELEASE_DIR names an existing build to package instead of building with Cargo.
"""The Conan package of libbw_webrtc, from the source tree that contains this file."""

from __future__ import annotations

import os
from pathlib import Path

from conan import ConanFile
from conan.errors import ConanInvalidConfiguration
from conan.tools.build import cross_building
from conan.tools.files import copy, rm, rmdir

SOURCES = (
    *("Cargo.toml", "Cargo.lock", "build.rs", "cbindgen.toml", "Makefile"),
    *("LICENSE-MIT", "LICENSE-APACHE", "THIRD-PARTY-NOTICES", "CHANGELOG.md"),
    *("src/*", "include/*", "bindings/c/*", "packaging/*", "scripts/*"),
    # Members of the workspace, and the documents that they compile in.
    *("codegen/*", "model/*", "sandbox/*"),
)


class BwWebrtc(ConanFile):
    name = "bw_webrtc"
    version = "0.1.0"
    description = "Control Bandwidth's WebRTC service from C, C++ and Python"
    license = "MIT OR Apache-2.0"
    topics = ("bandwidth", "webrtc", "sip", "telephony")
    package_type = "library"
    settings = ("os", "arch", "compiler", "build_type")
    options = {"shared": [True, False]}
    default_options = {"shared": True}

    def export_sources(self) -> None:
        root = Path(self.recipe_folder).parents[2]
        for pattern in SOURCES:
            copy(self, pattern, root, self.export_sources_folder)

    def validate(self) -> None:
        if self.settings.os != "Linux" or self.settings.arch not in ("x86_64", "armv8"):
            raise ConanInvalidConfiguration("bw_webrtc requires Linux on x86_64 or armv8")
        if cross_building(self) and not os.environ.get("RELEASE_DIR"):
            raise ConanInvalidConfiguration("for another processor, set RELEASE_DIR to its build")

    def package_id(self) -> None:
        # The interface is C, and the build is always optimized.
        del self.info.settings.compiler
        del self.info.settings.build_type

    def build(self) -> None:
        if not os.environ.get("RELEASE_DIR"):
            self.run("cargo build --release --locked --workspace")

    def package(self) -> None:
        self.run(f"make install PREFIX='{self.package_folder}'", cwd=self.build_folder)
        rm(self, "*.a" if self.options.shared else "*.so*", f"{self.package_folder}/lib")
        # Conan generates these files.
        rmdir(self, f"{self.package_folder}/lib/cmake")
        rmdir(self, f"{self.package_folder}/lib/pkgconfig")

    def package_info(self) -> None:
        self.cpp_info.libs = ["bw_webrtc"]
        if not self.options.shared:
            self.cpp_info.system_libs = ["pthread", "dl", "m"]
