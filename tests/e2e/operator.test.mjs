// The command line of the operator, and how the daemon starts and stops.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { Daemon, binary, isRunning, pngSize, processesWith, run, screen, test, until, useBox, within } from "./harness.mjs";

const box = useBox();
const cli = (...args) => box.daemon.cli(...args);

test("call screenshot -o writes a picture", async () => {
  const file = join(box.folder, "shot.png");
  const { code, err } = await cli("call", "screenshot", "-o", file);
  assert.equal(code, 0, err);
  assert.deepEqual(pngSize(readFileSync(file)), screen);
});

test("call takes named and positional values, and its exit status tells", async () => {
  writeFileSync(join(box.daemon.workspace, "seen.txt"), "x");
  assert.match((await cli("call", "shell", "command=ls")).out, /seen\.txt/);
  assert.match((await cli("call", "shell", "echo by position")).out, /by position/);
  assert.match((await cli("call", "click", "x=10", "y=20")).out, /10,20/);
  assert.match((await cli("call", "click", "30", "40")).out, /30,40/);
  const failed = await cli("call", "read_file", "path=/no/such/file");
  assert.equal(failed.code, 1);
  assert.match(failed.err, /\/no\/such\/file/);
});

test("wrong words are exit status 2 or a sentence that helps", async () => {
  for (const [args, word] of [
    [["frobnicate"], /frobnicate|subcommand/], [[], /subcommand|COMMAND|serve/i], [["call"], /tool/], [["serve", "--colour", "red"], /colour/], [["serve", "--context-tokens", "many"], /--context-tokens: .*many/], [["serve", "--summary", "maybe"], /LLM_SUMMARY=maybe is none of on or off/], [["status"], /job/],
  ]) {
    const { code, out, err } = await run(binary, args, { env: box.daemon.env });
    assert.equal(code, 2, `${args}: ${out}${err}`);
    assert.match(out + err, word);
  }
  const tool = await cli("call", "clikc", "x=1");
  assert.notEqual(tool.code, 0);
  assert.match(tool.err, /clikc[\s\S]*click/);
  const parameter = await cli("call", "click", "x=left", "y=1");
  assert.notEqual(parameter.code, 0);
  assert.match(parameter.err, /x/);
  const missing = await cli("call", "click", "x=1");
  assert.notEqual(missing.code, 0);
  assert.match(missing.err, /\by\b/);
});

test("help and version need no daemon", async () => {
  const help = await run(binary, ["--help"], { env: { PATH: process.env.PATH } });
  assert.equal(help.code, 0);
  for (const word of ["serve", "mcp", "call", "tools", "chat", "jobs", "status", "logs", "cancel", "download", "doctor", "version"]) {
    assert.match(help.out, new RegExp(`\\b${word}\\b`));
  }
  assert.match((await run(binary, ["version"], { env: { PATH: process.env.PATH } })).out, /^\d+\.\d+\.\d+\s*$/);
});

test("tools lists every tool with its usage", async () => {
  const { code, out } = await cli("tools");
  assert.equal(code, 0);
  for (const name of ["screenshot", "click", "shell", "write_file", "window"]) assert.match(out, new RegExp(`^${name}\\b`, "m"));
});

test("chat runs a command and shows it", async () => {
  const { code, out, err } = await cli("chat", "/shell echo hi $((1+1))");
  assert.equal(code, 0, err);
  assert.match(out, /hi 2/);
  const without = await cli("chat", "what do you see?");
  assert.equal(without.code, 1);
  assert.match(without.out + without.err, /LLM_API_BASE_URL/);
});

