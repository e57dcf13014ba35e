"""The measurements. Each takes the stage and the counts and returns rows; ours and the peer alternate (A B A B)."""

import base64
import json
import os
import random
import statistics
import struct
import subprocess
import time
import zlib

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


class Call:
    """One tools/call to one server; `modern` sends the envelope and the headers of revision 2026-07-28."""

    def __init__(self, server, tool, arguments, expected, modern=False):
        self.server, self.expected = server, expected
        self.headers = dict(server.headers)
        self.params = {"name": tool, "arguments": arguments}
        if modern:
            self.headers |= {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": tool}
            self.params["_meta"] = {"io.modelcontextprotocol/protocolVersion": "2026-07-28",
                                    "io.modelcontextprotocol/clientInfo": {"name": "selfagent-bench", "version": "0"},
                                    "io.modelcontextprotocol/clientCapabilities": {}}

    def wrk(self, connections, seconds):
        """Calls as often as it goes; adds the server's CPU time."""
        headers = [f"{name}: {value}" for name, value in self.headers.items()]
        before = cpu_seconds(self.server.pid)
        out = subprocess.run(
            ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", "bench/call.lua",
             f"http://127.0.0.1:{self.server.port}/mcp", "--", *headers, json.dumps(self.params)],
            capture_output=True, text=True, check=True).stdout
        line = next(line for line in out.splitlines() if line.startswith("RESULT "))
        result = json.loads(line[7:])
        if result["errors"] or not result["requests"]:
            raise RuntimeError(f"wrk saw {result['errors']} errors: {out}")
        result["cpu"] = cpu_seconds(self.server.pid) - before
        return result

    def check(self):
        """One call outside the measurement, because wrk looks only at the status. Returns the answer's size."""
        _, _, body = clients.post(self.server.port, "/mcp", {
            "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": self.params}, self.headers)
        text = json.dumps(body)
        if self.expected not in text or body["result"].get("isError"):
            raise RuntimeError(f"{self.params['name']} answered {text[:2000]}")
        return len(text)


def side_by_side(sides, counts):
    """wrk's results for each of `sides` (name: Call) at 1 and 16 connections, in turns."""
    for call in sides.values():
        call.wrk(16, counts.wrk_seconds)  # not counted: node compiles what is hot
    results = {(side, connections): [] for side in sides for connections in (1, 16)}
    for _ in range(counts.wrk_rounds):
        for connections in (1, 16):
            for side, call in sides.items():
                call.check()
                results[side, connections].append(call.wrk(connections, counts.wrk_seconds))
    return results


def rates(name, results, peer_name, rate_targets, latency_targets):
    """Rows of calls/s, latency and CPU; the targets are ratios by the number of connections."""
    rows = []
    for connections in (1, 16):
        at = f"{name}, {connections} connection{'s' * (connections > 1)}"
        ours_and_peer = [results[side, connections] for side in ("ours", "peer")]
        rate = [median(r["requests"] / r["duration_us"] * 1e6 for r in side) for side in ours_and_peer]
        latency = [median(r["median_us"] / 1000 for r in side) for side in ours_and_peer]
        cpu = [median(r["cpu"] / r["requests"] * 1000 for r in side) for side in ours_and_peer]
        rows += [Row(at, "calls/s", *rate, peer_name, rate_targets.get(connections), more_is_better=True),
                 Row(f"{at}, median latency", "ms", *latency, peer_name, latency_targets.get(connections)),
                 Row(f"{at}, CPU per call", "ms", *cpu, peer_name)]
    return rows


def calls(stage, counts, notes):
    (stage.home / "hello.txt").write_text("hello world\n")
    daemon, everything = stage.start_daemon(), stage.start_everything()
    sides = {"ours": Call(daemon, "read_file", {"path": "hello.txt"}, "hello world"),
             "peer": Call(everything, "echo", {"message": "hello world"}, "hello world")}
    results = side_by_side(sides, counts)
    sizes = [call.check() for call in sides.values()]
    daemon.stop()
    everything.stop()
    bytes_per_reply = [round(median(r["bytes"] / r["requests"] for r in results[side, 1])) for side in sides]
    notes.append("calls: on a busy machine the peer, which is bound by one core, loses more than ours: the CPU rows "
                 "hardly depend on that")
    notes.append(f"calls: /mcp, ours read_file of a 12-byte file with the token checked ({sizes[0]} bytes of JSON, "
                 f"{bytes_per_reply[0]} on the wire), peer echo without a token ({sizes[1]}, {bytes_per_reply[1]}); wrk has one thread")
    return rates("call over /mcp", results, "server-everything", {16: 20}, {1: 10})


PICTURE_BYTES = 192 << 10


def noise_png():
    """A PNG of exactly PICTURE_BYTES: noise, which does not shrink, and a text chunk that fills up the rest."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    noise, width, height = random.Random(7), 256, 255
    rows = b"".join(b"\0" + noise.randbytes(width * 3) for _ in range(height))
    begin = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    end = chunk(b"IDAT", zlib.compress(rows, 0)) + chunk(b"IEND", b"")
    filler = PICTURE_BYTES - len(begin) - len(end) - len(chunk(b"tEXt", b""))
    return begin + chunk(b"tEXt", b"Comment\0".ljust(filler, b".")) + end


def pictures(stage, counts, notes):
    path = stage.home / "picture.png"
    path.write_bytes(noise_png())
    expected = base64.b64encode(path.read_bytes()).decode()
    daemon, peer = stage.start_daemon(), stage.start_image_server(path)
    sides = {"ours": Call(daemon, "read_file", {"path": "picture.png"}, expected, modern=True),
             "peer": Call(peer, "picture", {}, expected, modern=True)}
    results = side_by_side(sides, counts)
    memory = [resident_mb(server.pid) for server in (daemon, peer)]
    daemon.stop()
    peer.stop()
    notes.append(f"pictures: the same {PICTURE_BYTES:,} bytes of PNG as an image block, revision 2026-07-28 on both sides; "
                 "ours read_file, which reads and encodes the file for each call, peer @modelcontextprotocol/server "
                 f"(createMcpHandler), which has it encoded; resident afterwards: {memory[0]:.0f} and {memory[1]:.0f} MB")
    return rates("192 KiB picture over /mcp", results, "TypeScript SDK v2", {1: 20, 16: 20}, {})


def endurance(stage, counts, notes):
    """Memory after many calls beside memory after the first: what a leak of a few bytes per call would show."""
    (stage.home / "hello.txt").write_text("hello world\n")
    daemon = stage.start_daemon()
    call = Call(daemon, "read_file", {"path": "hello.txt"}, "hello world")

    def until_called(count, done, seconds):
        while done < count:
            done += call.wrk(16, seconds)["requests"]
        return done

    first = until_called(counts.warm_calls, 0, 1)
    early = resident_mb(daemon.pid)
    total = until_called(counts.endurance_calls, first, 5)
    late = resident_mb(daemon.pid)
    call.check()
    daemon.stop()
    notes.append(f"endurance: {early:.1f} MB resident after {first:,} calls, {late:.1f} MB after {total:,}, 16 connections")
    return [Row(f"growth over {counts.endurance_calls:,} calls", "MB", max(late - early, 0), None, "-", limit=4)]


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
