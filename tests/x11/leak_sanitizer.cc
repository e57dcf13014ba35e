// What the leak sanitizer must not report.

/// A server that dies while a connection to it opens leaves the half-open Display behind, and the
/// record of the extension that was being asked for: Xlib has no way to close either.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() {
  return "leak:libX11.so\nleak:libxcb.so\nleak:XextAddDisplay\n";
}