test("jobs, status, logs, download and cancel", async () => {
  const { body } = await box.daemon.post("/schedule", { kind: "shell", code: "echo log line; echo content > result.txt" });
  const logs = await cli("logs", body.job_id);
  assert.equal(logs.code, 0, logs.err);
  assert.match(logs.out, /log line/);
  const status = await cli("status", body.job_id);
  assert.equal(JSON.parse(status.out).state, "succeeded");
  assert.match((await cli("jobs")).out, new RegExp(`${body.job_id}.*succeeded`));
  const file = join(box.folder, "job.zip");
  assert.equal((await cli("download", body.job_id, "-o", file)).code, 0);
  assert.match((await run("python3", ["-m", "zipfile", "-l", file])).out, /result\.txt/);

  const slow = await box.daemon.post("/schedule", { kind: "shell", code: "sleep 100" });
  const cancelled = await cli("cancel", slow.body.job_id);
  assert.equal(cancelled.code, 0, cancelled.err);
  assert.equal((await box.daemon.finished(slow.body.job_id)).state, "cancelled");
  for (const word of ["status", "logs", "cancel", "download"]) {
    const none = await cli(word, "j-none");
    assert.equal(none.code, 1, word);
    assert.match(none.err, /j-none/, word);
  }
  assert.ok(!existsSync(join(box.folder, "j-none.zip")), "a download that was refused leaves no file");
});

test("logs of a failed job end with its state", async () => {
  const { body } = await box.daemon.post("/schedule", { kind: "shell", code: "echo bad >&2; exit 3" });
  const { code, err } = await within(30_000, "logs ends", cli("logs", body.job_id));
  assert.equal(code, 1);
  assert.match(err, /bad/);
});

test("doctor names what is missing and what to do", async () => {
  const { out } = await cli("doctor");
  assert.match(out, /^ok\s+daemon/m);
  assert.match(out, /^ok\s+display.*1344x896/m);
  assert.match(out, /^note\s+model.*LLM_API_BASE_URL/m);
  assert.match(out, /^ok\s+disk/m);
  const without = await run(binary, ["doctor", "--display", ":98765", "--data-dir", box.daemon.dataDir], { env: box.daemon.env });
  assert.equal(without.code, 1);
  assert.match(without.out, /^FAIL\s+display.*:98765/m);
});

test("token prints the token, which only its owner may read", async () => {
  assert.equal((await cli("token")).out, `${box.daemon.token}\n`);
  assert.equal(statSync(join(box.daemon.dataDir, "token")).mode & 0o777, 0o600);
  assert.equal(statSync(box.daemon.dataDir).mode & 0o777, 0o700);
});

test("a client without a daemon says how to start one", async () => {
  const folder = join(box.folder, "nobody");
  for (const args of [["call", "screen_info"], ["jobs"], ["chat", "/help"], ["token"]]) {
    const { code, err } = await run(binary, [...args, "--data-dir", folder], { env: box.daemon.env });
    assert.equal(code, 1, args[0]);
    assert.match(err, /selfagent serve|start/i, args[0]);
  }
});

/** Starts a daemon that must refuse to run; `options` are the flags that differ. */
async function refused(options, env = {}) {
  const folder = join(box.folder, `refused-${Math.random().toString(36).slice(2)}`);
  mkdirSync(folder);
  const flags = { "--data-dir": folder, "--display": box.desktop.name, "--workspace": box.daemon.workspace, "--listen": "127.0.0.1:0", ...options };
  const { code, err } = await run(binary, ["serve", ...Object.entries(flags).flat().filter((word) => word !== true)], { env: { ...box.daemon.env, ...env }, timeoutMs: 20_000 });
  assert.ok(code === 1 || code === 2, `code ${code}: ${err}`);
  assert.doesNotMatch(err, /terminate called|core dumped/);
  return err;
}

test("a port that is taken gets a clear error", async () => {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  const err = await refused({ "--listen": `127.0.0.1:${port}` });
  server.close();
  assert.match(err, new RegExp(String(port)));
  assert.match(err, /--listen/);
  assert.ok(err.trim().split("\n").length <= 4, err);
});

test("bad settings get a clear error", async () => {
  assert.match(await refused({ "--listen": "nonsense" }), /nonsense/);
  assert.match(await refused({ "--listen": "127.0.0.1:99999" }), /99999/);
  assert.match(await refused({ "--no-auth": true, "--listen": "0.0.0.0:0" }), /no-auth[\s\S]*loopback/);
  assert.match(await refused({}, { SELFAGENT_TOKEN: "short" }), /SELFAGENT_TOKEN/);
  assert.match(await refused({ "--data-dir": "/proc/nothing" }), /\/proc\/nothing/);
  assert.match(await refused({ "--sandbox-user": "no-such-user-x" }), /no-such-user-x/);
});

