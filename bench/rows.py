"""The measurements. Each takes the stage and the counts and returns rows; ours and the peer alternate (A B A B)."""

import base64
import json
import os
import random
import re
import sqlite3
import statistics
import struct
import subprocess
import time
import zlib
from pathlib import Path

import clients
import paint
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


def wait_for_rest(pids, seconds=1, still=0.005):
    """Until none of the processes has run for a moment: what one does after its answer must not slow down the other."""
    deadline = time.monotonic() + seconds
    used = None
    while time.monotonic() < deadline:
        before, used = used, sum(cpu_seconds(pid) for pid in pids)
        if used == before:
            return
        time.sleep(still)


def ms(values):
    return median(values) * 1000


# What changes between two pictures: nothing, a line of text in the first terminal, everything.
CHANGES = {"unchanged": None, "one line changed": (60, 100, 500, 14), "all changed": (0, 0, WIDTH, HEIGHT)}


def screen(stage, counts, notes):
    daemon = stage.start_daemon()
    socket = clients.WebSocket(daemon.port, TOKEN)
    painter = paint.Painter(stage.display)
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
    # What libpng writes by itself: level 6, a filter for each row.
    level_6 = stage.folder / "level-6.png"
    subprocess.run(["convert", picture, "-define", "png:compression-level=6", "-define", "png:compression-filter=5",
                    f"png24:{level_6}"], check=True, env=stage.environment)
    sizes = ", ".join([f"ours {picture.stat().st_size >> 10} kB"] +
                      [f"{name} {os.path.getsize(command[-1]) >> 10} kB" for name, command in shots.items()])
    notes.append(f"screenshot: {WIDTH}x{HEIGHT}; {sizes}; pixels that differ between ours and scrot's: {different}")

    ours, peers, cpu = {change: [] for change in CHANGES}, {name: [] for name in shots}, []
    for _ in range(counts.screenshots):
        for name, command in shots.items():
            peers[name].append(process_seconds(command))
            for change, area in CHANGES.items():
                for _ in range(1 if area else 10):
                    if area:
                        painter.turn(*area)
                    before = cpu_seconds(daemon.pid)
                    seconds, reply = socket.timed("screenshot", {})
                    ours[change].append(seconds)
                    if change == "all changed":
                        cpu.append(cpu_seconds(daemon.pid) - before)
    notes.append(f"screenshot: over /ws with base64; reading a reply of {len(reply) >> 10} kB costs the client "
                 f"{clients.reading_cost(len(reply)) * 1000:.2f} ms of ours; it is not subtracted. CPU of ours when all "
                 f"changed: {ms(cpu):.1f} ms. The peers take a new picture each time, whatever changed")
    painter.close()
    socket.close()
    daemon.stop()
    targets = {("all changed", "scrot"): 10, ("all changed", "import"): 20, ("one line changed", "scrot"): 40,
               ("unchanged", "scrot"): 300}
    rows = [Row(f"screenshot, {change}", "ms", ms(ours[change]), ms(peers[name]), name, targets.get((change, name)))
            for change in CHANGES for name in shots if (change, name) in targets or change == "all changed"]
    rate = 1 / median(ours["unchanged"])
    return rows + [
        Row("screenshot, unchanged", "ms", ms(ours["unchanged"]), None, f"{rate:,.0f} a second", limit=1),
        Row("PNG size", "kB", picture.stat().st_size / 1024, level_6.stat().st_size / 1024, "libpng level 6", 0.87)]


def quiet(stage, counts, notes):
    """What the daemon costs when nobody asks: with a still screen, and while a part like a video changes 60 times a second."""
    daemon = stage.start_daemon()
    socket = clients.WebSocket(daemon.port, TOKEN)
    socket.timed("screenshot", {})
    painter = paint.Painter(stage.display)
    begin, before = time.monotonic(), cpu_seconds(daemon.pid)
    time.sleep(counts.quiet_seconds)
    still = 100 * (cpu_seconds(daemon.pid) - before) / (time.monotonic() - begin)
    begin, before, frames = time.monotonic(), cpu_seconds(daemon.pid), 0
    while time.monotonic() < begin + counts.quiet_seconds:
        painter.turn(640, 300, 640, 360)
        frames += 1
        time.sleep(max(0, begin + frames / 60 - time.monotonic()))
    video = 100 * (cpu_seconds(daemon.pid) - before) / (time.monotonic() - begin)
    if frames % 2:
        painter.turn(640, 300, 640, 360)
    painter.close()
    socket.close()
    daemon.stop()
    return [Row("CPU of a core, nobody asks, still screen", "%", still, None, "-", limit=0.1),
            Row(f"CPU of a core, nobody asks, {frames / counts.quiet_seconds:.0f} frames a second of 640x360", "%", video,
                None, "-", limit=3)]


