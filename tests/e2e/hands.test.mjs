// The hands among others: a person on the live view, two agents at once, clients that vanish, the clipboard, a GTK editor.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe } from "node:test";
import { Daemon, desktopBrowser, noBrowser, pngSize, put, test, textOf, until, useBox, within } from "./harness.mjs";
import { bearer, call, prepareTokens, startSession, tokens } from "./wire.mjs";

const idleSeconds = 5; // a busy machine may keep the person from moving the mouse for a while
const box = useBox({ args: ["--lease-idle", String(idleSeconds)], prepare: prepareTokens });
const tool = (name, params) => box.daemon.tool(name, params);
const failing = async (name, params, daemon = box.daemon) => {
  const answer = await daemon.rpc(name, params);
  assert.equal(answer.result?.isError, true, `${name} should fail: ${JSON.stringify(answer)}`);
  return textOf(answer.result);
};

/** A viewer of the live view after its handshake, as noVNC makes it. */
class Viewer {
  static async open(daemon = box.daemon) {
    const viewer = new Viewer();
    viewer.socket = await daemon.webSocket("/vnc", { protocols: ["binary"] });
    viewer.bytes = Buffer.alloc(0);
    viewer.socket.web.on("message", (bytes) => { viewer.bytes = Buffer.concat([viewer.bytes, bytes]); });
    const sent = (count) => until(`${count} bytes of the server`, () =>
      (viewer.bytes.length >= count || viewer.socket.messages.reduce((sum, { text }) => sum + text.length, 0) >= count));
    await sent(12);
    viewer.send("RFB 003.008\n");
    await sent(14); // one security type: none
    viewer.send([1]);
    await sent(18);
    viewer.send([1]);
    await sent(42);
    return viewer;
  }

  send(bytes) {
    this.socket.send(Buffer.from(bytes));
  }
  move(x, y, buttons = 0) {
    this.send([5, buttons, x >> 8, x & 255, y >> 8, y & 255]);
  }
  watch() {
    this.send([2, 0, 0, 1, 0, 0, 0, 0]);
    this.send([3, 0, 0, 0, 0, 0, 0, 16, 0, 16]);
  }
  close() {
    this.socket.web.terminate();
  }
}

const lease = async () => (await box.daemon.get("/lease")).body;

const inputs = {
  click: { x: 5, y: 5 }, move: { x: 5, y: 5 }, drag: { path: [[5, 5], [50, 50]] }, scroll: { x: 5, y: 5, dy: 1 }, type: { text: "a" },
  key: { keys: "a" }, mouse_button: { button: "left", state: "down" }, clipboard: { text: "x" }, launch: { command: "xterm" },
  window: { id: "0x1", action: "activate" },
};

