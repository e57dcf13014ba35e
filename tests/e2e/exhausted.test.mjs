// A full disk, no memory and no processes left, each used up by a tool: the daemon answers all the while, says what failed
// and what to do, keeps what it has, and goes on when there is room again.
//
// The disk is a small file system that only the daemon sees. For root tools are another user, for whom the number of
// processes is limited. For others all of it is in a user namespace of its own, in which that number is limited, too.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { describe } from "node:test";
import { Child, binary, processesWith, test, textOf, until, useBox, within } from "./harness.mjs";

const isRoot = process.getuid() === 0;
const user = isRoot ? "nobody" : "root"; // of tools, as they see it
const disk_mib = 64;
const group_mib = 400;

const unshare = ["unshare", isRoot ? "-m" : "-rm"];
const enter = ["nsenter", ...(isRoot ? [] : ["-U", "--preserve-credentials"]), "-m", "-t"];

function whyNot() {
  const [program, ...args] = unshare;
  const tried = spawnSync(program, [...args, "sh", "-c", "mount -t tmpfs -o size=1m none /mnt"], { encoding: "utf8" });
  return tried.status !== 0 && `no disk can be mounted here: ${tried.error?.message ?? tried.stderr.trim()}`;
}
const skip = whyNot();

/** A control group with its own memory limit, or undefined where none can be made. */
function memoryGroup() {
  for (const [root, limit] of [["/sys/fs/cgroup/memory", "memory.limit_in_bytes"], ["/sys/fs/cgroup", "memory.max"]]) {
    const path = `${root}/selfagent-e2e-${process.pid}`;
    try {
      mkdirSync(path);
      if (existsSync(`${path}/${limit}`)) {
        writeFileSync(`${path}/${limit}`, String(group_mib << 20));
        return path;
      }
      rmdirSync(path);
    } catch {
      // Not here: it is read-only, or another version.
    }
  }
  return undefined;
}

