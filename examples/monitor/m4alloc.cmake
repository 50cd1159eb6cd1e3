# m4alloc_monitor(TARGET ...): these targets are compiled and linked by `m4alloc cc` or `m4alloc c++`, which run the
# project's own compiler. What is built so runs under the monitors; a violation makes it end with status 1.
#
# Arguments that begin with "-" are options of `m4alloc cc`, such as --hooks=thread.
function(m4alloc_monitor)
  find_program(M4ALLOC_CC m4alloc-cc REQUIRED)
  find_program(M4ALLOC_CXX m4alloc-c++ REQUIRED)
  set(options ${ARGN})
  list(FILTER options INCLUDE REGEX "^-")
  set(targets ${ARGN})
  list(FILTER targets EXCLUDE REGEX "^-")
  # The compiler's path comes last, and is what --compiler takes.
  set(c ${M4ALLOC_CC} ${options} --compiler)
  set(cxx ${M4ALLOC_CXX} ${options} --compiler)
  set_target_properties(
    ${targets} PROPERTIES C_COMPILER_LAUNCHER "${c}" C_LINKER_LAUNCHER "${c}"
                          CXX_COMPILER_LAUNCHER "${cxx}" CXX_LINKER_LAUNCHER "${cxx}")
endfunction()
