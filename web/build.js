// Writes web/dist: the page as static files, with noVNC bundled in and nothing loaded from elsewhere.
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const web = (path) => fileURLToPath(new URL(path, import.meta.url));
const dist = web("dist");

rmSync(dist, { recursive: true, force: true });
mkdirSync(dist, { recursive: true });
for (const file of ["index.html", "icon.svg"]) cpSync(web(`src/${file}`), `${dist}/${file}`);

const novnc = web("node_modules/@novnc/novnc");
const version = JSON.parse(readFileSync(`${novnc}/package.json`, "utf8")).version;
const licenses = ["LICENSE.txt", "docs/LICENSE.MPL-2.0", "vendor/pako/LICENSE"];
writeFileSync(
  `${dist}/licenses.txt`,
  `app.js contains noVNC ${version}, https://github.com/novnc/noVNC, whose licenses follow.\n\n` +
    licenses.map((file) => readFileSync(`${novnc}/${file}`, "utf8")).join("\n\n"),
);

const options = {
  entryPoints: [web("src/app.ts"), web("src/app.css")],
  outdir: dist,
  bundle: true,
  format: "esm",
  target: ["es2022"],
  minify: true,
  banner: { js: `/*! Contains noVNC ${version} (MPL-2.0); see licenses.txt. */` },
  logLevel: "info",
};

if (process.argv.includes("--watch")) {
  await (await esbuild.context(options)).watch();
} else {
  await esbuild.build(options);
}
