// kill -9 of the daemon at random moments under load: what was confirmed is there afterwards, whole and once, and nothing
// that the daemon began is left running.
//
// KILLS (100) is how often, SEED (random, printed) what happens when: the same seed asks for the same things, though not at
// the same microseconds.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, readlinkSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { Child, Daemon, binary, isRunning, seededRandom, test, until, useBox } from "./harness.mjs";

const kills = Number(process.env.KILLS ?? 100);
const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 32));
const box = useBox({ desktop: false });

const random = seededRandom(seed);
const between = (least, most) => least + Math.floor(random() * (most - least + 1));

let count = 0;
const unique = (kind) => `${kind}${(count += 1)}`;

/** The answer of a tool, or undefined if the daemon did not live to give it. */
async function ask(name, params) {
  const { body } = await box.daemon.post("/rpc", { jsonrpc: "2.0", id: 1, method: name, params }).catch(() => ({}));
  if (body === undefined) return undefined;
  assert.equal(body.error, undefined, `${name}: ${JSON.stringify(body.error)}`);
  return { ...body.result.structuredContent, isError: body.result.isError === true, text: body.result.content[0]?.text ?? "" };
}

async function tell(name, params) {
  const answer = await ask(name, params);
  assert.ok(answer, `${name} is answered`);
  assert.equal(answer.isError, false, `${name}: ${answer.text}`);
  return answer;
}

/** All output from byte `offset` on, when the program has ended; and how it is then. */
async function outputOf(id, offset = 0) {
  let output = "";
  let last = await tell("process_read", { id, offset, limit: 100_000, wait_ms: 20_000, until_exit: true });
  for (;;) {
    assert.deepEqual(last.dropped, []);
    assert.equal(last.offset, offset, "an offset stays where it is");
    output += last.output;
    if (last.next_offset === offset) return { ...last, output };
    offset = last.next_offset;
    last = await tell("process_read", { id, offset, limit: 100_000 });
  }
}

