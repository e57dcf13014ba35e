"""The measurements. Each takes the stage and the counts and returns rows; ours and the peer alternate (A B A B)."""

import base64
import json
import os
import statistics
import subprocess
import time

import clients
from stage import HEIGHT, TOKEN, WIDTH, resident_mb

median = statistics.median


class Row:
    """One line of the table. `ratio` says how many times better ours is; a target is a ratio or a limit of ours."""

    def __init__(self, name, unit, ours, peer, peer_name, ratio_target=None, limit=None, more_is_better=False):
        self.name, self.unit, self.ours, self.peer, self.peer_name = name, unit, ours, peer, peer_name
        self.ratio_target, self.limit = ratio_target, limit
        self.ratio = None if peer is None else (ours / peer if more_is_better else peer / ours)

    @property
    def target(self):
        if self.ratio_target:
            return f">= {self.ratio_target}x"
        return f"< {self.limit} {self.unit}" if self.limit else ""

    @property
    def verdict(self):
        if not self.target:
            return ""
        return "ok" if (self.ratio >= self.ratio_target if self.ratio_target else self.ours < self.limit) else "MISS"


def run_process(command):
    """From the start of a process to its end, without a shell between: (seconds, seconds of CPU)."""
    begin = time.perf_counter()
    pid = os.posix_spawnp(command[0], command, os.environ)
    _, status, usage = os.wait4(pid, 0)
    seconds = time.perf_counter() - begin
    if status != 0:
        raise RuntimeError(f"{' '.join(command)} failed with {status}")
    return seconds, usage.ru_utime + usage.ru_stime


def process_seconds(command):
    return run_process(command)[0]


def cpu_seconds(pid):
    """The CPU time of a running process, all threads. Source: the id that clock_getcpuclockid(3) makes of a pid.

    Unlike time, it hardly depends on what else the machine does.
    """
    return time.clock_gettime(~pid << 3 | 2)


def ms(values):
    return median(values) * 1000


def screen(stage, counts, notes):
    daemon = stage.start_daemon()
    socket = clients.WebSocket(daemon.port, TOKEN)
    shots = {"scrot": ["scrot", "-o", f"{stage.folder}/scrot.png"],
             "import": ["import", "-window", "root", f"{stage.folder}/import.png"],
             "maim": ["maim", f"{stage.folder}/maim.png"]}
    _, reply = socket.timed("screenshot", {"cursor": False})
    picture = stage.folder / "ours.png"
    picture.write_bytes(base64.b64decode(json.loads(reply)["result"]["content"][1]["data"]))
    for command in shots.values():
        process_seconds(command)
    different = subprocess.run(["compare", "-metric", "AE", picture, stage.folder / "scrot.png", "null:"],
                               stderr=subprocess.PIPE, env=stage.environment).stderr.decode()
    sizes = ", ".join([f"ours {picture.stat().st_size >> 10} kB"] +
                      [f"{name} {os.path.getsize(command[-1]) >> 10} kB" for name, command in shots.items()])
    notes.append(f"screenshot: {WIDTH}x{HEIGHT}; {sizes}; pixels that differ between ours and scrot's: {different}")

    ours, peers = {name: [] for name in shots}, {name: [] for name in shots}
    our_cpu, peer_cpu = [], []
    for _ in range(counts.screenshots):
        for name, command in shots.items():
            before = cpu_seconds(daemon.pid)
            seconds, reply = socket.timed("screenshot", {})
            ours[name].append(seconds)
            our_cpu.append(cpu_seconds(daemon.pid) - before)
            seconds, cpu = run_process(command)
            peers[name].append(seconds)
            if name == "scrot":
                peer_cpu.append(cpu)
    notes.append(f"client: reading a reply of {len(reply) >> 10} kB costs it {clients.reading_cost(len(reply)) * 1000:.2f} ms "
                 "of ours; it is not subtracted")
    socket.close()
    daemon.stop()
    targets = {"scrot": 5}
    return [Row("screenshot to PNG", "ms", ms(ours[name]), ms(peers[name]), name, targets.get(name)) for name in shots] + [
        Row("screenshot to PNG, CPU", "ms", ms(our_cpu), ms(peer_cpu), "scrot")]


