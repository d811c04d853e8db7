# Functions shared by the folders: how a library, a tool and a test program of ours are built.

# Flags for every target of ours; LLVM's headers are SYSTEM and stay silent.
add_library(sattn-flags INTERFACE)
target_compile_options(sattn-flags INTERFACE -Wall -Wextra -Wno-unused-parameter $<$<BOOL:${SATTN_WERROR}>:-Werror>)
target_include_directories(sattn-flags INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR} ${PROJECT_SOURCE_DIR}/include)
if(SATTN_SANITIZE)
  target_compile_options(sattn-flags INTERFACE -fsanitize=${SATTN_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -g1)
  target_link_options(sattn-flags INTERFACE -fsanitize=${SATTN_SANITIZE})
endif()

# Everything that includes MLIR: its headers, no exceptions (as LLVM is built), and one precompiled header that
# is built once (sattn-pch) and reused, because MLIR's headers dominate the build time. What remains of them, mostly
# templates, is shared by three neighbouring sources at a time (SATTN_UNITY); the dev preset compiles each alone.
function(sattn_use_mlir target)
  target_include_directories(${target} SYSTEM PRIVATE ${MLIR_INCLUDE_DIRS} ${LLVM_INCLUDE_DIRS})
  # -fPIC also in executables: the header is precompiled once, for libraries.
  target_compile_options(${target} PRIVATE -fno-exceptions -fPIC)
  target_link_libraries(${target} PUBLIC sattn-flags)
  # A program would be compiled as PIE, which the precompiled header of the libraries is not.
  get_target_property(type ${target} TYPE)
  if(type STREQUAL "EXECUTABLE")
    set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(${target} PRIVATE -fPIC)
  endif()
  if(NOT target STREQUAL "sattn-pch")
    target_precompile_headers(${target} REUSE_FROM sattn-pch)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ${SATTN_UNITY} UNITY_BUILD_BATCH_SIZE 3)
  endif()
endfunction()

# sattn_compiler_library(NAME SOURCES a.cpp ... [LINKS lib ...] [DEPENDS tablegen-target ...])
function(sattn_compiler_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS;DEPENDS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  sattn_use_mlir(${name})
  target_link_libraries(${name} PUBLIC ${ARG_LINKS} MLIR LLVM)
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
endfunction()

# sattn_unit_test(NAME SOURCES a.cpp ... LINKS lib ...): a doctest program, registered with ctest.
function(sattn_unit_test name)
  cmake_parse_arguments(ARG "MLIR" "" "SOURCES;LINKS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/test/bin)
  if(ARG_MLIR)
    sattn_use_mlir(${name})
    target_compile_definitions(${name} PRIVATE DOCTEST_CONFIG_NO_EXCEPTIONS_BUT_WITH_ALL_ASSERTS)
  else()
    target_link_libraries(${name} PRIVATE sattn-flags)
  endif()
  target_link_libraries(${name} PRIVATE ${ARG_LINKS})
  add_test(NAME ${name} COMMAND ${name})
endfunction()