// What was confirmed before the kill is looked at after it. A kind of work asks (and returns nothing, or what it confirmed
// so far), and checks that.
const works = {
  // A program that writes lines, slowly or at once, and ends by itself.
  program: {
    async begin(known) {
      const name = unique("line");
      const lines = between(0, 3) === 0 ? between(1000, 20_000) : between(1, 30);
      const code = between(0, 120);
      const step = lines > 100 ? "" : "sleep 0.01; ";
      const answer = await ask("shell", { command: `for ((i = 0; i < ${lines}; i += 1)); do ${step}echo ${name}-$i; done; exit ${code}`, timeout_ms: between(1, 300) });
      if (!answer) return;
      known({ id: answer.id, name, lines, code, seen: answer.next_offset, exited: !answer.still_running });
    },
    async check({ id, name, lines, code, seen, exited }) {
      const expected = Array.from({ length: lines }, (_, i) => `${name}-${i}\n`).join("");
      const rest = await outputOf(id, seen);
      const all = await outputOf(id);
      assert.ok(all.output === expected, `${id}: ${all.output.length} bytes instead of ${expected.length}: ${all.output.slice(-60)}`);
      assert.ok(rest.output === expected.slice(seen), `${id} from ${seen} on`);
      assert.deepEqual([all.exit_code, all.signal, all.state], [code, 0, "ended"], id);
      if (exited) assert.equal(seen, expected.length, `${id} had ended`);
    },
  },

  // A program that answers each line that it is given; it lives through many kills.
  talker: {
    async begin(known) {
      const answer = await ask("shell", { command: "stty -echo; echo begun; while read -r word; do echo \"<$word>\"; [ \"$word\" = end ] && exit 9; done; exit 2", terminal: true, timeout_ms: 1 });
      if (!answer) return;
      const talker = { id: answer.id, given: [], confirmed: new Set(), rounds: between(0, 8) };
      known(talker);
      await works.talker.again(talker);
    },
    async again(talker) {
      if (!talker.silent) {
        const ready = await ask("process_read", { id: talker.id, wait_ms: 25_000, until_match: "begun" });
        if (!ready) return;
        assert.match(ready.output, /begun/);
        talker.silent = true;
      }
      for (;;) {
        const word = unique("word");
        talker.given.push(word);
        if (!(await ask("process_write", { id: talker.id, data: `${word}\n`, wait_ms: 0 }))) return;
        talker.confirmed.add(word);
        await pause(between(0, 40));
      }
    },
    async check(talker) {
      if ((talker.rounds -= 1) >= 0) return talker;
      await tell("process_read", { id: talker.id, wait_ms: 25_000, until_match: "begun" });
      await tell("process_write", { id: talker.id, data: "end\n", wait_ms: 0 });
      const { output, exit_code } = await outputOf(talker.id);
      const said = output.split("\r\n").filter((line) => line.startsWith("<")).map((line) => line.slice(1, -1));
      const expected = talker.given.filter((word) => talker.confirmed.has(word) || said.includes(word));
      assert.deepEqual(said, [...expected, "end"], `${talker.id}: every line once and in order`);
      assert.equal(exit_code, 9);
      return undefined;
    },
  },

  // A session whose variable counts its commands.
  session: {
    async begin(known) {
      const session = { name: unique("session"), least: 0, most: 0, rounds: between(0, 5) };
      // Its shell may have begun though nobody was told so: then it has counted.
      known(session);
      await works.session.again(session);
    },
    async again(session) {
      for (;;) {
        session.most += 1;
        const answer = await ask("shell", { command: "x=$((x + 1)); echo $x", session: session.name });
        if (!answer) return;
        const value = works.session.value(answer, session);
        session.least = session.most = value;
        session.shell = true;
      }
    },
    value({ stdout, stderr, exit_code, isError, text }, session) {
      assert.equal(isError, false, text);
      assert.deepEqual([stderr, exit_code], ["", 0], text);
      assert.match(stdout, /^\d+\n$/, text);
      const value = Number(stdout);
      assert.ok(value >= session.least && value <= session.most, `${session.name}: ${value} is not between ${session.least} and ${session.most}`);
      return value;
    },
    async check(session) {
      // A command whose answer was lost may still run.
      const answer = await until(`the session ${session.name} is free`, async () => {
        const each = await ask("shell", { command: "echo $((x))", session: session.name });
        return !/is busy with process/.test(each?.text) && each;
      });
      session.least = session.most = works.session.value(answer, session);
      if ((session.rounds -= 1) >= 0) return session;
      const end = await tell("shell", { command: "exit 3", session: session.name });
      assert.deepEqual([end.exit_code, end.session_ended], [3, true]);
      return undefined;
    },
  },

  // Kernels that count: what was answered is known to the next daemon, too, and more was not asked for.
  kernel: {
    async begin(known) {
      const language = ["javascript", "python"][between(0, 1)];
      const kernel = { language, session: unique("kernel"), least: 0, most: 0 };
      known(kernel);
      for (;;) {
        kernel.most += 1;
        const answer = await ask("run_code", { language, session: kernel.session, code: `${kernel.most === 1 ? "x = 0; " : ""}x = x + 1; x` });
        if (!answer) return;
        assert.match(answer.text, new RegExp(`: ${kernel.most}$`));
        kernel.least = kernel.most;
      }
    },
    async check({ language, session, least, most }) {
      const call = (more) => ask("run_code", { language, session, ...more });
      if (least > 0) {
        // Code whose answer was lost may still run.
        const { text } = await until(`the kernel ${session} is free`, async () => {
          const each = await call({ code: "x" });
          return !/ is busy: /.test(each?.text) && each;
        });
        const value = Number(text.match(/^done after [^]*Out\[\d+\]: (\d+)$/)?.[1]);
        assert.ok(value >= least && value <= most, `${session}: not between ${least} and ${most}: ${text}`);
      }
      await call({ code: "", restart: true });
    },
  },

  // Files under names of their own, and one that is replaced again and again.
  upload: {
    async begin(known) {
      for (;;) {
        const upload = { name: unique("file"), size: between(0, 2) === 0 ? between(0, 2_000_000) : between(0, 5000) };
        known(upload);
        if (!(upload.confirmed = await put(`own/${upload.name}`, upload.name, upload.size))) return;
      }
    },
    async check({ name, size, confirmed }) {
      const path = join(box.daemon.workspace, "own", name);
      if (!existsSync(path)) return assert.ok(!confirmed, `${name} was confirmed and is missing`);
      assert.ok(readFileSync(path).equals(contentOf(name, size)), `${name} is whole`);
    },
  },
  replaced: {
    async begin(known) {
      const file = { name: "replaced", versions: [...(works.replaced.last ?? [])] };
      known(file);
      for (;;) {
        const version = { text: unique("version"), size: between(10, 300_000) };
        file.versions.push(version);
        if (!(await put(file.name, version.text, version.size))) return;
        file.versions = [version];
      }
    },
    async check({ name, versions }) {
      const path = join(box.daemon.workspace, name);
      const bytes = existsSync(path) ? readFileSync(path) : undefined;
      // Those that were not confirmed may have come or not; the last confirmed one is the first of the list.
      const found = versions.filter(({ text, size }) => bytes?.equals(contentOf(text, size)));
      works.replaced.last = found;
      if (bytes) assert.equal(found.length, 1, `${name} is one of its versions, whole: ${bytes.length} bytes`);
    },
  },

  // The same by a tool, which replaces one and makes another in turns.
  written: {
    async begin(known) {
      const file = { versions: [...(works.written.last ?? [])] };
      known(file);
      for (;;) {
        const version = unique("written").repeat(between(1, 20_000));
        file.versions.push(version);
        if (!(await ask("write_file", { path: "written/same", content: version }))) return;
        file.versions = [version];
        file.other = unique("other");
        if (!(await ask("write_file", { path: `written/${file.other}`, content: version }))) return;
      }
    },
    async check({ versions, other }) {
      const read = (name) => {
        const path = join(box.daemon.workspace, "written", name);
        return existsSync(path) ? readFileSync(path, "utf8") : undefined;
      };
      const [same, made] = [read("same"), other && read(other)];
      works.written.last = versions.filter((text) => text === same);
      if (same !== undefined) assert.equal(works.written.last.length, 1, `written/same is one of its versions, whole: ${same.length} characters`);
      if (made !== undefined) assert.equal(made, versions[0], "a new file is whole or not there");
      // The next write in a folder takes away what is left there of one that was killed.
      await tell("write_file", { path: "written/last", content: "" });
      assert.deepEqual(readdirSync(join(box.daemon.workspace, "written")).filter((name) => name.startsWith(".selfagent-")), []);
    },
  },

  // Jobs run at most once, and say how they ended.
  job: {
    async begin(known) {
      for (;;) {
        const name = unique("job");
        const code = between(0, 3) === 0 ? 5 : 0;
        const { status, body } = await box.daemon.post("/schedule", { kind: "shell", code: `echo x >> began; echo ${name}; sleep 0.0${between(0, 9)}; echo end; exit ${code}` }).catch(() => ({}));
        if (status === undefined) return;
        assert.equal(status, 202, JSON.stringify(body));
        known({ id: body.job_id, name, code });
        await pause(between(0, 60));
      }
    },
    async check({ id, name, code }) {
      const job = await box.daemon.finished(id);
      const began = join(box.daemon.workspace, ".jobs", id, "began");
      const times = existsSync(began) ? readFileSync(began, "utf8").length / 2 : 0;
      assert.ok(times <= 1, `${id} ran ${times} times`);
      const whole = `${name}\nend\n`;
      if (job.state === "interrupted") {
        assert.ok(whole.startsWith(job.stdout), job.stdout);
        assert.ok(job.error.length > 10, "it says why");
        return;
      }
      assert.equal(job.state, code === 0 ? "succeeded" : "failed", JSON.stringify(job));
      assert.deepEqual([job.stdout, job.exit_code, times], [whole, code, 1], JSON.stringify(job));
    },
  },

  conversation: {
    async begin(known) {
      for (;;) {
        const name = unique("said");
        const { status, body } = await box.daemon.post("/api/chat", { prompt: `/shell echo ${name}` }).catch(() => ({}));
        if (status === undefined) return;
        assert.equal(status, 200, JSON.stringify(body));
        known({ name, id: body.conversation_id, job: body.job_id });
      }
    },
    async check({ name, id, job }) {
      const events = await box.daemon.events(`/api/conversations/${id}/events`, ({ kind }) => kind === "caught_up");
      assert.equal(events.filter(({ kind }) => kind === "run_finished").length, 1);
      assert.ok(JSON.stringify(events).includes(name));
      assert.equal((await box.daemon.finished(job)).state, "succeeded");
    },
  },
};