describe("with a tool that uses up", { skip }, () => {
  const box = useBox({
    desktop: false,
    args: isRoot ? ["--sandbox-user", user] : [],
    prepare: async (own) => {
      chmodSync(own.folder, 0o755);
      // The disk lasts as long as somebody is where it is mounted, through restarts of the daemon.
      // Jails are made in a folder of root's, which the root of a user namespace is not elsewhere.
      const jails = isRoot ? "true" : "mount -t tmpfs -o mode=1777 none /var/tmp";
      const mount = `${jails} && mount -t tmpfs -o size=${disk_mib}m,mode=755 none ${own.folder} && cd ${own.folder} && mkdir workspace home && chown ${user} workspace && echo ready && exec sleep 100000`;
      const [program, ...args] = unshare;
      const holder = new Child(program, [...args, "sh", "-c", mount], { stdio: ["ignore", "pipe", "inherit"] });
      await within(30_000, "the disk is mounted", once(holder.process.stdout, "data"));
      own.model = holder;
      return { program: [...enter, String(holder.pid), binary] };
    },
  });

  async function call(name, params = {}) {
    const { result, error } = await box.daemon.rpc(name, params);
    assert.ok(result, JSON.stringify(error));
    return { ...result.structuredContent, text: textOf(result), isError: result.isError === true };
  }
  const put = async (name, body) => {
    const response = await box.daemon.fetch(`/files/${name}`, { method: "PUT", body });
    return { status: response.status, text: await response.text() };
  };

  /** Runs `body` while the daemon is asked for a sign of life, one after the other, each within five seconds. */
  async function watched(t, body) {
    const socket = await box.daemon.webSocket();
    let [over, id, slowest] = [false, 0, 0];
    const watch = (async () => {
      while (!over) {
        const begin = performance.now();
        socket.send({ jsonrpc: "2.0", id: (id += 1), method: "ping" });
        const [bytes] = await within(20_000, "ping is answered", once(socket.web, "message"));
        assert.deepEqual(JSON.parse(bytes), { jsonrpc: "2.0", id, result: {} });
        slowest = Math.max(slowest, performance.now() - begin);
      }
    })();
    try {
      await Promise.race([body(), watch]);
    } finally {
      over = true;
      await watch;
      await socket.close();
    }
    t.diagnostic(`${id} pings were answered, the slowest after ${slowest.toFixed(1)} ms`);
  }

  async function scheduled(code) {
    const { status, body, text } = await box.daemon.post("/schedule", { kind: "shell", code });
    assert.equal(status, 202, text);
    return box.daemon.finished(body.job_id);
  }
  async function said(conversation) {
    const events = await box.daemon.events(`/api/conversations/${conversation}/events`, ({ kind }) => kind === "caught_up");
    return events.filter(({ id }) => id).map(({ id, kind, data }) => [id, kind, data]);
  }

  test("the disk", async (t) => {
    const chat = await box.daemon.post("/api/chat", { prompt: "/shell echo remembered" });
    assert.equal(chat.status, 200, chat.text);
    const conversation = chat.body.conversation_id;
    const events = await said(conversation);
    const job = await scheduled("echo kept");
    const jobs = (await box.daemon.get("/jobs")).body;
    const ended = await call("shell", { command: "echo before; exit 3" });
    assert.equal((await put("kept.txt", "kept\n")).status, 201);
    const running = await call("shell", { command: "until [ -e go ]; do sleep 0.05; done; echo first; until [ -e on ]; do sleep 0.05; done; echo last; exit 4", timeout_ms: 1 });

    /** What was there before, and is there now. */
    const intact = async () => {
      assert.deepEqual(await said(conversation), events);
      const { body } = await box.daemon.get(`/status/${job.job_id}`);
      assert.deepEqual([body.state, body.stdout, body.exit_code], ["succeeded", "kept\n", 0]);
      assert.deepEqual((await box.daemon.get("/jobs")).body, jobs);
      const read = await call("process_read", { id: ended.id });
      assert.deepEqual([read.output, read.exit_code], ["before\n", 3]);
      assert.equal(await (await box.daemon.fetch("/files/kept.txt")).text(), "kept\n");
    };

    await watched(t, async () => {
      const filled = await call("shell", { command: "dd if=/dev/zero of=fill bs=64k" });
      assert.notEqual(filled.exit_code, 0);
      assert.match(filled.text, /the disk was full: \d+ bytes of output could not be kept/);

      const refused = await put("kept.txt", "x".repeat(100_000));
      assert.equal(refused.status, 507, refused.text);
      assert.match(refused.text, /delete|free some space/i);
      for (const [name, params] of [
        ["write_file", { path: "kept.txt", content: "x".repeat(100_000) }], ["shell", { command: "echo never" }],
        ["shell", { command: "echo never", session: "none" }], ["run_code", { language: "javascript", code: "1" }],
      ]) {
        const { isError, text } = await call(name, params);
        assert.equal(isError, true, `${name}: ${text}`);
        assert.match(text, /disk is full|No space left/i, name);
        assert.match(text, /delete|free some space/i, name);
      }
      for (const [path, body] of [["/schedule", { kind: "shell", code: "echo never" }], ["/api/chat", { prompt: "/shell echo never" }]]) {
        const answer = await box.daemon.post(path, body);
        assert.equal(answer.status, 507, `${path}: ${answer.text}`);
        assert.match(answer.body.error.message, /disk|space/i);
        assert.match(answer.text, /delete|free some space/i);
      }
      await intact();
      await call("delete_file", { path: "fill" });
    });

    await intact();
    // What a program writes after the full disk is kept again.
    assert.equal((await put("go", "")).status, 201);
    await call("process_read", { id: running.id, wait_ms: 25_000, until_match: "first" });
    assert.match((await call("shell", { command: "echo room again" })).stdout, /room again/);
    assert.equal((await call("write_file", { path: "new.txt", content: "new" })).isError, false);
    assert.equal((await scheduled("echo anew")).stdout, "anew\n");
    assert.equal((await box.daemon.post("/api/chat", { prompt: "/shell echo anew" })).status, 200);
    await box.daemon.restart("SIGKILL");
    assert.deepEqual(await said(conversation), events);
    assert.equal((await call("process_read", { id: ended.id })).output, "before\n");
    assert.equal((await put("on", "")).status, 201);
    const read = await call("process_read", { id: running.id, wait_ms: 25_000, until_exit: true });
    assert.deepEqual([read.output, read.exit_code], ["first\nlast\n", 4]);
  });

  test("the memory", async (t) => {
    const score = async (pid) => Number(readFileSync(`/proc/${pid}/oom_score_adj`, "utf8"));
    const tools = Number((await call("shell", { command: "cat /proc/self/oom_score_adj" })).stdout);
    assert.ok((await score(box.daemon.child.pid)) < tools, `the tools' ${tools} is higher than the daemon's`);

    const command = "exec python3 -c 'x = []\nwhile True: x.append(bytearray(b\"x\" * (10 << 20)))'";
    await watched(t, async () => {
      const limited = await call("shell", { command, limits: { memory_mb: 200 } });
      assert.equal(limited.exit_code, 1, limited.text);
      assert.match(limited.stderr, /MemoryError/);
      assert.match(limited.text, /limits memory_mb=200/);
    });

    const group = memoryGroup();
    if (!group) return t.diagnostic("no memory control group can be made here: the limit of a process alone was tried");
    try {
      // The daemon first: what it starts from then on is of the group, a keeper that waits for its program is not.
      writeFileSync(`${group}/cgroup.procs`, String(box.daemon.child.pid));
      const out = spawnSync("ps", ["-o", "pid=", "--ppid", String(box.daemon.child.pid)]).stdout.toString();
      for (const pid of out.split("\n").map((line) => line.trim()).filter(Boolean)) writeFileSync(`${group}/cgroup.procs`, pid);
      await watched(t, async () => {
        // Without a limit of its own: the kernel ends something of the group, and chooses the tool.
        const killed = await call("shell", { command });
        assert.deepEqual([killed.exit_code, killed.signal], [-1, 9], killed.text);
        assert.match(killed.text, /killed by signal 9/);
      });
      assert.ok(!box.daemon.child.ended, "the daemon is the same");
      assert.equal((await call("shell", { command: "echo well" })).stdout, "well\n");
    } finally {
      // A keeper that is to wait for its program may come a moment later.
      await until("the group is empty", () => {
        for (const pid of readFileSync(`${group}/cgroup.procs`, "utf8").split("\n").filter(Boolean)) {
          try {
            writeFileSync(`${group}/../cgroup.procs`, pid);
          } catch (error) {
            if (error.code !== "ESRCH") throw error; // it has ended meanwhile
          }
        }
        return rmdirSync(group) ?? true;
      });
    }
  });

  test("the processes", async (t) => {
    const env = { BOMB: `bomb-${process.pid}` };
    const limits = { processes: 40 };
    const who = await call("shell", { command: "id -un; ulimit -u", limits });
    assert.equal(who.stdout, `${user}\n40\n`, "the limit holds: only then a bomb is set off");
    await watched(t, async () => {
      const bomb = await call("shell", { command: "f() { f | f & }; f; sleep 1000", limits, env, kill_after_ms: 5000 });
      assert.equal(bomb.timed_out, true, bomb.text);
      assert.match(bomb.stderr, /Resource temporarily unavailable/);
    });
    await until("nothing of it is left", () => processesWith(`BOMB=${env.BOMB}`).length === 0);
    assert.equal((await call("shell", { command: "echo well" })).stdout, "well\n");
  });
});