describe("a person on the live view", () => {
  const noInput = ["shell", "write_file", "edit_file", "move_file", "delete_file", "run_code", "process_start", "process_write", "process_signal", "call_result"];

  test("the list of input tools is complete", async () => {
    const { result } = await box.daemon.rpc("tools/list", {});
    const acting = result.tools.filter(({ annotations }) => !annotations.readOnlyHint).map(({ name }) => name);
    const known = [...Object.keys(inputs), ...noInput, "actions"];
    assert.deepEqual(acting.filter((name) => !known.includes(name)), [], "a new tool that acts: does it need the lease?");
  });

  test("takes the input at once, every input tool is refused, and it comes back by itself", async () => {
    assert.deepEqual(await lease(), { holder: null });
    const viewer = await Viewer.open();
    try {
      viewer.watch();
      await tool("move", { x: 5, y: 5 }); // looking on takes nothing
      viewer.move(300, 200);
      await until("the person has it", async () => (await lease()).holder === "person");
      const keep = setInterval(() => viewer.move(300, 200), 100);
      try {
        for (const [name, params] of Object.entries(inputs)) {
          const text = await failing(name, params);
          assert.match(text, /nothing was done: a person has been using the mouse and keyboard through the live view \(viewer \d+\) for \d/, name);
          assert.match(text, /comes back 5\.0 s after their last use.*screenshot/, name);
        }
        await until("the pointer is there", async () => /pointer at \(300,200\)[^]*mouse and keyboard: a person/.test(await tool("screen_info")));
        await box.daemon.screenshot();
        await tool("windows");
        await tool("clipboard");
        const { holder, name, held_ms, returns_in_ms } = await lease();
        assert.equal(holder, "person");
        assert.match(name, /^viewer \d+$/);
        assert.ok(held_ms >= 0 && returns_in_ms > 0 && returns_in_ms <= 5000, `${held_ms} ${returns_in_ms}`);
      } finally {
        clearInterval(keep);
      }
      await until("it comes back", async () => !(await box.daemon.rpc("move", { x: 7, y: 8 })).result.isError, 20_000);
      assert.match(await tool("screen_info"), /pointer at \(7,8\)[^]*mouse and keyboard: free/);
    } finally {
      viewer.close();
    }
  });

  test("hands the input back with one request", async () => {
    const viewer = await Viewer.open();
    try {
      viewer.move(10, 10);
      await until("the person has it", async () => (await lease()).holder === "person");
      const { status, body } = await box.daemon.post("/lease/release", {});
      assert.deepEqual([status, body], [200, { holder: null, released: true }]);
      await tool("move", { x: 5, y: 5 });
      assert.equal((await box.daemon.post("/lease/release", {})).body.released, false);
    } finally {
      viewer.close();
    }
    assert.equal((await fetch(`${box.daemon.url}/lease`)).status, 401);
  });

  test("stops the action that is under way, and its keys are up", async () => {
    const viewer = await Viewer.open();
    const socket = await box.daemon.webSocket();
    try {
      socket.send({ jsonrpc: "2.0", id: 1, method: "key", params: { keys: "shift+F9", hold_ms: 10_000, settle_ms: 0 } });
      await until("the client has it", async () => (await lease()).holder === "client");
      viewer.move(400, 300);
      const answer = await within(20_000, "the call ends", socket.answer(1));
      assert.equal(answer.result.isError, true);
      assert.match(textOf(answer.result), /stopped in the middle, with every key and button released: a person/);
    } finally {
      viewer.close();
      await socket.close();
      await box.daemon.post("/lease/release", {});
    }
  });
});