const contents = (text) => createHash("sha256").update(text).digest();
function contentOf(text, size) {
  return Buffer.alloc(size, contents(text));
}

/** Sends a file in pieces; true if it was confirmed, false if the daemon did not live to do so. */
function put(path, text, size) {
  const bytes = contentOf(text, size);
  return new Promise((resolve, reject) => {
    const url = new URL(`${box.daemon.url}/files/${path}`);
    const sent = request(url, { method: "PUT", agent, headers: { ...box.daemon.bearer, "Content-Length": size } }, (response) => {
      response.on("error", () => resolve(false)).resume();
      response.on("close", () => {
        if (response.statusCode >= 300) reject(new Error(`PUT ${path}: ${response.statusCode}`));
        resolve(true);
      });
    });
    sent.on("error", () => resolve(false));
    const middle = between(0, size);
    sent.write(bytes.subarray(0, middle), () => setImmediate(() => sent.end(bytes.subarray(middle))));
  });
}

let agent;

/** What the daemon and its programs have still open in the folder of the test: its keepers, programs, kernels. */
function atWork() {
  const found = [];
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)) {
    try {
      const links = ["cwd", ...readdirSync(`/proc/${pid}/fd`).map((fd) => `fd/${fd}`)];
      if (links.some((link) => readlinkSync(`/proc/${pid}/${link}`).startsWith(box.folder))) {
        found.push(`${pid} ${readFileSync(`/proc/${pid}/comm`, "utf8").trim()}`);
      }
    } catch {
      // It has just ended.
    }
  }
  return found;
}