def pointer(stage, counts, notes):
    daemon = stage.start_daemon()
    socket = clients.WebSocket(daemon.port, TOKEN)
    at = {"x": 100, "y": 100, "settle_ms": 0}
    times = {name: [] for name in ("ping", "move", "xdotool move", "click", "released", "xdotool click", "xdotool click --delay 0",
                                  "true")}
    for _ in range(counts.clicks):
        times["ping"].append(socket.timed("ping", {})[0])
        times["move"].append(socket.timed("move", at)[0])
        times["xdotool move"].append(process_seconds(["xdotool", "mousemove", "100", "100"]))
        clicked = socket.timed("click", at)[0]
        # The display holds this until it has released the button, on its own clock.
        released = socket.timed("move", at)[0]
        times["click"].append(clicked)
        times["released"].append(clicked + released)
        times["xdotool click"].append(process_seconds(["xdotool", "mousemove", "100", "100", "click", "1"]))
        times["xdotool click --delay 0"].append(
            process_seconds(["xdotool", "mousemove", "100", "100", "click", "--delay", "0", "1"]))
        times["true"].append(process_seconds(["true"]))
    socket.close()
    daemon.stop()
    notes.append(f"client: a ping over the same connection takes {ms(times['ping']):.3f} ms, client included; "
                 f"a process that does nothing (true) takes {ms(times['true']):.2f} ms")
    notes.append("click: answered when the display has taken the press; the display itself releases the button 35 ms "
                 "later (programs that poll miss shorter ones), and \"until released\" adds a move, which it answers after "
                 "that. xdotool holds the button for 12 us and then, without --delay 0, sleeps 100 ms")
    default, quickest = ms(times["xdotool click"]), ms(times["xdotool click --delay 0"])
    return [
        Row("move the pointer", "ms", ms(times["move"]), ms(times["xdotool move"]), "xdotool mousemove"),
        Row("click", "ms", ms(times["click"]), default, "xdotool mousemove click", 100),
        Row("click", "ms", ms(times["click"]), quickest, "xdotool mousemove click --delay 0"),
        Row("click, until released", "ms", ms(times["released"]), default, "xdotool mousemove click"),
        Row("click, until released", "ms", ms(times["released"]), quickest, "xdotool mousemove click --delay 0"),
    ]


def wrk(server, connections, seconds, tool, arguments):
    headers = [f"{name}: {value}" for name, value in server.headers.items()]
    out = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", "bench/call.lua", f"http://127.0.0.1:{server.port}/mcp",
         "--", *headers, tool, json.dumps(arguments)], capture_output=True, text=True, check=True).stdout
    line = next(line for line in out.splitlines() if line.startswith("RESULT "))
    result = json.loads(line[7:])
    if result["errors"] or not result["requests"]:
        raise RuntimeError(f"wrk saw {result['errors']} errors: {out}")
    return result