describe("a client that takes the input", () => {
  const ask = (path, token, body = {}) => box.daemon.post(path, body, { headers: bearer(token) });
  const take = (token, body) => ask("/lease/take", token, body);
  const release = (token) => ask("/lease/release", token);
  const as = async (token, name, params) => (await box.daemon.post("/rpc", call(1, name, params), { headers: bearer(token) })).body.result;
  const at = { x: 20, y: 30 };

  test("holds it over several actions on every door; the agent and other clients are refused", async () => {
    const { status, body } = await take(tokens.desktop, { name: "nightly run", for_ms: 600_000 });
    assert.equal(status, 200, JSON.stringify(body));
    assert.deepEqual([body.holder, body.name, body.token], ["client", "nightly run", "hand"]);
    const socket = await box.daemon.webSocket("/ws", { headers: bearer(tokens.desktop) });
    try {
      assert.ok(!(await as(tokens.desktop, "move", at)).isError);
      assert.ok(!(await socket.request(1, "move", at)).result.isError);
      const session = await startSession(box.daemon, { headers: bearer(tokens.desktop) });
      const mcp = await box.daemon.post("/mcp", call(2, "tools/call", { name: "move", arguments: at }), { headers: { ...session, Accept: "application/json" } });
      assert.ok(!mcp.body.result.isError, JSON.stringify(mcp.body));

      const reason = /nothing was done: the client "nightly run", token "hand", has held the mouse and keyboard for .*screenshot/;
      for (const [name, params] of Object.entries(inputs)) assert.match(await failing(name, params), reason, name);
      const chat = await box.daemon.post("/api/chat", { prompt: "/click 100 200" });
      assert.match((await box.daemon.get(`/status/${chat.body.job_id}`)).body.error, reason);
      assert.match(await tool("screen_info"), /mouse and keyboard: the client "nightly run"/);
      const { holder, name, token, held_ms, idle_ms, returns_in_ms } = await lease();
      assert.deepEqual([holder, name, token], ["client", "nightly run", "hand"]);
      assert.ok(held_ms >= idle_ms && returns_in_ms > 0 && returns_in_ms <= 60_000, `${held_ms} ${idle_ms} ${returns_in_ms}`);

      for (const answer of [await take(tokens.owner), await release(tokens.owner)]) {
        assert.equal(answer.status, 409, JSON.stringify(answer.body));
        assert.match(answer.body.error.message, /the client "nightly run", token "hand", has held/);
      }
      assert.deepEqual((await release(tokens.desktop)).body, { holder: null, released: true });
      assert.ok(!(await as(tokens.owner, "move", at)).isError);
    } finally {
      await socket.close();
      await release(tokens.desktop);
    }
  });

  test("loses it to a person at once, and is told so", async () => {
    const viewer = await Viewer.open();
    try {
      assert.equal((await take(tokens.desktop)).body.name, "hand");
      viewer.move(320, 200);
      await until("the person has it", async () => (await lease()).holder === "person");
      assert.equal((await take(tokens.desktop)).status, 409);
      assert.equal((await release(tokens.desktop)).status, 403);
      const answer = await until("the client is told", async () => as(tokens.desktop, "move", at));
      assert.equal(answer.isError, true);
      assert.match(textOf(answer), /nothing was done: a person .*ended your hold of them: POST \/lease\/take again/);
      assert.equal((await release(tokens.owner)).status, 200);
      assert.ok(!(await as(tokens.desktop, "move", at)).isError);
    } finally {
      viewer.close();
      await release(tokens.owner);
    }
  });

  test("has it no longer than it asked for, and may only ask for what there is", async () => {
    try {
      assert.equal((await take(tokens.second, { for_ms: 1 })).status, 200);
      await until("it is over", async () => (await lease()).holder === null);
      for (const [body, reason] of [
        [{ for_ms: 0 }, /"for_ms" is 0: send a whole number from 1 to 600000/], [{ for_ms: 600_001 }, /600001/], [{ for_ms: 1.5 }, /1\.5/],
        [{ for_ms: "1" }, /for_ms/], [{ name: 'a "b"' }, /"name" has 5 bytes: send at most 80, without quotes/], [{ name: "x".repeat(81) }, /81 bytes/],
        [{ name: 1 }, /"name" must be a string/], [{ until: 1 }, /unknown member "until".*for_ms, name/], [[], /must be a JSON object/],
      ]) {
        const answer = await take(tokens.second, body);
        assert.equal(answer.status, 400, JSON.stringify(body));
        assert.match(answer.body.error.message, reason);
      }
      assert.deepEqual(await lease(), { holder: null });
    } finally {
      await release(tokens.second);
    }
  });

  test("is somebody whose token may use the hands", async () => {
    for (const token of [tokens.look, tokens.code]) {
      for (const path of ["/lease/take", "/lease/release"]) {
        const { status, body } = await ask(path, token);
        assert.equal(status, 403);
        assert.match(body.error.message, /(look|code)-only .* needs one of the profile desktop-only or full/);
      }
    }
    assert.equal((await fetch(`${box.daemon.url}/lease/take`, { method: "POST" })).status, 401);
  });
});

