// The suites that we pass, and what they have to run to count: a suite that runs less than it did fails.
//
// A requirement set is frozen: it names the scenarios that a server of that revision must pass ("scored"), and runs
// others beside them. Of those, `others` are ours to pass as well; the rest is optional and only reported: the
// extension io.modelcontextprotocol/tasks, which this daemon does not offer.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
export const modules = join(here, "../clients/node_modules");

/** The two packages: the newest speaks both eras, the older is what most servers were measured with. */
const program = (version) => join(modules, `conformance-${version}/dist/index.js`);

export const suites = [
  {
    name: "2025-11-25",
    program: program("0.2"),
    args: ["--requirements", "2025-11-25"],
    scored: requirements("2025-11-25"),
    expected: 30,
    others: ["json-schema-2020-12", "server-session-lifecycle", "server-sse-polling"],
  },
  {
    name: "2026-07-28",
    program: program("0.2"),
    args: ["--requirements", "2026-07-28"],
    scored: requirements("2026-07-28"),
    expected: 37,
    others: ["http-custom-header-server-validation", "http-header-validation", "json-schema-2020-12"],
  },
  { name: "0.1.16", program: program("0.1"), args: ["--suite", "all"], scored: "all", expected: 32, others: [] },
];

// The names under `server:` in the package's own list.
function requirements(revision) {
  const text = readFileSync(join(modules, `conformance-0.2/requirements/${revision}.yaml`), "utf8");
  const [, list] = text.match(/^server:\n((?:  - \S+\n)+)/m) ?? [];
  if (!list) throw new Error(`requirements/${revision}.yaml of the conformance suite has no list "server:"`);
  return list.trim().split("\n").map((line) => line.replace(/^\s*- /, ""));
}
