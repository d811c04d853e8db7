# What `cmake --install build --prefix DIR` puts where, on one page:
#
#   include/sattn/            the C and C++ interface; compiler.h only with the compiler
#   lib/libsattn.so           the runtime; needs neither LLVM nor the compiler
#   lib/libsattn-compiler.so  pattern text to artefact, in process
#   lib/pkgconfig/            sattn.pc, sattn-compiler.pc
#   lib/cmake/sattn/          find_package(sattn): targets sattn::runtime and sattn::compiler
#   bin/                      sparse-attn, sparse-attn-opt
#   share/sattn/patterns/     the shipped patterns, which sparse-attn finds by name
#
# Everything finds its parts relative to itself, so that an installed tree may be moved.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(sattn_headers sattn.h sattn.hpp)
set(sattn_libraries sattn-runtime)
set(sattn_package_files sattn.pc)
if(SATTN_BUILD_COMPILER)
  list(APPEND sattn_headers compiler.h)
  list(APPEND sattn_libraries sattn-compiler)
  list(APPEND sattn_package_files sattn-compiler.pc)
  # LLVM's libraries are those of the build; ours stand in the tree.
  set_target_properties(sattn-compiler PROPERTIES INSTALL_RPATH "$ORIGIN;${LLVM_LIBRARY_DIR}")
  file(RELATIVE_PATH libraries_from_tools "/prefix/${CMAKE_INSTALL_BINDIR}" "/prefix/${CMAKE_INSTALL_LIBDIR}")
  set_target_properties(sparse-attn sparse-attn-opt PROPERTIES
    INSTALL_RPATH "$ORIGIN/${libraries_from_tools};${LLVM_LIBRARY_DIR}")
  install(TARGETS sparse-attn sparse-attn-opt RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  install(DIRECTORY examples/patterns/ DESTINATION ${CMAKE_INSTALL_DATADIR}/sattn/patterns FILES_MATCHING PATTERN "*.mlir")
endif()

list(TRANSFORM sattn_headers PREPEND include/sattn/ OUTPUT_VARIABLE header_files)
install(FILES ${header_files} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/sattn)
install(TARGETS ${sattn_libraries} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES LICENSE THIRD_PARTY.md DESTINATION ${CMAKE_INSTALL_DOCDIR})

# pkg-config computes its prefix from where the file stands. dlpack.h, which sattn.h includes, is in the default path of
# compilers as a rule.
set(package_folder ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH prefix_from_package "/prefix/${package_folder}" "/prefix")
string(REGEX REPLACE "/$" "" prefix_from_package "${prefix_from_package}")
set(dlpack_flag "")
if(NOT SATTN_DLPACK_INCLUDE STREQUAL "/usr/include")
  set(dlpack_flag " -I${SATTN_DLPACK_INCLUDE}")
endif()
foreach(file IN LISTS sattn_package_files)
  configure_file(cmake/${file}.in ${PROJECT_BINARY_DIR}/install/${file} @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/install/${file} DESTINATION ${package_folder})
endforeach()

set(config_folder ${CMAKE_INSTALL_LIBDIR}/cmake/sattn)
configure_package_config_file(cmake/sattn-config.cmake.in ${PROJECT_BINARY_DIR}/install/sattn-config.cmake
  INSTALL_DESTINATION ${config_folder} PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBDIR)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/install/sattn-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/install/sattn-config.cmake ${PROJECT_BINARY_DIR}/install/sattn-config-version.cmake
  DESTINATION ${config_folder})