def pointer(stage, counts, notes):
    daemon = stage.start_daemon()
    socket = clients.WebSocket(daemon.port, TOKEN)
    xdotool = ["xdotool", "mousemove", "5", "5"]
    # On the desktop nobody answers a click; a window manager and a terminal do, on the same two processors.
    places = {"desktop": {"x": 5, "y": 5, "settle_ms": 0}, "terminal": {"x": 100, "y": 100, "settle_ms": 0}}
    times = {name: [] for name in ("ping", "move", *places, "released", "rested", "xdotool move", "xdotool click",
                                  "xdotool click --delay 0", "scroll", "true")}
    for _ in range(counts.clicks):
        # Ours follow each other, so that what a peer leaves to be done when it ends does not run into them.
        times["ping"].append(socket.timed("ping", {})[0])
        for place, at in places.items():
            times["move"].append(socket.timed("move", at)[0])
            clicked = socket.timed("click", at)[0]
            # The display holds this until it has released the button, on its own clock.
            released = socket.timed("move", at)[0]
            times[place].append(clicked)
            times["released"].append(clicked + released)
        time.sleep(0.05)
        times["rested"].append(socket.timed("click", places["desktop"])[0])
        socket.timed("move", places["desktop"])
        times["scroll"].append(socket.timed("scroll", {"x": 400, "y": 300, "dy": 10, "settle_ms": 0})[0])
        times["xdotool move"].append(process_seconds(xdotool))
        times["xdotool click"].append(process_seconds([*xdotool, "click", "1"]))
        times["xdotool click --delay 0"].append(process_seconds([*xdotool, "click", "--delay", "0", "1"]))
        times["true"].append(process_seconds(["true"]))
    socket.close()
    daemon.stop()
    notes.append(f"client: a ping over the same connection takes {ms(times['ping']):.3f} ms, client included; "
                 f"a process that does nothing (true) takes {ms(times['true']):.2f} ms")
    notes.append("click: on the desktop, after a move; into a terminal, where the window manager and the terminal act on it, "
                 f"it takes {ms(times['terminal']):.3f} ms; after a rest of 50 ms, when idle processors must be woken, "
                 f"{ms(times['rested']):.3f} ms. It is answered when the display has taken the press; the display itself "
                 "releases the button 35 ms later (programs that poll miss shorter ones), and \"until released\" adds a move, "
                 "which it answers after that. xdotool holds the button for 12 us and then, without --delay 0, sleeps 100 ms")
    default, quickest = ms(times["xdotool click"]), ms(times["xdotool click --delay 0"])
    return [
        Row("move the pointer", "ms", ms(times["move"]), ms(times["xdotool move"]), "xdotool mousemove"),
        Row("click", "ms", ms(times["desktop"]), default, "xdotool mousemove click", 500),
        Row("click", "ms", ms(times["desktop"]), quickest, "xdotool mousemove click --delay 0"),
        Row("click, until released", "ms", ms(times["released"]), default, "xdotool mousemove click"),
        Row("click, until released", "ms", ms(times["released"]), quickest, "xdotool mousemove click --delay 0"),
        Row("scroll ten notches", "ms", ms(times["scroll"]), None, "-", limit=200),
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
    daemon, everything = stage.start_daemon("--conformance"), stage.start_everything()
    fixed = "This is a simple text response for testing."
    # A tool that answers with a text on both sides; and one that reads a file, for which the peer has no counterpart.
    sides = {"ours": Call(daemon, "test_simple_text", {}, fixed),
             "peer": Call(everything, "echo", {"message": fixed}, fixed)}
    results = side_by_side(sides, counts)
    sizes = [call.check() for call in sides.values()]
    reading = side_by_side({"ours": Call(daemon, "read_file", {"path": "hello.txt"}, "hello world")}, counts)
    daemon.stop()
    everything.stop()
    bytes_per_reply = [round(median(r["bytes"] / r["requests"] for r in results[side, 1])) for side in sides]
    notes.append("calls: on a busy machine the peer, which is bound by one core, loses more than ours: the CPU rows "
                 "hardly depend on that")
    notes.append(f"calls: /mcp, ours test_simple_text of --conformance with the token checked ({sizes[0]} bytes of JSON, "
                 f"{bytes_per_reply[0]} on the wire), peer echo without a token ({sizes[1]}, {bytes_per_reply[1]}); wrk has one thread")
    reading_and_peer = {("ours", n): reading["ours", n] for n in (1, 16)} | {("peer", n): results["peer", n] for n in (1, 16)}
    return (rates("call over /mcp", results, "server-everything", {16: 20}, {1: 10}) +
            rates("read_file over /mcp", reading_and_peer, "server-everything echo", {}, {}))


# A person's little job. The names are those of the daemon's tools; IN_EDITOR is where the editor's window turns out to be.
IN_EDITOR = object()
TERMINAL = "xterm -fa Monospace -fs 10 -geometry 80x20+700+300 -T job"
EDITOR = "mousepad --disable-server notes.txt"
TASK = [("launch", TERMINAL), ("click", (900, 420)), ("type", r"printf 'one\ntwo\n' > notes.txt"), ("key", "Return"),
        ("launch", EDITOR), ("click", IN_EDITOR), ("key", "ctrl+End"), ("type", "three"), ("key", "ctrl+s"), ("key", "ctrl+o"),
        ("key", "Escape")]


def task(stage, counts, notes):
    """The same steps on the same desktop: ours with each action's own settling and picture, the peer with a sleep and scrot."""
    daemon = stage.start_daemon()
    socket = clients.WebSocket(daemon.port, TOKEN)

    def call(name, params):
        return json.loads(socket.timed(name, params)[1])["result"]

    def editor_middle():
        windows = call("windows", {})["structuredContent"]["windows"]
        window = next(window for window in windows if "notes" in window["title"])
        return window["x"] + window["width"] // 2, window["y"] + window["height"] // 2

    def clear():
        stage.end_programs(TERMINAL.split()[0] + " -fa Monospace -fs 10", "mousepad")
        (stage.home / "notes.txt").unlink(missing_ok=True)
        call("move", {"x": 5, "y": 5})
        stage.wait_for_still_screen()

    def ours():
        middle = None
        begin = time.perf_counter()
        for tool, what in TASK:
            if what is IN_EDITOR:
                what = middle = editor_middle()
            params = {"launch": lambda: {"command": what}, "type": lambda: {"text": what}, "key": lambda: {"keys": what},
                      "click": lambda: {"x": what[0], "y": what[1]}}[tool]()
            call(tool, {**params, "screenshot": True})
        return time.perf_counter() - begin, middle

    def peer(pause, middle):
        begin = time.perf_counter()
        for tool, what in TASK:
            if tool == "launch":
                stage.spawn(*what.split())
            elif tool == "click":
                x, y = middle if what is IN_EDITOR else what
                process_seconds(["xdotool", "mousemove", str(x), str(y), "click", "1"])
            elif tool == "type":
                process_seconds(["xdotool", "type", what])
            else:
                process_seconds(["xdotool", "key", what])
            time.sleep(pause)
            process_seconds(["scrot", "-o", f"{stage.folder}/step.png"])
        return time.perf_counter() - begin

    def final(name):
        path = stage.folder / f"final-{name}.png"
        subprocess.run(["scrot", "-o", path], check=True, env=stage.environment)
        assert (stage.home / "notes.txt").read_text() == "one\ntwo\nthree", f"{name}: the job was not done"
        return path

    times = {"ours": [], 2.0: [], 0.5: []}
    differing = []
    for _ in range(counts.tasks):
        clear()
        seconds, middle = ours()
        times["ours"].append(seconds)
        mine = final("ours")
        for pause in (2.0, 0.5):
            clear()
            times[pause].append(peer(pause, middle))
            theirs = final(f"{pause}")
            differing.append(subprocess.run(["compare", "-metric", "AE", mine, theirs, "null:"], stderr=subprocess.PIPE,
                                            env=stage.environment).stderr.decode())
    clear()
    socket.close()
    daemon.stop()
    notes.append(f"task: {len(TASK)} steps (terminal, typing, editor, saving, file dialog), a picture after each; pixels of the "
                 f"final screen that differ from the peer's: {', '.join(differing)} (a caret blinks)")
    return [Row(f"task of {len(TASK)} steps", "ms", ms(times["ours"]), ms(times[2.0]), "xdotool, 2 s sleeps, scrot", 8),
            Row(f"task of {len(TASK)} steps", "ms", ms(times["ours"]), ms(times[0.5]), "xdotool, 0.5 s sleeps, scrot", 3)]


# What one picture costs a model that takes patches of 28 pixels, about.
PICTURE_TOKENS = 1_500


def model_answer(turn):
    """What an instant model says: a click, a line of text and Return in turns, and a word at the end."""
    message = {"role": "assistant", "content": "Done."}
    if turn is not None:
        tool, arguments = [("click", {"x": 900, "y": 420}), ("type", {"text": f"echo line {turn}"}), ("key", {"keys": "Return"})][turn % 3]
        function = {"name": tool, "arguments": json.dumps(arguments)}
        message = {"role": "assistant", "content": None, "tool_calls": [{"id": f"call_{turn}", "type": "function", "function": function}]}
    return {"id": "a", "object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}


def tokens_of(message):
    parts = message["content"] if isinstance(message["content"], list) else [{"text": message["content"] or ""}]
    texts = sum(len(part.get("text", "")) // 4 + 4 for part in parts)
    return texts + len(json.dumps(message.get("tool_calls", ""))) // 4 + PICTURE_TOKENS * sum("image_url" in part for part in parts)


def fresh_tokens(requests):
    """How many times the tokens of a history that is only ever appended to a server reads that keeps the prefix of the last prompt."""
    fresh, before = 0, []
    for messages in requests:
        same = next((at for at, (one, other) in enumerate(zip(messages, before)) if one != other), min(len(messages), len(before)))
        fresh += sum(tokens_of(message) for message in messages[same:])
        before = messages
    left = json.dumps(requests[-1]).count("no longer shown")
    return fresh / (sum(tokens_of(message) for message in requests[-1]) + left * PICTURE_TOKENS)


def planner_run(stage, steps):
    """A run of the planner in the terminal with a model that answers at once.

    Returns the milliseconds of a step, those of them that are no tool's, and the messages of each request.
    """
    with clients.InstantModel([model_answer(turn) for turn in range(steps)] + [model_answer(None)]) as model:
        daemon = stage.start_daemon(environment={"LLM_API_BASE_URL": model.url, "LLM_MODEL": "instant",
                                                 "LLM_COORDINATES": "absolute"})
        socket = clients.WebSocket(daemon.port, TOKEN)
        socket.timed("launch", {"command": TERMINAL})
        stage.wait_for_still_screen()
        job = clients.json_of(daemon.port, "POST", "/api/chat", daemon.headers, {"prompt": "Work in the terminal."})
        events = clients.stored_events(daemon.port, f"/jobs/{job['job_id']}/events", daemon.headers)
        socket.close()
        daemon.stop()
        stage.end_programs(TERMINAL.split()[0] + " -fa Monospace -fs 10")
    end = next(event for event in events if event["kind"] == "run_finished")
    assert end["state"] == "succeeded" and end["steps"] == steps + 1, end
    tools = sum(event["elapsed_ms"] for event in events if event["kind"] == "action_result")
    return end["elapsed_ms"] / steps, (end["elapsed_ms"] - tools) / steps, [json.loads(request)["messages"] for request in model.requests]


def planner(stage, counts, notes):
    whole, own = [], []
    for _ in range(counts.tasks):
        step, rest, _ = planner_run(stage, 30)
        whole.append(step)
        own.append(rest)
    _, _, requests = planner_run(stage, 100)
    notes.append("planner: clicks, typing and Return in a terminal, a picture after each; the model answers at once, and what it "
                 "takes (some ms) is in both rows; tokens as a server counts that keeps the prefix of the last prompt")
    return [Row("planner: a step of 30", "ms", median(whole), None, "-", limit=150),
            Row("planner: of it neither tool nor settling", "ms", median(own), None, "-", limit=15),
            Row("planner: fresh tokens over 100 steps", "of appending", fresh_tokens(requests), None, "-", limit=1.4)]


def keepers():
    """The pids of the programs that stand between the daemon and what it has started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/comm"):
        try:
            if path.read_text() == "selfagent-keep\n":
                found.append(int(path.parent.name))
        except OSError:
            pass  # it has ended
    return found


def highest_resident_mb(pid):
    return int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024


def code(stage, counts, notes):
    """A kernel from nothing to its first result, and a call in one that is warm."""
    daemon = stage.start_daemon()
    socket = clients.WebSocket(daemon.port, TOKEN)

    def run(language, text, **more):
        seconds, answer = socket.timed("run_code", {"language": language, "code": text, **more})
        result = json.loads(answer)["result"]
        assert not result.get("isError") and result["content"][0]["text"].endswith(": 2"), result
        return seconds

    found = []
    for language, text in {"python": "1 + 1", "typescript": "(1 as number) + 1"}.items():
        cold = [run(language, text, restart=True) for _ in range(counts.starts)]
        warm = [run(language, text) for _ in range(counts.clicks)]
        notes.append(f"run_code: {language}, of {len(warm)} warm calls the slowest took {max(warm) * 1000:.1f} ms")
        found += [Row(f"run_code, {language}, first result from a cold start", "ms", ms(cold), None, "-", limit=1500),
                  Row(f"run_code, {language}, warm", "ms", ms(warm), None, "-", limit=10)]
    socket.close()
    daemon.stop()
    return found


def programs(stage, counts, notes):
    daemon = stage.start_daemon()
    socket = clients.WebSocket(daemon.port, TOKEN)
    commander = stage.start_commander()

    def call(name, params):
        seconds, answer = socket.timed(name, params)
        return seconds, json.loads(answer)["result"]["structuredContent"]

    def theirs():
        seconds, result = commander.timed("tools/call", {"name": "start_process", "arguments": {"command": "true", "timeout_ms": 5000}})
        return seconds, result["content"][0]["text"]

    times = {"ours": [], "peer": [], "bash": []}
    both = [daemon.pid, commander.process.pid]
    for turn in range(counts.clicks + 3):
        wait_for_rest(both)
        ours, result = call("shell", {"command": "true"})
        assert result["exit_code"] == 0 and not result["still_running"], result
        wait_for_rest(both)
        peer, text = theirs()
        wait_for_rest(both)
        bash = process_seconds(["bash", "-c", "true"])
        if turn >= 3:  # node compiles what is hot
            times["ours"].append(ours)
            times["peer"].append(peer)
            times["bash"].append(bash)
    commander.process.kill()
    commander.process.wait()
    notes.append(f"shell: bash -c true alone takes {ms(times['bash']):.2f} ms; desktop-commander's answer was {text.splitlines()[-1]!r}")

    before = highest_resident_mb(daemon.pid)
    gib = [call("shell", {"command": "head -c 1073741824 /dev/zero", "timeout_ms": 120_000}) for _ in range(2)]
    assert all(result["stdout_bytes"] == 1 << 30 and result["exit_code"] == 0 for _, result in gib), gib
    growth = highest_resident_mb(daemon.pid) - before

    for _ in range(counts.sleepers):
        call("shell", {"command": "exec sleep 1000", "timeout_ms": 1})
    time.sleep(1)
    watched = [daemon.pid, *keepers()]
    begin, used = time.perf_counter(), sum(cpu_seconds(pid) for pid in watched)
    time.sleep(counts.quiet_seconds)
    percent = (sum(cpu_seconds(pid) for pid in watched) - used) / (time.perf_counter() - begin) * 100
    status = [Path(f"/proc/{pid}/status").read_text() for pid in watched[1:]]
    own = median(int(re.search(r"RssAnon:\s+(\d+)", text)[1]) for text in status)
    shared = median(int(re.search(r"RssFile:\s+(\d+)", text)[1]) for text in status)
    assert len(status) == counts.sleepers, len(status)
    notes.append(f"programs: a keeper has {own:.0f} kB of its own beside {shared:.0f} kB of code that all share")
    socket.close()
    daemon.stop()
    return [Row("shell, true", "ms", ms(times["ours"]), ms(times["peer"]), "desktop-commander start_process", 5),
            Row("shell, true", "ms", ms(times["ours"]), None, "-", limit=3),
            Row("shell, 1 GiB of output", "s", median(seconds for seconds, _ in gib), None, "-", limit=2.56),
            Row("shell, 1 GiB of output, memory of the daemon", "MB", max(growth, 0), None, "-", limit=64),
            Row(f"{counts.sleepers:,} sleeping programs, CPU of a core", "%", percent, None, "-", limit=1)]


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
                 "ours read_file, which looks at the file for each call and keeps the picture encoded while it stays the same, "
                 f"peer @modelcontextprotocol/server (createMcpHandler), which has it encoded; resident afterwards: {memory[0]:.0f} and {memory[1]:.0f} MB")
    return rates("192 KiB picture over /mcp", results, "TypeScript SDK v2", {16: 20}, {})


def files(stage, counts, notes):
    """One large file down and up, the same curl on both sides; bytes that went up are compared."""
    size = counts.file_mib << 20
    daemon, nginx = stage.start_daemon(), stage.start_nginx()
    block = random.Random(11).randbytes(1 << 20)
    source = stage.home / "large.bin"
    with source.open("wb") as out:
        for _ in range(counts.file_mib):
            out.write(block)
    sides = {"ours": (f"http://127.0.0.1:{daemon.port}/files", ["-H", f"Authorization: Bearer {TOKEN}"], daemon),
             "peer": (f"http://127.0.0.1:{nginx.port}", [], nginx)}
    rates = {(side, way): [] for side in sides for way in ("download", "upload")}
    cpu = {key: [] for key in rates}
    before = highest_resident_mb(daemon.pid)

    def warm():
        """Memory that a virtual machine touches for the first time costs ten times as much: whoever comes first would pay."""
        scratch = stage.home / "scratch"
        with scratch.open("wb") as out:
            for _ in range(counts.file_mib):
                out.write(block)
        scratch.unlink()
        os.sync()  # nobody pays either for what another has left to be written

    for _ in range(counts.file_rounds + 1):  # the first is not counted: the file comes into the cache
        for side, (url, headers, server) in sides.items():
            target = stage.home / f"{side}.up"
            for way, command in {"download": ["-o", "/dev/null", f"{url}/large.bin"],
                                 "upload": ["-o", "/dev/null", "-T", source, f"{url}/{side}.up"]}.items():
                warm()
                used = cpu_seconds(server.pid)
                seconds = process_seconds(["curl", "-sSf", "-H", "Expect:", *headers, *map(str, command)])
                rates[side, way].append(size / seconds / 1e6)
                cpu[side, way].append((cpu_seconds(server.pid) - used) * 1000 / counts.file_mib)
            if target.stat().st_size != size or subprocess.run(["cmp", "-s", source, target]).returncode != 0:
                raise RuntimeError(f"{target} is not what was sent")
            target.unlink()
    growth = highest_resident_mb(daemon.pid) - before
    source.unlink()
    daemon.stop()
    nginx.stop()
    notes.append("files: ours is on the disk (fsync) before it answers an upload, nginx is not; "
                 f"nginx {nginx.version} with one worker and sendfile")
    rows = []
    for way in ("download", "upload"):
        ours, peer = (median(rates[side, way][1:]) for side in sides)
        name = f"{way} of {counts.file_mib:,} MiB"
        rows += [Row(name, "MB/s", ours, peer, "nginx", 0.5, more_is_better=True),
                 Row(f"{name}, CPU per MiB", "ms", *(median(cpu[side, way][1:]) for side in sides), "nginx")]
    return rows + [Row("memory for that", "MB", max(growth, 0), None, "-", limit=32), *whole_text(stage, counts, notes)]


def whole_text(stage, counts, notes):
    """A text file of 1 MiB in one call, each server on the transport that it has: one connection, one call at a time."""
    words = random.Random(13)
    text = "".join(f'  name_{words.randrange(10 ** 9):x} = call("{words.randrange(10 ** 18):x}", {words.random()});\n' for _ in range(1 << 15))[:1 << 20]
    (stage.home / "large.txt").write_text(text)
    daemon, peer = stage.start_daemon(), stage.start_filesystem()
    ours = Call(daemon, "read_file", {"path": "large.txt", "max_chars": 1 << 22}, text.splitlines()[-2].split('"')[1], modern=True)
    theirs = {"name": "read_text_file", "arguments": {"path": str(stage.home / "large.txt")}}

    def read():
        seconds, result = peer.timed("tools/call", theirs)
        if result["content"][0]["text"] != text:
            raise RuntimeError("server-filesystem read something else")
        return seconds

    for _ in range(10):  # node compiles what is hot
        read()
    size, calls_per_second, seconds = ours.check(), [], []
    for _ in range(counts.wrk_rounds):
        result = ours.wrk(1, counts.wrk_seconds)
        calls_per_second.append(result["requests"] / result["duration_us"] * 1e6)
        seconds += [read() for _ in range(counts.text_reads)]
    daemon.stop()
    peer.process.kill()
    peer.process.wait()
    notes.append(f"read_file: one connection to /mcp, answers of {size / 1e6:.2f} MB; the peer on stdio, from the request to "
                 f"the last byte of the answer, which has the text twice")
    return [Row("read_file of 1 MiB of text", "calls/s", median(calls_per_second), 1 / median(seconds), "server-filesystem read_text_file", 10,
                more_is_better=True)]


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


def fill_store(data, count):
    """Writes events past the daemon: as appends they would take half a minute. 500 to a conversation."""
    database = sqlite3.connect(data / "store.db")
    conversations = [f"c-{number:016x}" for number in range(max(count // 500, 1))]
    database.executemany("INSERT INTO conversations (id, title, created_ms) VALUES (?, ?, 1700000000000)",
                         ((name, f"conversation {name}") for name in conversations))
    filler = "x" * 200
    database.executemany("INSERT INTO events (ts_ms, conversation_id, job_id, kind, data) VALUES (?, ?, ?, 'action_result', ?)", (
        (1_700_000_000_000 + number, conversations[number % len(conversations)], f"j-{number // 50:016x}",
         json.dumps({"call_id": "call-1", "tool": "click", "ok": True, "images": [], "elapsed_ms": 5,
                     "text": f"clicked number {number} {filler}"})) for number in range(count)))
    database.commit()
    database.close()


def store(stage, counts, notes):
    daemon = stage.start_daemon()
    data = daemon.data
    daemon.stop()
    fill_store(data, counts.store_events)
    full, empty = [], []
    for _ in range(counts.starts):
        for times, folder in ((full, data), (empty, None)):
            daemon = stage.start_daemon(data=folder)
            times.append(daemon.announced)
            daemon.stop()

    daemon = stage.start_daemon(data=data)

    def call(method, path, body=None):
        begin = time.perf_counter()
        answer = clients.json_of(daemon.port, method, path, daemon.headers, body)
        return time.perf_counter() - begin, answer

    begin = time.perf_counter()
    while call("GET", "/api/conversations?query=clicked")[1]["unread"] > 0:
        pass
    indexed = time.perf_counter() - begin
    searches = [call("GET", f"/api/conversations?query={random.randrange(counts.store_events)}")[0] for _ in range(50)]
    lists = [call("GET", "/api/conversations")[0] for _ in range(20)]
    conversation = call("POST", "/api/chat", {"prompt": "/help"})[1]["conversation_id"]
    command = {"prompt": "/help", "conversation_id": conversation}
    commands = [call("POST", "/api/chat", command)[0] for _ in range(counts.store_commands)]
    daemon.stop()
    database = sqlite3.connect(data / "store.db")
    written = database.execute("SELECT COUNT(*) FROM events WHERE seq > ?", (counts.store_events,)).fetchone()[0]
    database.close()
    each = written / (counts.store_commands + 1)
    notes.append(f"store: {counts.store_events:,} events in {max(counts.store_events // 500, 1):,} conversations, {(data / 'store.db').stat().st_size >> 20} MB, "
                 f"index {(data / 'index.db').stat().st_size >> 20} MB, made in {indexed:.1f} s after the last start; ready line after "
                 f"{ms(full):.1f} ms, with an empty store {ms(empty):.1f} ms; a chat command over HTTP with {each:.0f} events takes "
                 f"{ms(commands):.2f} ms, 99 of 100 less than {sorted(commands)[len(commands) * 99 // 100] * 1000:.2f} ms")
    name = f"{counts.store_events:,} events"
    return [Row(f"start with {name}", "ms", ms(full), ms(empty), "an empty store", limit=200),
            Row(f"append to {name}, with its share of a command", "ms", ms(commands) / each, None, "-", limit=1),
            Row(f"list the conversations of {name}", "ms", ms(lists), None, "-"),
            Row(f"search {name}", "ms", ms(searches), None, "-")]


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