def check_call(server, tool, arguments, expected):
    """One call outside the measurement: wrk looks only at the status."""
    _, _, body = clients.post(server.port, "/mcp", {
        "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}, server.headers)
    if expected not in json.dumps(body) or body["result"].get("isError"):
        raise RuntimeError(f"{tool} answered {body}")
    return len(json.dumps(body))


def calls(stage, counts, notes):
    (stage.home / "hello.txt").write_text("hello world\n")
    daemon, everything = stage.start_daemon(), stage.start_everything()
    sides = {"ours": (daemon, "read_file", {"path": "hello.txt"}),
             "peer": (everything, "echo", {"message": "hello world"})}
    for server, tool, arguments in sides.values():
        wrk(server, 16, counts.wrk_seconds, tool, arguments)  # not counted: node compiles what is hot
    results = {(side, connections): [] for side in sides for connections in (1, 16)}
    for _ in range(counts.wrk_rounds):
        for connections in (1, 16):
            for side, (server, tool, arguments) in sides.items():
                check_call(server, tool, arguments, "hello world")
                before = cpu_seconds(server.pid)
                results[side, connections].append(wrk(server, connections, counts.wrk_seconds, tool, arguments))
                results[side, connections][-1]["cpu"] = cpu_seconds(server.pid) - before
    sizes = [check_call(server, tool, arguments, "hello world") for server, tool, arguments in sides.values()]
    daemon.stop()
    everything.stop()
    bytes_per_reply = [round(median(r["bytes"] / r["requests"] for r in results[side, 1])) for side in sides]
    notes.append("calls: on a busy machine the peer, which is bound by one core, loses more than ours: the CPU rows "
                 "hardly depend on that")
    notes.append(f"calls: /mcp, ours read_file of a 12-byte file with the token checked ({sizes[0]} bytes of JSON, "
                 f"{bytes_per_reply[0]} on the wire), peer echo without a token ({sizes[1]}, {bytes_per_reply[1]}); wrk has one thread")
    rows = []
    for connections in (1, 16):
        name = f"call over /mcp, {connections} connection{'s' * (connections > 1)}"
        rate = [median(r["requests"] / r["duration_us"] * 1e6 for r in results[side, connections]) for side in sides]
        latency = [median(r["median_us"] / 1000 for r in results[side, connections]) for side in sides]
        rows.append(Row(name, "calls/s", *rate, "server-everything", 10 if connections == 16 else None, more_is_better=True))
        cpu = [median(r["cpu"] / r["requests"] * 1000 for r in results[side, connections]) for side in sides]
        rows.append(Row(f"{name}, median latency", "ms", *latency, "server-everything"))
        rows.append(Row(f"{name}, CPU per call", "ms", *cpu, "server-everything"))
    return rows


def start(stage, counts, notes):
    ours, peer, announced, memory = [], [], [], {"ours": [], "peer": []}
    for _ in range(counts.starts):
        daemon = stage.start_daemon()
        ours.append(daemon.seconds)
        announced.append(daemon.announced)
        memory["ours"].append(resident_mb(daemon.pid))
        daemon.stop()
        everything = stage.start_everything()
        peer.append(everything.seconds)
        memory["peer"].append(resident_mb(everything.pid))
        everything.stop()
    notes.append(f"start: until /readyz is 200 with the display checked; the ready line comes after {ms(announced):.1f} ms. "
                 "The peer: until initialize is answered")
    return [Row("start until ready", "ms", ms(ours), ms(peer), "server-everything", limit=300),
            Row("memory, idle", "MB", median(memory["ours"]), median(memory["peer"]), "server-everything", limit=40)]


def memory(stage, counts, notes):
    daemon, everything = stage.start_daemon(), stage.start_everything()
    peer = resident_mb(everything.pid)
    everything.stop()
    socket = clients.WebSocket(daemon.port, TOKEN)
    for _ in range(20):
        socket.timed("screenshot", {})
    early = resident_mb(daemon.pid)
    for _ in range(counts.memory_screenshots - 20):
        socket.timed("screenshot", {})
    late = resident_mb(daemon.pid)
    socket.close()
    daemon.stop()
    notes.append(f"memory: {early:.1f} MB after 20 screenshots, {late:.1f} MB after {counts.memory_screenshots}; "
                 f"8.1 MB of it are the picture that the X server shares")
    name = f"{counts.memory_screenshots} screenshots"
    return [Row(f"memory after {name}", "MB", late, peer, "server-everything, idle"),
            Row(f"growth from the 20th to {name}", "MB", max(late - early, 0), None, "-", limit=4)]
