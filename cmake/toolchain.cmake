# Warnings, sanitizers, and the tools that make builds fast where they are installed.
add_compile_options(-Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion)
if(SELFAGENT_WERROR)
  add_compile_options(-Werror)
endif()
if(CMAKE_UNITY_BUILD)
  # What a file keeps to itself is then "included" by another one.
  add_compile_options(-Wno-subobject-linkage)
endif()
if(SELFAGENT_SANITIZE)
  add_compile_options(-fsanitize=${SELFAGENT_SANITIZE} -fno-omit-frame-pointer)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # g++ 12 sees uninitialized members in the instrumented code of <regex>, where there are none.
    add_compile_options(-Wno-maybe-uninitialized)
  endif()
  add_link_options(-fsanitize=${SELFAGENT_SANITIZE})
  foreach(check undefined float-cast-overflow)
    if(SELFAGENT_SANITIZE MATCHES ${check})
      add_compile_options(-fno-sanitize-recover=${check})
    endif()
  endforeach()
endif()

find_program(CCACHE ccache)
if(CCACHE)
  # Precompiled headers need these two: ccache otherwise refuses every translation unit that uses one.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CCACHE})
endif()
find_program(MOLD mold)
if(MOLD)
  add_link_options(-fuse-ld=mold)
endif()
