// Starts the program: the fork, and everything that must be given up before exec.
#pragma once

#include <sys/types.h>

#include "keeper/protocol.h"

namespace selfagent::keeper {

/// The configuration with its strings, which it points into.
struct Plan {
  Config config;
  const gid_t* groups;
  const char* folder;
  char** candidates;  // these three end with a null pointer
  char** arguments;
  char** variables;
  int guest_folder = -1;   // of a guest: the stand-in's working directory
  int guest_command = -1;  // and what its shell is to run
};

/// Reads the configuration of `size` bytes at `bytes`, which stay for as long as the plan. False if
/// it is not one.
bool read_plan(char* bytes, size_t size, Plan& plan);

/// Descriptors that most programs need, whichever they are: a spare keeper makes them beforehand.
struct Supplies {
  int out[2];  // a pipe: to read from, to write to
  int err[2];
  int report[2];
  int null;
};

/// False, with errno set, if the system has no room.
bool make_supplies(Supplies& supplies);

struct Started {
  pid_t pid = -1;
  Step step = Step::none;  // where it failed
  int error = 0;
  int out = -1;    // to read from: standard output, or the terminal
  int err = -1;    // standard error; -1 with a terminal
  int input = -1;  // to write to; the terminal has one descriptor for both
};

/// Starts the program, or a guest's stand-in, as the leader of a session of its own. The
/// descriptors do not block. Takes over the supplies.
Started start(const Plan& plan, const Supplies& supplies);

}  // namespace selfagent::keeper