describe("in a browser", { skip: noBrowser }, () => {
  let browser;
  let page;
  before(async () => { ({ browser, page } = await desktopBrowser(box)); });
  after(() => browser?.close());

  /** Shows `body`; the page keeps its events. */
  async function show(body) {
    await page.setContent(`<!doctype html><meta charset="utf-8"><style>body{margin:0;height:100vh}textarea{width:600px;height:300px}</style><body>${body}`);
    await page.evaluate(() => {
      window.events = [];
      for (const type of ["mousedown", "mouseup", "click", "keydown", "keyup", "paste"]) {
        addEventListener(type, (event) => window.events.push({ type, key: event.key, detail: event.detail }), true);
      }
    });
  }
  const seen = (...types) => page.evaluate((wanted) => window.events.filter(({ type }) => wanted.includes(type)), types);
  const value = () => page.evaluate(() => document.querySelector("textarea").value);

  test("10,000 characters arrive, and the reply says how", async (context) => {
    await show("<textarea autofocus></textarea>");
    await tool("click", { x: 300, y: 100 });
    await tool("clipboard", { text: "mine" });
    const long = [..."The quick {brown} fox, \"jumps\" ~over~ ñ 美 😀 it.\n".repeat(250)].slice(0, 10_000).join("");
    for (const [route, text] of [["auto", long], ["keys", long.slice(0, 1000)], ["paste", "brief"]]) {
      await page.evaluate(() => { document.querySelector("textarea").value = ""; });
      const begin = performance.now();
      const answer = await tool("type", { text, route });
      const took = performance.now() - begin;
      await until("it is there", async () => (await value()) === text, 60_000);
      assert.match(answer, new RegExp(`^${route === "keys" ? "typed" : "pasted"} ${[...text].length} characters`));
      context.diagnostic(`${[...text].length} characters by ${route}: ${Math.round(took)} ms with settling, there after ${Math.round(performance.now() - begin)} ms`);
    }
    assert.equal(await tool("clipboard"), "mine");
    assert.match(await tool("type", { text: "short" }), /^typed 5 characters/);
  });

  test("a key that is held down when its client dies is released", async () => {
    await show("<textarea autofocus></textarea>");
    await tool("click", { x: 300, y: 100 });
    const socket = await box.daemon.webSocket();
    socket.send({ jsonrpc: "2.0", id: 1, method: "key", params: { keys: "shift+F9", hold_ms: 10_000 } });
    await until("shift is down", async () => (await seen("keydown")).some(({ key }) => key === "F9"));
    socket.web.terminate();
    await until("shift is up", async () => (await seen("keyup")).some(({ key }) => key === "Shift"), 8_000); // before its time
    await tool("type", { text: "small" });
    assert.equal(await until("the text", value), "small");
  });

  test("SIGTERM releases a button and a key that are down", async () => {
    await show("<textarea autofocus></textarea>");
    const folder = join(box.folder, "stopping");
    mkdirSync(folder);
    const other = await new Daemon({ folder, desktop: box.desktop }).start();
    await other.tool("click", { x: 300, y: 100 });
    await other.tool("move", { x: 900, y: 600 });
    await other.tool("mouse_button", { button: "left", state: "down" });
    const holding = other.rpc("key", { keys: "shift+F9", hold_ms: 10_000 }).catch(() => {});
    await until("both are down", async () => (await seen("keydown")).some(({ key }) => key === "F9") && (await seen("mousedown")).length === 2);
    assert.deepEqual(await other.stop("SIGTERM"), { code: 0, signal: null });
    await holding;
    await until("both are up", async () => (await seen("keyup")).some(({ key }) => key === "Shift") && (await seen("mouseup")).length === 2, 20_000);
  });

  test("a button that another keeps down is let go when a client takes the input", async () => {
    await show("");
    await tool("move", { x: 300, y: 300 });
    await tool("mouse_button", { button: "left", state: "down" });
    await until("it is down", async () => (await seen("mousedown")).length === 1);
    try {
      assert.equal((await box.daemon.post("/lease/take", {}, { headers: bearer(tokens.desktop) })).status, 200);
      await until("it is up", async () => (await seen("mouseup")).length === 1, 8_000); // before its time
    } finally {
      await box.daemon.post("/lease/release", {}, { headers: bearer(tokens.desktop) });
    }
  });

  test("a drag and a text of two clients do not mix", async () => {
    await show("<textarea autofocus></textarea>");
    await tool("click", { x: 300, y: 100 });
    const [one, two] = [await box.daemon.webSocket(), await box.daemon.webSocket()];
    const text = "abcdefghij".repeat(20);
    await page.evaluate(() => { window.events = []; });
    await Promise.all(["a", "b", "c"].flatMap((id) => [
      one.request(`drag ${id}`, "drag", { path: [[700, 400], [900, 600], [750, 700]], settle_ms: 0 }),
      two.request(`type ${id}`, "type", { text, settle_ms: 0 }),
    ]));
    const order = await until("all of it", async () => {
      const all = await seen("mousedown", "mouseup", "keydown");
      return all.filter(({ type }) => type === "mouseup").length === 3 && all.filter(({ type }) => type === "keydown").length === 600 && all;
    });
    const kinds = order.map(({ type }) => (type === "mousedown" ? "(" : type === "mouseup" ? ")" : "k")).join("");
    assert.match(kinds, /^(\(\)|k{200}){6}$/, kinds.replaceAll(/k+/g, (keys) => `k${keys.length}`));
    await Promise.all([one.close(), two.close()]);
  });

  test("a picture goes onto the clipboard, into a page and back", async () => {
    await show("<textarea autofocus></textarea>");
    const picture = await box.daemon.screenshot({ region: [100, 100, 320, 200] });
    writeFileSync(put(box, "picture.png", ""), picture);
    assert.match(await tool("clipboard", { image_path: "picture.png" }), /picture of 320x200 pixels/);
    const answer = await box.daemon.rpc("clipboard", {});
    const block = answer.result.content.find(({ type }) => type === "image");
    assert.equal(block.mimeType, "image/png");
    assert.ok(Buffer.from(block.data, "base64").equals(picture));
    await page.evaluate(() => {
      addEventListener("paste", async (event) => {
        const bitmap = await createImageBitmap(event.clipboardData.files[0]);
        window.pasted = [bitmap.width, bitmap.height];
      });
    });
    await tool("click", { x: 300, y: 100 });
    await tool("key", { keys: "ctrl+v" });
    assert.deepEqual(await until("the page has it", () => page.evaluate(() => window.pasted)), [320, 200]);

    assert.match(await tool("clipboard", { image: picture.toString("base64") }), /320x200/);
    assert.match(await failing("clipboard", { image: "bm9uc2Vuc2U=" }), /must be a PNG/);
    assert.match(await failing("clipboard", { image_path: "no-such.png" }), /no-such\.png/);
    const twice = await box.daemon.rpc("clipboard", { text: "a", image_path: "picture.png" });
    assert.match(JSON.stringify(twice.error), /one of text, image and image_path/);
    await tool("clipboard", { text: "text again" });
    assert.match(await failing("clipboard", { form: "image" }), /no picture/);
  });

  test("a picture that the page copies is read", async () => {
    await page.goto(`${box.daemon.url}/healthz`); // the page may write to the clipboard from a trustworthy origin only
    await show("<canvas width='1500' height='1200'></canvas>");
    await page.evaluate(async () => {
      const canvas = document.querySelector("canvas");
      const drawing = canvas.getContext("2d");
      const noise = drawing.createImageData(canvas.width, canvas.height);
      for (let i = 0; i < noise.data.length; i += 1) noise.data[i] = i % 4 === 3 ? 255 : (i * 2654435761) >>> 24;
      drawing.putImageData(noise, 0, 0);
      addEventListener("click", async () => {
        const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
        await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]);
        window.copied = true;
      });
    });
    await tool("click", { x: 300, y: 300 });
    await until("it is copied", () => page.evaluate(() => window.copied));
    // Chromium says so before it has told the display.
    const block = await until("the clipboard has it", async () => {
      const { result } = await box.daemon.rpc("clipboard", {});
      return result.content.find(({ type }) => type === "image");
    });
    const bytes = Buffer.from(block.data, "base64");
    assert.deepEqual(pngSize(bytes), { width: 1500, height: 1200 });
    assert.ok(bytes.length > 256 * 1024, `${bytes.length}: it came in pieces`);
  });
});

