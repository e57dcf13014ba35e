// What a suite found: read from the files it leaves, not from what it prints.
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

const bad = ["FAILURE", "WARNING"];

/** The scenarios of a suite's output folder: [{scenario, checks}]; checks is undefined when the scenario broke off. */
function scenarios(folder) {
  return readdirSync(folder).flatMap((name) => {
    const [, scenario] = name.match(/^server-(.+)-\d{4}-\d\d-\d\dT[\d-]+Z$/) ?? [];
    const file = join(folder, name, "checks.json");
    return scenario ? [{ scenario, checks: existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : undefined }] : [];
  });
}

/**
 * Judges the folder that `suite` left: {ok, line, problems}.
 *
 * A scenario passes when a check succeeded and none failed or warned. The suites themselves let warnings pass, and
 * scenarios that could not check anything; that would hide a server that stopped doing what it should.
 */
export function judge(suite, folder) {
  const problems = [];
  const found = scenarios(folder);
  const passes = ({ scenario, checks }) => {
    const wrong = checks ? checks.filter(({ status }) => bad.includes(status)).map(told) : ["broke off without a result"];
    if (checks && !wrong.length && !checks.some(({ status }) => status === "SUCCESS")) wrong.push(`checked nothing: ${checks.map(told).join("; ")}`);
    problems.push(...wrong.map((text) => `${scenario}: ${text}`));
    return wrong.length === 0;
  };
  const select = (names) => found.filter(({ scenario }) => names === "all" || names.includes(scenario));

  const scored = select(suite.scored);
  const passed = scored.filter(passes).length;
  const others = select(suite.others).filter(passes).length;
  if (new Set(scored.map(({ scenario }) => scenario)).size !== suite.expected) {
    problems.push(`${scored.length} scored scenarios ran, ${suite.expected} are expected`);
  }
  for (const name of suite.others.filter((other) => !found.some(({ scenario }) => scenario === other))) problems.push(`${name}: did not run`);

  const checks = [...scored, ...select(suite.others)].flatMap((result) => result.checks ?? []);
  const count = (...kinds) => checks.filter(({ status }) => kinds.includes(status)).length;
  const more = suite.others.length ? ` and ${others} of ${suite.others.length} others` : "";
  return {
    ok: problems.length === 0 && passed === suite.expected && others === suite.others.length,
    line: `conformance ${suite.name}: ${passed} of ${suite.expected} scored scenarios${more}, ${count("SUCCESS")} checks passed, ${count(...bad)} failed`,
    problems,
    optional: found.filter((result) => !scored.includes(result) && !suite.others.includes(result.scenario)).map(({ scenario }) => scenario),
  };
}

const told = ({ status, id, errorMessage, details, description }) => `${status} ${id}: ${errorMessage ?? details?.message ?? description}`;
