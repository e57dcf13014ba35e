// The page's terminals in a real browser against a WebSocket that says what a daemon rarely does.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { FakeDaemon } from "./fake_daemon.js";

const dist = process.env.PAGE_DIST;
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const skip = !existsSync(executablePath)
  ? `no browser at ${executablePath} (set CHROMIUM)`
  : !existsSync(`${dist}/xterm.js`) && "web/dist is missing: npm run build";

let browser;
before(async () => {
  if (skip) return;
  browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu", "--no-first-run"] });
});
after(() => browser?.close());

const running = {
  id: "p7", state: "running", exit_code: -1, signal: 0, pid: 70, output_end: 300, started_ms: 1, ended_ms: 0, command: "bash",
  cwd: "/", terminal: true, client: "page", session: "", running: "",
};

function output(offset, text) {
  const message = Buffer.alloc(8 + text.length, text, "latin1");
  message.writeBigUInt64BE(BigInt(offset));
  message.write(text, 8);
  return message;
}

/** Runs `body(page, connections)`: `connections` are {url, socket, heard}, one for each WebSocket that the page opened. */
function terminalTest(name, body, { process = running, others = [] } = {}) {
  test(name, { skip }, async () => {
    const daemon = new FakeDaemon(dist);
    await daemon.start();
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
    const page = await context.newPage();
    page.setDefaultTimeout(30_000);
    const faults = [];
    page.on("pageerror", (error) => faults.push(error.message));
    const connections = [];
    const json = (value) => ({ contentType: "application/json", body: JSON.stringify(value) });
    await page.route("**/api/terminals", (route) => route.fulfill(json({ terminals: [process, ...others], left_out: 0 })));
    await page.route(`**/api/terminals/${process.id}`, (route) => route.fulfill(json(process)));
    await page.routeWebSocket(/\/api\/terminals\//, (socket) => {
      const url = new URL(socket.url());
      const heard = [];
      socket.onMessage((message) => heard.push(typeof message === "string" ? JSON.parse(message) : Buffer.from(message).toString()));
      const offset = Number(url.searchParams.get("offset") ?? 100);
      socket.send(JSON.stringify({ type: "attached", ...process, offset }));
      connections.push({ url, socket, heard });
    });
    try {
      await page.goto(`${daemon.url}#token=secret`);
      await page.locator("#app").waitFor();
      await page.click("#terminal-toggle");
      await until("a connection", () => connections.length === 1);
      await body(page, connections);
      assert.deepEqual(faults, []);
    } finally {
      await context.close();
      await daemon.stop();
    }
  });
}

