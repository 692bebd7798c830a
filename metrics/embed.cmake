# embed_text(<file> <output.cc> <name> [<namespace>]): writes a unit that defines `understudy::<namespace>::<name>()`, the
# file's text; the namespace is metrics where none is given. The text must not hold @word@.
# The text is cut into several literals of 8 KiB: ISO C++ promises no more than 64 KiB in one.
function(embed_text file output name)
  set(namespace metrics ${ARGN})
  list(GET namespace -1 namespace)
  file(READ ${file} text)
  string(FIND "${text}" ")embed\"" clash)
  if(NOT clash EQUAL -1)
    message(FATAL_ERROR "${file} holds the delimiter of its own literal")
  endif()
  string(LENGTH "${text}" length)
  set(pieces "")
  set(at 0)
  while(at LESS length)
    string(SUBSTRING "${text}" ${at} 8192 piece)
    string(APPEND pieces "    R\"embed(${piece})embed\",\n")
    math(EXPR at "${at} + 8192")
  endwhile()
  file(CONFIGURE OUTPUT ${output} @ONLY CONTENT
"#include <string>

namespace understudy::${namespace} {

std::string ${name}() {
  std::string text;
  for (const char* piece : {
${pieces}  }) {
    text += piece;
  }
  return text;
}

}  // namespace understudy::${namespace}
")
endfunction()