/** Kills the daemon alone: Child.stop() would take the keepers with it that are not yet on their own. */
function kill(child) {
  child.process.kill("SIGKILL");
  return child.exited;
}

/** Asks for work of each kind over connections of their own until the daemon is killed. */
function load(standing) {
  const confirmed = [];
  const known = (kind) => (fact) => confirmed.push({ kind, fact });
  const running = standing.map(({ kind, fact }) => works[kind].again(fact));
  const kinds = ["program", "program", "session", "upload", "replaced", "written", "job"];
  if (standing.filter(({ kind }) => kind === "talker").length < 3) kinds.push("talker");
  if (between(0, 2) === 0) kinds.push("kernel");
  if (between(0, 1) === 0) kinds.push("conversation");
  for (const kind of kinds) {
    const begin = kind === "program" ? async (fact) => {
      for (const child = box.daemon.child; !child.ended;) await works.program.begin(fact);
    } : works[kind].begin;
    running.push(begin(known(kind)));
  }
  return { confirmed, ended: Promise.all(running) };
}

test(`${kills} times kill -9 under load, SEED=${seed}`, { timeout: 120_000 + kills * 12_000 }, async (t) => {
  t.diagnostic(`KILLS=${kills} SEED=${seed}`);
  let standing = [];
  const checked = {};
  for (let round = 1; round <= kills; round += 1) {
    agent = new Agent({ keepAlive: true });
    const { confirmed, ended } = load(standing);
    ended.catch(() => {});
    await pause(between(0, 600));
    await kill(box.daemon.child);
    await ended;
    agent.destroy();
    // Now and then the next one does not even come to its first word.
    for (let left = between(0, 5) === 0 ? between(1, 2) : 0; left > 0; left -= 1) {
      const early = new Child(binary, box.daemon.command(`127.0.0.1:${box.daemon.port}`), { env: box.daemon.env, log: box.daemon.log });
      await pause(between(0, 80));
      await kill(early);
    }
    await box.daemon.start(`127.0.0.1:${box.daemon.port}`);
    const all = [...standing, ...confirmed];
    const stays = await Promise.all(all.map(async ({ kind, fact }) => {
      checked[kind] = (checked[kind] ?? 0) + 1;
      return works[kind].check(fact);
    })).catch((error) => {
      throw new Error(`round ${round}, SEED=${seed}: ${error.message}`, { cause: error });
    });
    standing = all.filter((_, index) => stays[index]);
  }
  for (const { kind, fact } of standing) {
    fact.rounds = 0;
    await works[kind].check(fact);
  }
  t.diagnostic(`checked ${JSON.stringify(checked)}`);
  for (const kind of Object.keys(works)) assert.ok(kills < 20 || checked[kind] > 0, `${kind} was tried`);

  // An orderly stop ends what runs, of which nobody may have been told: but only what the daemon knows.
  assert.deepEqual(await box.daemon.stop(), { code: 0, signal: null });
  await until("nothing is left running", () => {
    const left = atWork();
    if (left.length > 0) throw new Error(left.join(", "));
    return true;
  });
  const rest = readdirSync(join(box.daemon.workspace, "own")).concat(readdirSync(box.daemon.workspace)).filter((name) => name.startsWith(".selfagent-"));
  assert.deepEqual(rest, [], "no piece of a file is left");
});

test("a program that the killed daemon had only begun to start is not started", async () => {
  const folder = join(box.folder, "late");
  const file = (name) => join(folder, name);
  mkdirSync(folder);
  copyFileSync(binary, file("selfagent"));
  // A keeper that is slow to come up.
  const keeper = join(dirname(binary), "selfagent-keeper");
  writeFileSync(file("selfagent-keeper"), `#!/bin/sh\necho $$ > ${file("waits")}\nuntil [ -e ${file("go")} ]; do /bin/sleep 0.02; done\nexec ${keeper} "$@"\n`, { mode: 0o755 });
  const daemon = await new Daemon({ folder, program: [file("selfagent")] }).start();
  const lost = daemon.shell(`touch ${file("ran")}`).then(() => "answered", () => "lost");
  const pid = await until("the keeper waits", () => Number(readFileSync(file("waits"), "utf8")));
  await kill(daemon.child);
  assert.equal(await lost, "lost");
  writeFileSync(file("go"), "");
  await until("the keeper has ended", () => !isRunning(pid));
  assert.ok(!existsSync(file("ran")));
  await daemon.start();
  const { result } = await daemon.rpc("process_list", {});
  assert.deepEqual(result.structuredContent.processes, []);
  assert.equal(await daemon.shell(`touch ${file("ran")}; echo done`).then((text) => /^done$/m.test(text)), true);
  assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
});
