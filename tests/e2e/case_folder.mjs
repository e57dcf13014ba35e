// Reads the folders of tests/e2e/cases: what is played, and what must come of it. cases/README.md has the format.
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { here } from "./harness.mjs";
import { turnMembers } from "./model_server/server.mjs";

const folder = join(here, "cases");

const members = {
  script: ["about", "settings", "files", "secrets", "turns", "fallback_turns", "user"],
  settings: ["env", "args", "desktop", "model"],
  model: ["refuses", "positions"],
  call: ["name", "arguments", "extra"],
  answer: ["decision", "reason", "arguments"],
};
const steps = ["say", "see", "file", "write", "answer", "cancel", "restart", "end"];

function check(object, known, where) {
  if (object === null || typeof object !== "object" || Array.isArray(object)) throw new Error(`${where} is ${JSON.stringify(object)}, not an object`);
  for (const name of Object.keys(object)) {
    if (!known.includes(name)) throw new Error(`${where} has the unknown member "${name}"; known are ${known.join(", ")}`);
  }
}

function checkTurns(turns, where) {
  turns.forEach((turn, index) => {
    check(turn, turnMembers, `${where}[${index}]`);
    for (const call of turn.calls ?? []) check(call, members.call, `${where}[${index}].calls`);
    checkTurns(turn.before ?? [], `${where}[${index}].before`);
  });
}

/** Throws what is wrong with a script.json. */
export function checkScript(script, name) {
  check(script, members.script, name);
  for (const needed of ["about", "turns", "user"]) {
    if (!(needed in script)) throw new Error(`${name} has no "${needed}"`);
  }
  check(script.settings ?? {}, members.settings, `${name}: settings`);
  check(script.settings?.model ?? {}, members.model, `${name}: settings.model`);
  checkTurns(script.turns, `${name}: turns`);
  checkTurns(script.fallback_turns ?? [], `${name}: fallback_turns`);
  script.user.forEach((step, index) => {
    check(step, steps, `${name}: user[${index}]`);
    if (Object.keys(step).length !== 1) throw new Error(`${name}: user[${index}] has ${Object.keys(step).length} members, a step is one of ${steps.join(", ")}`);
    if (step.answer) check(step.answer, members.answer, `${name}: user[${index}].answer`);
  });
  if (!script.user[0]?.say) throw new Error(`${name}: user begins with ${JSON.stringify(script.user[0])}: the first step must be "say"`);
}

/** All cases: {name, script, expected, file}; `expected` is undefined where none was written yet. */
export function readCases() {
  return readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map(({ name }) => {
    const script = JSON.parse(readFileSync(join(folder, name, "script.json"), "utf8"));
    checkScript(script, `cases/${name}/script.json`);
    const file = join(folder, name, "expected.jsonl");
    const expected = existsSync(file) ? readFileSync(file, "utf8").split("\n").filter(Boolean).map((line) => JSON.parse(line)) : undefined;
    return { name, script, expected, file };
  }).sort((one, other) => one.name.localeCompare(other.name));
}

/** The settings that a daemon and its model have for a case, as a text: cases with the same one share them. */
export function settingsOf({ env = {}, args = [], desktop = false, model = {} } = {}, fallback = false) {
  return JSON.stringify({ env, args, desktop, model, fallback });
}

// Other in each run, or told by another event.
const volatile = ["seq", "ts_ms", "conversation_id", "elapsed_ms", "usage"];

/** The stored events without what is other in each run; `hidden` is [[text, word]…]: texts of this run that become words. */
export function steady(events, hidden) {
  const jobs = [];
  const text = (words) => {
    let shown = words;
    for (const [found, word] of hidden) shown = shown.replaceAll(found, word);
    return shown.replace(/\bj-[0-9a-z-]+\b/g, (job) => `job-${(jobs.includes(job) ? jobs : (jobs.push(job), jobs)).indexOf(job) + 1}`)
      .replace(/\b(look_|call_)[0-9a-f]{9,10}\b/g, "$1…").replace(/\b\d+(\.\d+)? ms\b/g, "… ms");
  };
  const value = (any) => {
    if (typeof any === "string") return text(any);
    if (Array.isArray(any)) return any.map(value);
    if (any === null || typeof any !== "object") return any;
    return Object.fromEntries(Object.entries(any).filter(([name]) => !volatile.includes(name)).map(([name, of]) => [name, name === "sha256" ? "…" : value(of)]));
  };
  return events.map(({ kind, data }) => ({ kind, ...value(Object.fromEntries(Object.entries(data).filter(([name]) => name !== "kind"))) }));
}

/** Whether `actual` is what `expected` says; "…" in a text stands for any text. */
export function fits(expected, actual) {
  if (typeof expected === "string") {
    if (typeof actual !== "string") return false;
    const parts = expected.split("…").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    return new RegExp(`^${parts.join("[^]*")}$`).test(actual);
  }
  if (expected === null || typeof expected !== "object") return expected === actual;
  if (actual === null || typeof actual !== "object" || Array.isArray(actual) !== Array.isArray(expected)) return false;
  const names = Object.keys(expected);
  return names.length === Object.keys(actual).length && names.every((name) => name in actual && fits(expected[name], actual[name]));
}

/** The lines of both lists beside one another: [[expected?, actual?]…], in the way with the most that fit. */
function aligned(expected, actual) {
  const best = Array.from({ length: expected.length + 1 }, () => new Array(actual.length + 1).fill(0));
  for (let i = expected.length - 1; i >= 0; i -= 1) {
    for (let j = actual.length - 1; j >= 0; j -= 1) {
      best[i][j] = fits(expected[i], actual[j]) ? best[i + 1][j + 1] + 1 : Math.max(best[i + 1][j], best[i][j + 1]);
    }
  }
  const pairs = [];
  for (let i = 0, j = 0; i < expected.length || j < actual.length; ) {
    if (i < expected.length && j < actual.length && fits(expected[i], actual[j])) pairs.push([expected[i++], actual[j++]]);
    else if (i < expected.length && (j === actual.length || best[i + 1][j] >= best[i][j + 1])) pairs.push([expected[i++], undefined]);
    else pairs.push([undefined, actual[j++]]);
  }
  return pairs;
}

/** What differs, "" if nothing does: "-" is what was expected and did not come, "+" what came instead. */
export function difference(expected, actual) {
  const pairs = aligned(expected, actual);
  if (pairs.every(([one, other]) => one && other)) return "";
  return pairs.map(([one, other]) => (one && other ? `  ${one.kind}${one.tool ? ` ${one.tool}` : ""}` : one ? `- ${JSON.stringify(one)}` : `+ ${JSON.stringify(other)}`)).join("\n");
}

/** Writes what came as what is expected; lines that fit stay as they were, with what was left open in them. */
export function update(file, expected, actual) {
  const lines = aligned(expected ?? [], actual).filter(([, other]) => other).map(([one, other]) => JSON.stringify(one ?? other));
  writeFileSync(file, lines.map((line) => `${line}\n`).join(""));
}
