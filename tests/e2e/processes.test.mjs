// Programs that outlive the call, the client and the daemon.
import assert from "node:assert/strict";
import { readFileSync, readdirSync, readlinkSync } from "node:fs";
import { describe } from "node:test";
import { isRunning, put, test, textOf, until, useBox } from "./harness.mjs";

const box = useBox({ windowManager: false });

async function call(name, params = {}) {
  const { result, error } = await box.daemon.rpc(name, params);
  assert.ok(result, JSON.stringify(error));
  return { ...result.structuredContent, text: textOf(result), isError: result.isError };
}

/** Starts a command, which goes on; returns what it has written until `line` was there. */
async function begin(command, line, more = {}) {
  const { id } = await call("shell", { command, timeout_ms: 50, ...more });
  const { output } = await call("process_read", { id, wait_ms: 30_000, until_match: line });
  return { id, output };
}
const withChild = () => begin("setsid sleep 1000 & echo child=$!; sleep 1000", "child=").then(({ id, output }) => ({ id, pid: Number(output.match(/child=(\d+)/)[1]) }));

describe("a long command", () => {
  test("goes on after the call, and its end is read later, whole", async () => {
    const begun = await call("shell", { command: "for i in 1 2 3; do echo $i; sleep 0.3; done; exit 6", timeout_ms: 100 });
    assert.equal(begun.still_running, true);
    assert.equal(begun.isError, false);
    const end = await call("process_read", { id: begun.id, offset: begun.next_offset, wait_ms: 30_000, until_exit: true });
    assert.equal(begun.stdout + end.output, "1\n2\n3\n");
    assert.equal(end.exit_code, 6);
  });

  test("survives kill -9 of the daemon: output, input, exit code", async () => {
    // Without the echo what it says first is its answer.
    const talker = await begin("stty -echo; echo begun; read x; echo got $x; sleep 0.2; echo more; exit 5", "begun", { terminal: true });
    const counter = await call("shell", { command: "for i in $(seq 40); do echo line $i; sleep 0.05; done; exit 7", timeout_ms: 50 });
    const done = await call("shell", { command: "echo before; exit 3" });
    await box.daemon.restart("SIGKILL");
    const list = await call("process_list");
    assert.deepEqual(list.processes.map(({ id }) => id).slice(0, 3), [done.id, counter.id, talker.id]);
    assert.equal((await call("process_read", { id: done.id })).exit_code, 3);
    assert.equal((await call("process_read", { id: done.id })).output, "before\n");
    assert.match((await call("process_write", { id: talker.id, data: "word\n", wait_ms: 30_000 })).text, /got word/);
    const talked = await call("process_read", { id: talker.id, wait_ms: 30_000, until_exit: true });
    assert.match(talked.output, /got word\r\nmore\r\n$/);
    assert.equal(talked.exit_code, 5);
    const counted = await call("process_read", { id: counter.id, wait_ms: 40_000, until_exit: true });
    assert.equal(counted.output, Array.from({ length: 40 }, (_, i) => `line ${i + 1}\n`).join(""));
    assert.equal(counted.exit_code, 7);
  });

  test("that the daemon left behind can be killed, with what escaped its session", async () => {
    const { id, pid } = await withChild();
    await box.daemon.restart("SIGKILL");
    assert.ok(isRunning(pid));
    const ended = await call("process_signal", { id });
    assert.equal(ended.state, "ended");
    await until("the child has ended", () => !isRunning(pid));
  });

  test("ends with an orderly stop of the daemon", async () => {
    const { id, pid } = await withChild();
    await box.daemon.restart("SIGTERM");
    await until("the child has ended", () => !isRunning(pid));
    await until("it has ended", async () => (await call("process_read", { id })).state === "ended");
  });
});

describe("a helper of a tool, the grep of search_files,", () => {
  const greps = () => readdirSync("/proc").filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/comm`, "utf8") === "grep\n" && readlinkSync(`/proc/${pid}/cwd`) === box.daemon.workspace;
    } catch {
      return false; // no process, or it has just ended
    }
  }).map(Number);
  /** Children of the daemon that have ended and that nobody has waited for. */
  const zombies = () => readdirSync("/proc").filter((pid) => {
    try {
      return new RegExp(`\\) Z ${box.daemon.child.pid} `).test(readFileSync(`/proc/${pid}/stat`, "utf8"));
    } catch {
      return false;
    }
  });

  const ways = {
    "whose call is cancelled": (socket) => socket.send({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 3 } }),
    "whose client vanishes": (socket) => socket.close(),
    "whose daemon is stopped": () => box.daemon.restart("SIGTERM"),
    "whose daemon is killed": () => box.daemon.restart("SIGKILL"),
  };
  for (const [way, end] of Object.entries(ways)) {
    test(`${way} ends and leaves nothing`, async () => {
      // A search for back references that takes longer than anybody waits.
      put(box, "long.txt", `${"a".repeat(300)}b\n`);
      const socket = await box.daemon.webSocket();
      socket.send({ jsonrpc: "2.0", id: 3, method: "search_files", params: { pattern: "^(a*)(a*)(a*)(a*)(a*)\\1\\2\\3\\4\\5bc?$", regex: true } });
      const [pid] = await until("it searches", () => greps().length === 1 && greps());
      await end(socket);
      await until("it has ended", () => !isRunning(pid) && greps().length === 0);
      await until("nothing of it is left", () => zombies().length === 0);
      await socket.close().catch(() => {});
    });
  }
});

describe("many", () => {
  test("short commands at once each have their own exit code and output", async () => {
    const all = await Promise.all(Array.from({ length: 60 }, (_, i) => call("shell", { command: `echo ${i}; echo e${i} >&2; exit ${i}` })));
    all.forEach((one, i) => assert.deepEqual([one.exit_code, one.stdout, one.stderr], [i, `${i}\n`, `e${i}\n`]));
  });

  test("keepers are small, and none is left when its program has ended", async () => {
    const begun = await Promise.all(Array.from({ length: 10 }, () => call("shell", { command: "sleep 1000", timeout_ms: 50 })));
    for (const { id } of begun) {
      const { pid } = await call("process_read", { id });
      const keeper = Number(readFileSync(`/proc/${pid}/stat`, "utf8").replace(/.*\) . (\d+) .*/s, "$1"));
      const status = readFileSync(`/proc/${keeper}/status`, "utf8");
      assert.match(status, /^Name:\tselfagent-keep$/m);
      const own = Number(status.match(/^RssAnon:\s+(\d+) kB$/m)[1]);
      assert.ok(own < 300, `${own} kB of its own`);
      assert.equal((await call("process_signal", { id, signal: "KILL" })).signal, 9);
      await until("the keeper is gone", () => !isRunning(keeper));
    }
  });
});
