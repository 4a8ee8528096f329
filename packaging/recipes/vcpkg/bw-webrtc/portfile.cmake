# Run by tests/packaging/test_recipes.py with CMake, with replacements of vcpkg's functions. Not run
# with vcpkg. The port builds the source tree that contains it, with Cargo:
#
#   vcpkg install bw-webrtc --overlay-ports=packaging/recipes/vcpkg
#
# RELEASE_DIR names an existing build to package instead.

# The interface is C: programs of each configuration use the release build.
set(VCPKG_BUILD_TYPE release)
# The CMake files stay where `make install` puts them; find_package searches there too.
set(VCPKG_POLICY_SKIP_MISPLACED_CMAKE_FILES_CHECK enabled)
set(VCPKG_POLICY_SKIP_LIB_CMAKE_MERGE_CHECK enabled)

get_filename_component(SOURCE_PATH "${CMAKE_CURRENT_LIST_DIR}/../../../.." ABSOLUTE)

if(NOT DEFINED ENV{RELEASE_DIR})
  find_program(CARGO cargo REQUIRED)
  vcpkg_execute_build_process(
    COMMAND "${CARGO}" build --release --locked --workspace
      --target-dir "${CURRENT_BUILDTREES_DIR}/cargo"
    WORKING_DIRECTORY "${SOURCE_PATH}"
    LOGNAME "build-${TARGET_TRIPLET}")
  set(ENV{RELEASE_DIR} "${CURRENT_BUILDTREES_DIR}/cargo/release")
endif()
vcpkg_execute_required_process(
  COMMAND make install "PREFIX=${CURRENT_PACKAGES_DIR}"
  WORKING_DIRECTORY "${SOURCE_PATH}"
  LOGNAME "install-${TARGET_TRIPLET}")

if(VCPKG_LIBRARY_LINKAGE STREQUAL "static")
  file(GLOB unused "${CURRENT_PACKAGES_DIR}/lib/libbw_webrtc.so*")
else()
  set(unused "${CURRENT_PACKAGES_DIR}/lib/libbw_webrtc.a")
endif()
file(REMOVE ${unused})

vcpkg_copy_tools(TOOL_NAMES bw-sandbox AUTO_CLEAN)
vcpkg_fixup_pkgconfig()
file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/share/doc" "${CURRENT_PACKAGES_DIR}/share/man")
file(INSTALL "${CMAKE_CURRENT_LIST_DIR}/usage" DESTINATION "${CURRENT_PACKAGES_DIR}/share/${PORT}")
vcpkg_install_copyright(FILE_LIST
  "${SOURCE_PATH}/LICENSE-MIT" "${SOURCE_PATH}/LICENSE-APACHE" "${SOURCE_PATH}/THIRD-PARTY-NOTICES")
