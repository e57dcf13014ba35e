// Writes web/dist: the page as static files, with noVNC and xterm.js bundled in and nothing loaded from elsewhere.
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const web = (path) => fileURLToPath(new URL(path, import.meta.url));
const dist = web("dist");

rmSync(dist, { recursive: true, force: true });
mkdirSync(dist, { recursive: true });
for (const file of ["index.html", "icon.svg"]) cpSync(web(`src/${file}`), `${dist}/${file}`);

/** What the bundles contain, and the files with its licenses. */
const contents = [
  { bundle: "app.js", name: "noVNC", from: "@novnc/novnc", licenses: ["LICENSE.txt", "docs/LICENSE.MPL-2.0", "vendor/pako/LICENSE"] },
  { bundle: "xterm.js", name: "xterm.js", from: "@xterm/xterm", licenses: ["LICENSE"] },
  { bundle: "xterm.js", name: "xterm.js addon-fit", from: "@xterm/addon-fit", licenses: ["LICENSE"] },
].map((part) => {
  const folder = web(`node_modules/${part.from}`);
  const { version, homepage, repository } = JSON.parse(readFileSync(`${folder}/package.json`, "utf8"));
  const address = (homepage ?? repository?.url ?? repository).replace(/^git\+|\.git$/g, "");
  const texts = part.licenses.map((file) => readFileSync(`${folder}/${file}`, "utf8"));
  return { ...part, version, text: `${part.bundle} contains ${part.name} ${version}, ${address}, whose licenses follow.\n\n${texts.join("\n\n")}` };
});
writeFileSync(`${dist}/licenses.txt`, contents.map(({ text }) => text).join("\n\n"));
const novncVersion = contents[0].version;

const options = {
  entryPoints: [web("src/app.ts"), web("src/app.css"), web("src/xterm.ts")],
  external: ["./xterm.js"], // loaded when it is needed
  outdir: dist,
  bundle: true,
  format: "esm",
  target: ["es2022"],
  minify: true,
  banner: { js: `/*! Contains noVNC ${novncVersion} (MPL-2.0) or xterm.js (MIT); see licenses.txt. */` },
  logLevel: "info",
};

if (process.argv.includes("--watch")) {
  await (await esbuild.context(options)).watch();
} else {
  await esbuild.build(options);
}