test("a second daemon on the same data folder is refused, the first goes on", async () => {
  const err = await refused({ "--data-dir": box.daemon.dataDir });
  assert.match(err, /another selfagent|already runs/);
  assert.match(err, /--data-dir/);
  assert.ok((await box.daemon.rpc("ping")).result);
  assert.equal((await cli("call", "shell", "echo still there")).code, 0);
});

test("without a display the daemon starts, serves the shell and says what is wrong", async () => {
  const daemon = await new Daemon({ folder: join(box.folder, "headless") }).start();
  try {
    assert.equal((await fetch(`${daemon.url}/readyz`)).status, 503);
    assert.match(await daemon.shell("echo works"), /works/);
    const shot = await daemon.rpc("screenshot");
    assert.equal(shot.result.isError, true);
  } finally {
    assert.equal((await daemon.stop()).code, 0);
  }
});

test("--no-auth on loopback needs no token, but still the right Host", async () => {
  const daemon = await new Daemon({ folder: join(box.folder, "open"), args: ["--no-auth"], desktop: box.desktop }).start();
  try {
    assert.equal((await fetch(`${daemon.url}/jobs`)).status, 200);
    assert.equal((await run("curl", ["-s", "-o", "/dev/null", "-w", "%{http_code}", "-H", "Host: evil.example", `${daemon.url}/jobs`])).out, "403");
  } finally {
    await daemon.stop();
  }
});

test("a restart keeps the token and the login", async () => {
  const { token } = box.daemon;
  await box.daemon.restart();
  assert.equal(box.daemon.token, token);
});

test("SIGTERM stops everything within 5 s, whatever runs", async () => {
  const daemon = await new Daemon({ folder: join(box.folder, "stopping"), desktop: box.desktop }).start();
  const mark = `SELFAGENT_E2E_MARK=${process.pid}`;
  const slow = daemon.rpc("shell", { command: "sleep 400 & sleep 401; true", env: { SELFAGENT_E2E_MARK: String(process.pid) } }).catch((error) => ({ error }));
  const { body } = await daemon.post("/schedule", { kind: "shell", code: `export ${mark}; sleep 402 & exec sleep 403` });
  const stubborn = await daemon.post("/schedule", { kind: "shell", code: `export ${mark}; trap '' TERM; exec sh -c "trap '' TERM; while :; do sleep 1; done"` });
  const socket = await daemon.webSocket();
  const events = fetch(`${daemon.url}/jobs/${body.job_id}/events`, { headers: daemon.bearer }).then((response) => response.text()).catch(() => "");
  const children = await until("all commands run", () => {
    const found = processesWith(mark);
    return found.length >= 4 && found;
  });
  const start = performance.now();
  const end = await daemon.stop("SIGTERM");
  const elapsed = performance.now() - start;
  assert.deepEqual(end, { code: 0, signal: null });
  assert.ok(elapsed < 20_000, `stopping took ${elapsed} ms`);
  await within(20_000, "the socket is closed", socket.closed);
  await within(20_000, "the call has ended", slow);
  await within(20_000, "the event stream has ended", events);
  await until("no child is left", () => processesWith(mark).length === 0 && children.every((pid) => !isRunning(pid)), 20_000);
  assert.ok(!existsSync(join(daemon.dataDir, "control.sock")));
  await daemon.start();
  try {
    for (const job of [body.job_id, stubborn.body.job_id]) {
      const { body: status } = await daemon.get(`/status/${job}`);
      assert.ok(["cancelled", "interrupted"].includes(status.state), status.state);
    }
  } finally {
    await daemon.stop("SIGINT");
  }
});

test("an idle daemon stops at once", async () => {
  const daemon = await new Daemon({ folder: join(box.folder, "idle"), desktop: box.desktop }).start();
  await daemon.screenshot();
  const start = performance.now();
  assert.deepEqual(await daemon.stop("SIGINT"), { code: 0, signal: null });
  assert.ok(performance.now() - start < 10_000, `${performance.now() - start} ms`);
});
