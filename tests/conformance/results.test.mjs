// The judge itself: a suite that ran less, or that only warned, must not pass.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { judge } from "./results.mjs";
import { suites } from "./suites.mjs";

/** What judge() says of a suite that left these: {scenario: statuses}, undefined for one that broke off. */
function judged(results, suite = {}) {
  const folder = mkdtempSync(join(tmpdir(), "selfagent-judge-"));
  try {
    for (const [scenario, statuses] of Object.entries(results)) {
      const name = join(folder, `server-${scenario}-2026-11-21T09-33-57-620Z`);
      mkdirSync(name);
      if (statuses) writeFileSync(join(name, "checks.json"), JSON.stringify(statuses.map((status) => ({ status, id: "check", errorMessage: "why" }))));
    }
    return judge({ name: "x", scored: ["ping", "tools-list"], expected: 2, others: ["caching"], ...suite }, folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const good = { ping: ["SUCCESS", "INFO"], "tools-list": ["SUCCESS", "SKIPPED"], caching: ["SUCCESS"], "tasks-list": ["FAILURE"] };

test("all that is ours passes", () => {
  const { ok, line, problems, optional } = judged(good);
  assert.deepEqual({ ok, problems, optional }, { ok: true, problems: [], optional: ["tasks-list"] });
  assert.equal(line, "conformance x: 2 of 2 scored scenarios and 1 of 1 others, 3 checks passed, 0 failed");
});

for (const [name, results, problem] of [
  ["a failure", { ...good, ping: ["SUCCESS", "FAILURE"] }, "ping: FAILURE check: why"],
  ["a warning", { ...good, ping: ["SUCCESS", "WARNING"] }, "ping: WARNING check: why"],
  ["a scenario that checked nothing", { ...good, ping: ["INFO"] }, "ping: checked nothing: INFO check: why"],
  ["a scenario that broke off", { ...good, ping: undefined }, "ping: broke off without a result"],
  ["another scenario that fails", { ...good, caching: ["FAILURE"] }, "caching: FAILURE check: why"],
]) {
  test(`${name} fails`, () => {
    const { ok, problems } = judged(results);
    assert.deepEqual({ ok, problems }, { ok: false, problems: [problem] });
  });
}

test("a suite that ran less, or nothing, fails", () => {
  assert.equal(judged({ ping: ["SUCCESS"], caching: ["SUCCESS"] }).ok, false);
  assert.deepEqual(judged({}).problems, ["0 scored scenarios ran, 2 are expected", "caching: did not run"]);
  assert.equal(judged({}, { scored: "all", others: [] }).ok, false);
});

test("the package's requirement lists are as long as they were", () => {
  assert.deepEqual(suites.slice(0, 2).map(({ name, scored }) => [name, scored.length]), [["2025-11-25", 30], ["2026-07-28", 37]]);
});
