// What the daemon and a keeper say to each other.
//
// A keeper is a small program of its own that stands between the daemon and one program that was
// started for a tool: it holds the program's pipes or terminal, writes what comes through them into
// files, and waits for its end. It outlives the daemon, so a crash or a restart of the daemon loses
// neither the program nor its output nor its exit status.
//
// It is started with three descriptors and without arguments or environment:
//   3  the configuration: a Config, then the groups, then the strings, each with its NUL
//   4  the process's folder
//   5  a SOCK_SEQPACKET connection to the daemon; further ones are accepted on `control` in the
//   folder
// With the argument "spare" it is started without the configuration: it sends a Report to the
// daemon, which says that it is ready, and gets the configuration when there is something to keep:
// as a message, or, if it is longer than most_in_message, as the descriptor of a file (SCM_RIGHTS).
//
// In the folder it writes
//   log.N, seg.N  the output from byte N on (both streams, in the order in which they arrived), and
//                 a Segment for each stretch of it that came from one stream
//   exit          one line when the program has ended: see write_exit() in main.cc. Of the last
//                 change of state the clients are told first: who removes the folder waits until
//                 the keeper is gone
//
// A guest is a command that runs in a shell which another keeper, its host, keeps: see guest.h.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

namespace selfagent::keeper {

inline constexpr int config_fd = 3;
inline constexpr int folder_fd = 4;
inline constexpr int client_fd = 5;

inline constexpr const char* spare_argument = "spare";

inline constexpr uint32_t magic = 0x6b703031;

inline constexpr size_t most_in_message = 32768;

/// Resource limits of the program, in this order; `unlimited` leaves what is.
enum Limit : int {
  limit_cpu_s,
  limit_memory_bytes,
  limit_processes,
  limit_file_bytes,
  limit_files
};
inline constexpr int limit_count = 5;
inline constexpr uint64_t unlimited = ~uint64_t{0};

struct Config {
  uint32_t magic;
  uint32_t terminal;    // 1: a terminal, 0: two pipes
  uint32_t open_input;  // 1: standard input is a pipe; with 0 and no terminal it is /dev/null
  uint32_t switches;    // 1: become uid, gid and the groups
  uint32_t uid;
  uint32_t gid;
  uint32_t group_count;
  uint32_t candidate_count;  // paths at which the program may be, tried in turn
  uint32_t argument_count;
  uint32_t variable_count;
  uint32_t rows;  // of the terminal
  uint32_t columns;
  int32_t nice;      // added to the keeper's own
  uint32_t idle_io;  // 1: the I/O class "idle"
  uint32_t guest;    // 1: the arguments are the host's id, assignments for the command, the command
  uint32_t reserved;
  uint64_t log_bytes;    // most bytes of all log.N and seg.N together
  uint64_t chunk_bytes;  // most bytes of one log.N
  uint64_t limits[limit_count];
  // gid_t groups[group_count]; then strings: the folder to run in, the candidates, the arguments,
  // the variables as NAME=VALUE
};

enum class Step : uint32_t { none, user, folder, limits, exec, host };

enum class State : uint32_t {
  starting,
  failed,  // it could not be started: step and error
  running,
  exited,  // the program has ended; what it left in the background may still run
  gone,    // nothing of it runs any more, and its output is complete
};

/// What a keeper knows. Sent after a start, a change of state and, at most every few milliseconds,
/// new output; and as the answer to each Order and to each new connection.
struct Report {
  uint32_t magic;
  State state;
  Step step;          // of a failed start
  int32_t error;      // errno
  int32_t pid;        // of the program, which leads its session and process group; of a guest its
                      // shell
  int32_t exit_code;  // -1 if it ended by a signal
  int32_t signal;
  uint32_t host_ended;  // 1: a guest ended because its shell did
  int64_t ended_ms;     // Unix time; 0 while it runs
  uint64_t log_end;     // bytes of output so far
  uint64_t out_bytes;   // of them from stdout or the terminal
  uint64_t err_bytes;
  uint64_t lost_bytes;  // of them not in the log, because the disk was full
  uint64_t input_left;  // bytes given as input that the program has not taken yet
};

enum class OrderKind : uint32_t {
  write,      // the bytes after the Order are input; at most most_input
  end_input,  // end of file, or Ctrl-D on a terminal
  signal,     // `number` to the process group in the foreground
  end,        // TERM to everything, KILL after `number` ms
  resize,     // the terminal: `rows`, `columns`
};

inline constexpr uint32_t most_input = 65536;
inline constexpr uint64_t most_pending_input = 1 << 20;

struct Order {
  OrderKind kind;
  int32_t number;
  uint32_t rows;
  uint32_t columns;
};

/// Where a stretch of the output begins, which stream it is from and when it arrived.
struct Segment {
  uint64_t begin;  // byte of the output; the highest bit is set for stderr
  int64_t unix_ms;
};
inline constexpr uint64_t from_stderr = uint64_t{1} << 63;

}  // namespace selfagent::keeper