const editor = ["/usr/bin/mousepad"].find(existsSync);

describe("in a GTK editor", { skip: editor ? false : "no mousepad" }, () => {
  before(async () => {
    await tool("launch", { command: "mousepad --disable-server", wait_ms: 20_000 });
    await until("it has the keyboard", async () => (await tool("screen_info")).includes("Mousepad"));
  });

  const contents = async (expected) => until("the text is there", async () => {
    await tool("key", { keys: "ctrl+a ctrl+c" });
    const text = await tool("clipboard");
    if (text !== expected) throw new Error(`it is ${JSON.stringify(text.slice(0, 200))}`);
    return true;
  });

  test("hard characters are typed, and a long text is pasted", async () => {
    const hard = "ñ 美 😀 € ~^`´¨ |aA1! ÄöÜß\"";
    assert.match(await tool("type", { text: hard }), /^typed/);
    await contents(hard);
    const long = `${"Line of a long text: {brown} ñ 美 😀\n".repeat(300)}the end`;
    assert.match(await tool("type", { text: long }), new RegExp(`^pasted ${[...long].length} characters`)); // over the marked text
    await contents(long);
  });

  test("a double click marks a word and a triple click a line", { timeout: 240_000 }, async () => {
    await tool("key", { keys: "ctrl+a" });
    await tool("type", { text: "first second third\n" });
    const [, x, y] = (await tool("windows")).match(/class=Mousepad.* x=(-?\d+) y=(-?\d+) .*active/);
    // The first line of the text: below the menu bar, whose height depends on the theme.
    for (const [count, expected] of [[2, /^(first|second|third)$/], [3, /^first second third\n?$/]]) {
      let marked;
      await until(`${count} clicks mark ${expected}`, async () => {
        for (let line = 30; line < 90; line += 8) {
          await tool("click", { x: Number(x) + 30, y: Number(y) + line, count });
          await tool("key", { keys: "ctrl+c" });
          marked = await tool("clipboard");
          if (expected.test(marked)) return true;
          await tool("key", { keys: "Escape" });
        }
        throw new Error(JSON.stringify(marked));
      }, 90_000);
    }
  });
});

