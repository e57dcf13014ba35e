// What a keeper has before it knows its program, and how it comes to know it.
#pragma once

#include <cstddef>

#include "keeper/child.h"

namespace selfagent::keeper {

inline constexpr int most_clients = 8;

/// Blocks all signals, and makes what does not depend on the program. A spare keeper has time for
/// more of it than one whose program waits.
struct Means {
  explicit Means(bool spare);

  int signals;    // reads TERM and CHLD
  int listener;   // `control` in the folder; -1 if there can be none: the daemon that started this
                  // keeper is connected all the same
  int exit_file;  // see create_exit_file(); -1 for none
  Supplies supplies{};
  bool complete;  // false, with the `error`, if the system has no room for a program
  int error;
};

/// `exit.new` in the folder, which is to become `exit`; -1 if there can be none.
int create_exit_file();

/// Nothing was started: an empty folder is removed by the next daemon.
void leave_nothing();

/// The configuration, which stays where it is. Empty if there is none.
struct Text {
  char* bytes = nullptr;
  size_t size = 0;
};

/// That in `file`, which is closed.
Text map_text(int file);

/// Started beforehand: says that it is there, and waits for the configuration of a program to keep.
/// Empty if there will be none, because the daemon has ended or has no use for this one.
Text take_work();

}  // namespace selfagent::keeper
