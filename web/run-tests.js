// Bundles tests/page/*.test.js (they import the page's TypeScript) and runs them with node's own runner.
import { spawnSync } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const tests = fileURLToPath(new URL("../tests/page/", import.meta.url));
// Below web/node_modules, so that the bundles find the packages that are left out of them.
const output = fileURLToPath(new URL("node_modules/.cache/page-tests/", import.meta.url));
const chosen = process.argv.slice(2);
const files = readdirSync(tests)
  .filter((name) => name.endsWith(".test.js"))
  .filter((name) => chosen.length === 0 || chosen.some((word) => name.includes(word)));

rmSync(output, { recursive: true, force: true });
await esbuild.build({
  entryPoints: files.map((name) => tests + name),
  outdir: output,
  bundle: true,
  format: "esm",
  outExtension: { ".js": ".mjs" }, // no package.json above them says so
  platform: "node",
  target: ["node18"],
  packages: "external",
  logLevel: "warning",
});
const environment = {
  ...process.env,
  PAGE_DIST: process.env.PAGE_DIST ?? fileURLToPath(new URL("dist", import.meta.url)),
};
const run = spawnSync(process.execPath, ["--test", ...files.map((name) => output + name.replace(/\.js$/, ".mjs"))], {
  stdio: "inherit",
  env: environment,
});
process.exit(run.status ?? 1);