test("launch does not wait for a window on after the program's end", async () => {
  // Each of the waits is longer than the client's patience.
  assert.match(await failing("launch", { command: "sleep 0.3; echo the reason >&2; exit 3", wait_ms: 120_000 }), /exit code 3[^]*the reason/);
  assert.match(await tool("launch", { command: "sleep 0.3", wait_ms: 120_000, settle_ms: 0 }), /ended well without a new window/);
});

test("a program that launch started leaves no zombie", async () => {
  await tool("launch", { command: "xterm -T brief -e sleep 0.2", wait_ms: 25_000, settle_ms: 0 });
  await until("its window is gone", async () => !(await tool("windows")).includes("brief"));
  assert.match(await failing("launch", { command: "echo the reason >&2; exit 3", wait_ms: 25_000 }), /exit code 3[^]*the reason/);
  const zombies = () => readdirSync("/proc").filter((pid) => /^\d+$/.test(pid)).filter((pid) => {
    try {
      const status = readFileSync(`/proc/${pid}/stat`, "utf8");
      const [state, parent] = status.slice(status.lastIndexOf(")") + 2).split(" ");
      return state === "Z" && Number(parent) === box.daemon.child.pid;
    } catch {
      return false;
    }
  });
  await until("no zombies", () => zombies().length === 0);
});
