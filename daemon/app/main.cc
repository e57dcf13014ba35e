// The one binary: the daemon and its command line.
#include "app/command_line.h"

int main(int argc, char** argv) { return selfagent::run_command_line(argc, argv); }
