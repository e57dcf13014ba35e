// Code that keeps its state between calls, as clients run it: text, pictures, errors, interrupts, restarts.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe } from "node:test";
import { sdkClients } from "./sdk.mjs";
import { decodePng, isRunning, pngSize, put, test, textOf, until, useBox } from "./harness.mjs";

const box = useBox({ windowManager: false });

async function call(code, more = {}) {
  const { result, error } = await box.daemon.rpc("run_code", { language: "python", code, ...more });
  assert.ok(result, JSON.stringify(error));
  return { text: textOf(result), content: result.content, isError: result.isError === true };
}

const kernels = async () => {
  const { result } = await box.daemon.rpc("process_list", {});
  return result.structuredContent.processes.filter(({ command }) => command.startsWith("kernel "));
};

describe("run_code", () => {
  test("keeps what was defined, for all clients, in each session its own", async () => {
    assert.match((await call("x = 6\nprint('hello')\nx * 7")).text, /python default is a new kernel[^]*\nhello\nOut\[1\]: 42$/);
    const client = await sdkClients["SDK v1 over http"].connect(box.daemon);
    try {
      const result = await client.callTool({ name: "run_code", arguments: { language: "python", code: "x + 1" } });
      assert.match(textOf(result), /^done after \d+ ms\nOut\[2\]: 7$/);
    } finally {
      await client.close();
    }
    const other = await call("x", { session: "other" });
    assert.match(other.text, /NameError/);
    assert.equal(other.isError, true);
    assert.deepEqual((await kernels()).map(({ command }) => command).sort(), ["kernel python default", "kernel python other"]);
  });

  test("shows a figure of matplotlib as an image block that is the picture", async () => {
    const { content, text, isError } = await call(
      "import matplotlib.pyplot as plt\n" +
      "figure, axes = plt.subplots(figsize=(4, 3), dpi=100)\n" +
      "axes.set_facecolor((1, 0, 0))\naxes.plot([1, 4, 9, 16], color=(0, 0, 1), linewidth=6)\nplt.show()\nprint('shown')");
    assert.equal(isError, false, text);
    assert.match(text, /\[picture 1: \d+x\d+, below\]\nshown$/);
    assert.deepEqual(content.map(({ type }) => type), ["text", "image"]);
    assert.equal(content[1].mimeType, "image/png");
    const file = Buffer.from(content[1].data, "base64");
    const { width, height } = pngSize(file);
    assert.ok(text.includes(`${width}x${height}`));
    const picture = await decodePng(file);
    const share = (wanted) => {
      let count = 0;
      for (let y = 0; y < height; y += 1) for (let x = 0; x < width; x += 1) count += picture.at(x, y) === wanted;
      return count / (width * height);
    };
    assert.ok(share("ff0000") > 0.4, "the area of the axes is red");
    assert.ok(share("0000ff") > 0.005, "there is a blue line");
  });

  test("shows a table as text and an error with its traceback", async () => {
    assert.match((await call("import pandas\npandas.DataFrame({'a': [1, 2], 'b': ['x', 'y']})")).text, /\n   a  b\n0  1  x\n1  2  y$/);
    const failed = await call("def f():\n    return {}['missing']\nf()");
    assert.equal(failed.isError, true);
    assert.match(failed.text, /^failed after [^]*return \{\}\['missing'\][^]*KeyError: 'missing'$/);
    assert.doesNotMatch(failed.text, /\x1b/);
  });

  test("runs TypeScript and JavaScript with the same care", async () => {
    const typescript = (code) => call(code, { language: "typescript" });
    assert.match((await typescript("interface P { x: number }\nconst p: P = { x: 5 };\nimport { basename } from 'node:path';")).text, /^done after/);
    assert.match((await typescript("const late: number = await Promise.resolve(p.x); [late, basename('/a/b')]")).text, /\nOut\[2\]: \[ 5, 'b' \]$/);
    const failed = await typescript("type Gone = {\n};\nthrow new Error('here')");
    assert.equal(failed.isError, true);
    assert.match(failed.text, /\nError: here\n    at run-3\.ts:3:7$/);
    assert.match((await call("let n = 1; n + 1", { language: "javascript" })).text, /\nOut\[1\]: 2$/);
  });

  test("interrupts the code of a client that vanishes or cancels, and keeps the state", async () => {
    await call("kept = 11");
    for (const way of ["vanishes", "cancels"]) {
      const began = join(box.daemon.workspace, `began-${way}`);
      const socket = await box.daemon.webSocket();
      socket.send({ jsonrpc: "2.0", id: 7, method: "run_code", params: { language: "python", code: `open('began-${way}', 'w')\nwhile True: pass` } });
      await until("the code runs", () => existsSync(began));
      if (way === "cancels") socket.send({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 7 } });
      else await socket.close();
      assert.match((await call("kept")).text, /Out\[\d+\]: 11$/, `after a client that ${way}`);
      if (way === "cancels") await socket.close();
    }
  });

  test("does not stop what is slow, and gives the rest to an empty code", async () => {
    const begun = await call("import os, time\nprint('begun', flush=True)\nwhile not os.path.exists('go'): time.sleep(0.01)\n'end'", { timeout_ms: 5000 });
    assert.match(begun.text, /^still running after [^]*\nbegun$/);
    assert.equal(begun.isError, false);
    const busy = await call("1", { timeout_ms: 50 });
    assert.equal(busy.isError, true);
    assert.match(busy.text, /is busy: it still runs the code of an earlier call/);
    put(box, "go", "");
    assert.match((await call("")).text, /^done after [^]*Out\[\d+\]: 'end'$/);
  });

  test("tells of a kernel that died, and that the next one knows nothing", async () => {
    const died = await call("import os; os.kill(os.getpid(), 9)", { session: "mortal" });
    assert.equal(died.isError, true);
    assert.match(died.text, /kernel python mortal ended unexpectedly, killed by signal 9/);
    assert.match((await call("1", { session: "mortal" })).text, /killed by signal 9[^]*began with nothing defined\nOut\[1\]: 1$/);
  });

  test("goes on with the kernels of a killed daemon, also with code that still runs", async () => {
    const living = async () => (await kernels()).filter(({ state }) => state === "running").map(({ command, pid }) => `${command} ${pid}`).sort();
    await call("survivor = 40");
    await call("let survivor: number = 41", { language: "typescript" });
    await call("import os, time\nprint('begun', flush=True)\nwhile not os.path.exists('on'): time.sleep(0.01)\nprint('late', flush=True); 'end'", { session: "busy", timeout_ms: 1 });
    await until("the code runs", async () => /begun/.test((await call("", { session: "busy", timeout_ms: 50 })).text));
    const before = await living();
    await box.daemon.restart("SIGKILL");
    assert.deepEqual(await living(), before);
    assert.match((await call("survivor + 2")).text, /^done after \d+ ms\nOut\[\d+\]: 42$/);
    assert.match((await call("survivor + 1", { language: "typescript" })).text, /^done after \d+ ms\nOut\[\d+\]: 42$/);
    const busy = await call("1", { session: "busy" });
    assert.equal(busy.isError, true);
    assert.match(busy.text, /is busy: it still runs the code of an earlier call[^]*empty code to wait/);
    put(box, "on", "");
    const rest = await call("", { session: "busy" });
    assert.equal(rest.isError, false, rest.text);
    assert.match(rest.text, /^done after [^]*the daemon was restarted before it told how this code ended[^]*is lost\]\nlate\nOut\[\d+\]: 'end'$/);
    assert.deepEqual(await living(), before);
  });

  test("tells of a kernel that ended while there was no daemon, and leaves nothing at an orderly stop", async () => {
    const find = async () => (await kernels()).find(({ command, state }) => command === "kernel python default" && state === "running");
    const { id, pid } = await find();
    assert.ok(isRunning(pid));
    await box.daemon.stop("SIGKILL");
    process.kill(pid, "SIGKILL");
    await until("the kernel has ended", () => !isRunning(pid));
    await box.daemon.start(`127.0.0.1:${box.daemon.port}`);
    const fresh = await call("survivor");
    assert.match(fresh.text, /had ended when the daemon was restarted[^]*NameError/);
    const later = await find();
    assert.notEqual(later.id, id);
    await box.daemon.restart("SIGTERM");
    await until("the kernel has ended", () => !isRunning(later.pid));
  });
});