async function until(what, condition) {
  const deadline = Date.now() + 30_000;
  while (!(await condition())) {
    assert.ok(Date.now() < deadline, `timed out waiting for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const screenText = async (page) => (await page.locator(".xterm-rows").innerText()).replaceAll("\u00a0", " ");
const shows = (page, text) => until(text, async () => (await screenText(page)).includes(text));

terminalTest("what was dropped is said, and a lost connection goes on behind the last byte", async (page, connections) => {
  const [first] = connections;
  assert.equal(first.url.searchParams.get("tail"), "1048576");
  await shows(page, "[the first 100 bytes are not shown]");
  first.socket.send(JSON.stringify({ type: "missing", begin: 100, end: 5200 }));
  first.socket.send(output(5200, "hello"));
  await shows(page, "[bytes 100 to 5,200 were dropped from the log]");
  await first.socket.close({ code: 1011 });
  await until("another connection", () => connections.length === 2);
  const [, second] = connections;
  assert.equal(second.url.searchParams.get("offset"), "5205");
  second.socket.send(output(5205, " again"));
  await shows(page, "hello again");
  // The size is told to each new connection: the terminal may have got another one meanwhile.
  await until("its size", () => second.heard.some(({ type }) => type === "resize"));
});

terminalTest("what was shown is told, so that more comes", async (page, [{ socket, heard }]) => {
  let offset = 100;
  for (let i = 0; i < 10; i += 1) {
    socket.send(output(offset, "x".repeat(20_000)));
    offset += 20_000;
  }
  await until("the daemon knows", () => heard.findLast(({ type }) => type === "taken")?.offset > 100_000);
  assert.ok(heard.filter(({ type }) => type === "taken").every((order) => order.offset <= offset));
});

terminalTest("questions of old output are not answered, those of new output are", async (page, [{ socket, heard }]) => {
  socket.send(output(100, `${"old ".repeat(49)}\x1b[6n`));
  await shows(page, "old old");
  await until("all of the old is shown", async () => (await page.locator("#terminal-status").innerText()) === "");
  socket.send(output(300, "\r\nnew \x1b[6n"));
  await until("an answer", () => heard.some((text) => /^\x1b\[\d+;5R$/.test(text)));
  assert.equal(heard.filter((text) => /^\x1b\[\d+;\d+R$/.test(text)).length, 1);
});

terminalTest("a size that another page gave is taken over until this one is used", async (page, [{ socket, heard }]) => {
  const rows = () => page.locator(".xterm-rows > div").count();
  await until("its own size", () => heard.some(({ type }) => type === "resize"));
  const own = heard.find(({ type }) => type === "resize");
  await page.focus("#terminal-new");
  socket.send(JSON.stringify({ type: "size", rows: 7, columns: 40 }));
  await until("seven rows", async () => (await rows()) === 7);
  heard.length = 0;
  await page.locator(".xterm-screen").click();
  await until("its own size again", () => heard.some(({ type, rows: height }) => type === "resize" && height === own.rows));
  assert.equal(await rows(), own.rows);
});

terminalTest("a refusal and an end are shown", async (page, [{ socket }]) => {
  socket.send(JSON.stringify({ type: "error", code: "resource_exhausted", message: "these 9 are dropped" }));
  await page.locator("#toasts", { hasText: "these 9 are dropped" }).waitFor();
  socket.send(JSON.stringify({ type: "state", ...running, state: "ended", signal: 9 }));
  await socket.close({ code: 1000 });
  await page.locator("#terminal-status", { hasText: "Ended, killed by signal 9" }).waitFor();
  assert.equal(await page.locator("#terminal-tabs [role=tab]").getAttribute("aria-label"), "bash, ended");
});

const others = Array.from({ length: 60 }, (_, at) => ({
  ...running, id: `p${100 + at}`, client: "owner", state: at < 50 ? "ended" : "running", exit_code: at, command: `make target-${at} ${"-j".repeat(40)}`,
}));
terminalTest("many other processes fit on the screen, those that run first", async (page) => {
  await page.setViewportSize({ width: 390, height: 600 });
  await page.click("#tab-terminal");
  await page.click("#terminal-more");
  const menu = page.locator("[role=menu]");
  const { x, y, width, height } = await menu.boundingBox();
  assert.ok(x >= 0 && y >= 0 && x + width <= 390 && y + height <= 600, JSON.stringify({ x, y, width, height }));
  const items = await menu.locator("[role=menuitem]").allInnerTexts();
  assert.equal(items.length, 31); // and the screen reader's
  assert.match(items[0], /^p150\s+make target-50 .*running/);
  assert.match(items[10], /exit 0/);
  await page.keyboard.press("End");
  assert.ok(await menu.locator("[role=menuitem]").last().isVisible());
}, { others });

terminalTest("closing the last one leaves an empty panel, and opening that again starts a new one", async (page, connections) => {
  const started = [];
  await page.route("**/api/terminals", (route) => {
    if (route.request().method() !== "POST") return route.fallback();
    started.push(route.request().postDataJSON());
    return route.fulfill({ status: 201, contentType: "application/json", body: JSON.stringify({ ...running, id: "p8" }) });
  });
  await page.route("**/api/terminals/p7", (route) =>
    route.request().method() === "DELETE" ? route.fulfill({ status: 202, contentType: "application/json", body: "{}" }) : route.fallback());
  await page.click(".terminal-tab-close"); // nothing runs in it
  await page.locator("#terminal-status", { hasText: "No terminal is open." }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.id), "terminal-new");
  await page.click("#terminal-hide");
  assert.equal(started.length, 0);
  await page.click("#terminal-toggle");
  await until("a connection to the new one", () => connections.some(({ url }) => url.pathname.endsWith("/p8")));
  assert.equal(started.length, 1);
  assert.ok(started[0].columns > 60 && started[0].rows > 5, `it begins with the size of the panel: ${JSON.stringify(started[0])}`);
});
