// Plays the cases of tests/e2e/cases: what a scripted model says and a user does, and the events of the conversation that
// come of it. CASES_UPDATE=1 writes what came as what is expected; CASES=name,name plays only these.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe } from "node:test";
import { checkScript, difference, fits, readCases, settingsOf, steady, update } from "./case_folder.mjs";
import { test, until, useBox } from "./harness.mjs";
import { startServer } from "./model_server/server.mjs";

const only = process.env.CASES?.split(",");
const cases = readCases().filter(({ name }) => !only || only.includes(name));

const storedEvents = async (daemon, conversation) =>
  (await daemon.events(`/api/conversations/${conversation}/events`, ({ kind }) => kind === "caught_up")).filter(({ id }) => id);

function writeFiles(folder, files) {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
}

async function putSecret(daemon, name, value) {
  const { status, text } = await daemon.post(`/api/secrets/${name}`, { value }, { method: "PUT" });
  assert.equal(status, 200, text);
}

/** What a user does in one conversation. */
class User {
  constructor(daemon) {
    this.daemon = daemon;
    this.jobs = [];
  }

  async say(prompt) {
    const { status, body, text } = await this.daemon.post("/api/chat", { prompt, wait: false, ...(this.conversation && { conversation_id: this.conversation }) });
    assert.equal(status, 202, text);
    this.conversation = body.conversation_id;
    this.jobs.push(body.job_id);
  }

  see(event) {
    return until(`an event ${JSON.stringify(event)}`, async () => (await storedEvents(this.daemon, this.conversation))
      .some(({ kind, data }) => Object.entries(event).every(([name, value]) => fits(value, name === "kind" ? kind : data[name]))));
  }

  file(name) {
    return until(`the file ${name}`, () => existsSync(join(this.daemon.workspace, name)));
  }

  write(files) {
    writeFiles(this.daemon.workspace, files);
  }

  async answer(given) {
    const { call_id } = await until("a question about a call", async () => (await this.daemon.get(`/status/${this.jobs[0]}`)).body.approval ?? undefined);
    const { status, text } = await this.daemon.post(`/api/conversations/${this.conversation}/approvals/${call_id}`, given);
    assert.equal(status, 200, text);
  }

  async cancel() {
    const { status, text } = await this.daemon.post(`/cancel/${this.jobs.at(-1)}`, {});
    assert.equal(status, 200, text);
  }

  restart(signal) {
    return this.daemon.restart(signal);
  }

  async end() {
    for (const job of this.jobs) await this.daemon.finished(job);
  }
}

async function play(box, { script, expected, file }) {
  const { daemon, model, fallback } = box;
  for (const name of readdirSync(daemon.workspace)) rmSync(join(daemon.workspace, name), { recursive: true });
  writeFiles(daemon.workspace, script.files ?? {});
  const secrets = Object.entries(script.secrets ?? {});
  for (const [name, value] of secrets) await putSecret(daemon, name, value);
  model.play({ ...script.settings?.model, turns: script.turns });
  fallback?.play({ turns: script.fallback_turns });

  const user = new User(daemon);
  for (const step of script.user) {
    const [[what, given]] = Object.entries(step);
    await user[what](given);
  }
  await user.end();

  const stored = await storedEvents(daemon, user.conversation);
  for (const [name, value] of secrets) {
    const everything = JSON.stringify([stored, model.requests.map(({ body }) => body)]);
    assert.ok(!everything.includes(JSON.stringify(value).slice(1, -1)), `the events or the prompts have the value of ${name}`);
    await daemon.fetch(`/api/secrets/${name}`, { method: "DELETE" });
  }
  const events = steady(stored, [[daemon.workspace, "WORKSPACE"], [model.url, "MODEL_URL"], ...(fallback ? [[fallback.url, "FALLBACK_URL"]] : [])]);
  if (process.env.CASES_UPDATE) update(file, expected, events);
  else assert.ok(expected, `there is no ${file}: CASES_UPDATE=1 writes it from this run`);
  const differs = difference(process.env.CASES_UPDATE ? events : expected, events);
  assert.equal(differs, "", `the events differ (- expected, + came):\n${differs}`);
  for (const { requests, left } of [model, ...(fallback ? [fallback] : [])]) {
    assert.deepEqual(requests.flatMap(({ problems }) => problems), [], "every request was right, and had what the script expected");
    assert.equal(left(), 0, "every turn of the script was played");
  }
}

const groups = new Map();
for (const one of cases) {
  const key = settingsOf(one.script.settings, one.script.fallback_turns !== undefined);
  groups.set(key, [...(groups.get(key) ?? []), one]);
}

for (const [key, group] of groups) {
  const { env, args, desktop, model, fallback } = JSON.parse(key);
  describe(key, () => {
    const box = useBox({
      desktop,
      env,
      args,
      prepare: async (own) => {
        own.model = await startServer({ script: { model: "scripted", ...model } });
        if (!fallback) return { env: own.model.env };
        own.fallback = await startServer({ script: { model: "second" } });
        const stop = own.model.stop;
        own.model.stop = () => Promise.all([stop(), own.fallback.stop()]);
        const { LLM_API_BASE_URL, LLM_MODEL, LLM_API_KEY } = own.fallback.env;
        return { env: { ...own.model.env, LLM_FALLBACK_API_BASE_URL: LLM_API_BASE_URL, LLM_FALLBACK_MODEL: LLM_MODEL, LLM_FALLBACK_API_KEY: LLM_API_KEY } };
      },
    });
    for (const one of group) test(`${one.name}: ${one.script.about}`, () => play(box, one));
  });
}

describe("a case", () => {
  const right = { about: "x", turns: [{ text: "y" }], user: [{ say: "z" }] };
  for (const [what, wrong, word] of [
    ["an unknown member", { ...right, colour: 1 }, /"colour"/], ["an unknown setting", { ...right, settings: { flag: 1 } }, /settings.*"flag"/],
    ["an unknown member of a turn", { ...right, turns: [{ txt: "y" }] }, /turns\[0\].*"txt"/], ["an unknown step", { ...right, user: [{ say: "z" }, { shout: 1 }] }, /user\[1\].*"shout"/],
    ["two steps in one", { ...right, user: [{ say: "z", end: true }] }, /2 members/], ["nothing said", { ...right, user: [] }, /first step/],
    ["no turns", { about: "x", user: right.user }, /"turns"/],
  ]) {
    test(`with ${what} is refused by name`, () => assert.throws(() => checkScript(wrong, "script.json"), word));
  }

  test("is compared in order, and a difference is shown", () => {
    checkScript(right, "script.json");
    const [a, b, c] = ["a", "b", "c"].map((kind) => ({ kind, text: `${kind} 12` }));
    assert.equal(difference([a, { kind: "b", text: "b …" }], [a, b]), "");
    assert.equal(difference([a, b], [a, c]), `  a\n- ${JSON.stringify(b)}\n+ ${JSON.stringify(c)}`);
    assert.notEqual(difference([a, b], [b, a]), "", "in another order");
    assert.notEqual(difference([a], [{ ...a, more: 1 }]), "", "with a member more");
    assert.notEqual(difference([{ ...a, more: 1 }], [a]), "", "with a member less");
    assert.notEqual(difference([a], [a, b]), "", "with an event more");
    assert.notEqual(difference([{ kind: "a", text: "1… 12" }], [a]), "", "the open part is the only one");
  });

  test("has an expected.jsonl", () => {
    if (!process.env.CASES_UPDATE) assert.deepEqual(cases.filter(({ file }) => !existsSync(file)).map(({ name }) => name), []);
  });
});
