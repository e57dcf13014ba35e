// The terminals of the page in a real browser, with the real daemon.
import assert from "node:assert/strict";
import { until, useBox } from "./harness.mjs";
import { shoot, usePages } from "./page_harness.mjs";

const box = useBox({ windowManager: false });

const listed = async () => (await box.daemon.get("/api/terminals")).body.terminals;

const pageTest = usePages(box, {
  cleanUp: async () => {
    for (const { id, state } of await listed()) {
      if (state === "running") await box.daemon.fetch(`/api/terminals/${id}`, { method: "DELETE" });
    }
    await until("nothing is left for the next test", async () => (await listed()).every(({ state }) => state === "ended" || state === "lost"));
  },
});

const visible = ".terminal-view:not([hidden])";
const screenText = (page) => page.locator(`${visible} .xterm-rows`).innerText().then((text) => text.replaceAll("\u00a0", " "));
const shows = (page, text) => until(`${text} on the screen`, async () => (await screenText(page)).includes(text));
const tabs = (page) => page.locator("#terminal-tabs [role=tab]").allInnerTexts();
const hasKeyboard = (page) => page.evaluate(() => document.activeElement?.className === "xterm-helper-textarea");

async function openTerminal(page) {
  await page.click("#terminal-toggle");
  await until("the keyboard is in the terminal", () => hasKeyboard(page));
  await until("a prompt", async () => /[#$]\s/.test(await screenText(page)));
}

pageTest("a terminal opens with what it needs, takes keys and shows what comes, in colour", async (page, { requests }) => {
  assert.ok(!requests.some((path) => /xterm/.test(path)), "nothing of it is loaded before");
  await openTerminal(page);
  assert.ok(requests.includes("/xterm.js"));
  await page.keyboard.type("echo $((6 * 7)) answers; printf '\\e[31mred\\e[0m\\n'\n");
  await shows(page, "42 answers");
  const color = await page.locator(`${visible} .xterm-rows span`, { hasText: /^red$/ }).evaluate((span) => getComputedStyle(span).color);
  assert.equal(color, "rgb(179, 38, 30)");
  // Tab and Escape are the program's; Ctrl+Alt+Shift is the way out, and Enter on the tab the way in.
  await page.keyboard.press("Tab");
  assert.ok(await hasKeyboard(page));
  await page.keyboard.press("Control+Alt+Shift");
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute("role")), "tab");
  await page.keyboard.press("Enter");
  assert.ok(await hasKeyboard(page));
});

pageTest("each key is on the screen at once; how soon is printed", async (page) => {
  await openTerminal(page);
  await page.keyboard.type("echo ");
  const keys = "abcdefghijklmnopqrst";
  const times = [];
  for (let at = 0; at < keys.length; at += 1) {
    // From the keydown event to the change of the document that shows it.
    const shown = await page.evaluateHandle((text) => {
      const rows = document.querySelector(".terminal-view:not([hidden]) .xterm-rows");
      let pressed;
      document.addEventListener("keydown", () => { pressed = performance.now(); }, { capture: true, once: true });
      const time = new Promise((resolve) => {
        new MutationObserver((_, observer) => {
          if (!rows.textContent.replaceAll("\u00a0", " ").includes(text)) return;
          observer.disconnect();
          resolve(performance.now() - pressed);
        }).observe(rows, { childList: true, subtree: true, characterData: true });
      });
      return { time };
    }, `echo ${keys.slice(0, at + 1)}`);
    await page.keyboard.press(keys[at]);
    times.push(await shown.evaluate(({ time }) => time));
  }
  times.sort((a, b) => a - b);
  console.log(`key to screen: median ${times[10].toFixed(1)} ms, longest ${times.at(-1).toFixed(1)} ms`);
  await page.keyboard.press("Enter");
  await until("the whole line", async () => (await screenText(page)).split(keys).length === 3);
});

pageTest("its size follows the panel and the window", async (page) => {
  await openTerminal(page);
  const sizes = async () => {
    await page.keyboard.type("clear; stty size\n");
    return (await until("a size", async () => /^(\d+ \d+)\s*$/m.exec(await screenText(page))))[1].split(" ").map(Number);
  };
  const [rows, columns] = await sizes();
  await page.focus("#terminal-splitter");
  for (let i = 0; i < 4; i += 1) await page.keyboard.press("ArrowUp");
  await page.locator(`${visible} .xterm-screen`).click();
  await until("more rows", async () => (await sizes())[0] > rows);
  await page.setViewportSize({ width: 1000, height: 800 });
  await until("fewer columns", async () => (await sizes())[1] < columns);
});

pageTest("text is copied and pasted", async (page, { context }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await openTerminal(page);
  await page.keyboard.type("clear; echo copy-this-$((1 + 1))\n");
  await shows(page, "copy-this-2");
  const { x, y } = await page.locator(`${visible} .xterm-rows > div`, { hasText: /^copy-this-2/ }).boundingBox();
  await page.mouse.dblclick(x + 20, y + 8);
  await page.keyboard.press("Control+Shift+C");
  assert.equal((await page.evaluate(() => navigator.clipboard.readText())).trim(), "copy-this-2");
  await page.evaluate(() => navigator.clipboard.writeText("echo pasted-$((2 + 2))"));
  await page.keyboard.press("Control+Shift+V");
  await page.keyboard.press("Enter");
  await shows(page, "pasted-4");
});

pageTest("the page comes back to the same terminals with their content, and so it does after a kill -9", async (page) => {
  await openTerminal(page);
  await page.keyboard.type("echo in the first $((1 + 0))\n");
  await shows(page, "in the first 1");
  await page.click("#terminal-new");
  await until("two tabs", async () => (await tabs(page)).length === 2);
  await until("a prompt", async () => /[#$]\s/.test(await screenText(page)));
  await page.keyboard.type("word=kept; echo in the second $((1 + 1))\n");
  await shows(page, "in the second 2");
  await page.reload();
  await shows(page, "in the second 2");
  assert.equal((await tabs(page)).length, 2);
  await page.locator("#terminal-tabs [role=tab]").first().click();
  await shows(page, "in the first 1");

  await page.locator("#terminal-tabs [role=tab]").last().click();
  await box.daemon.restart("SIGKILL");
  await until("it is connected again", async () => (await page.locator("#terminal-status").innerText()) === "");
  await page.keyboard.type("echo $word and whole\n");
  await shows(page, "kept and whole");
  const text = await screenText(page);
  assert.equal(text.split("in the second 2").length, 2, `once only: ${text}`);

  // An orderly stop ends all programs; what they wrote is still there.
  await box.daemon.restart();
  await until("its end", async () => (await page.locator("#terminal-status").innerText()).startsWith("Ended, "));
  await page.reload();
  await shows(page, "kept and whole");
  assert.equal((await tabs(page)).length, 2);
});

pageTest("closing asks only if something runs, and an end is shown with its status", async (page) => {
  await openTerminal(page);
  await page.keyboard.type("sleep 1000\n");
  await until("sleep runs", async () => (await listed())[0].running === "sleep");
  await page.click(".terminal-tab-close");
  assert.match(await page.locator("[role=alertdialog]").innerText(), /sleep still runs in this terminal\. End it\?/);
  await page.keyboard.press("Escape");
  assert.equal((await tabs(page)).length, 1);
  assert.equal((await listed())[0].state, "running");
  await page.click(".terminal-tab-close");
  await page.getByRole("button", { name: "End it" }).click();
  await until("the tab is gone", async () => (await tabs(page)).length === 0);
  await until("it has ended", async () => (await listed())[0].state === "ended");

  await page.click("#terminal-new");
  await until("a prompt", async () => /[#$]\s/.test(await screenText(page)));
  await page.keyboard.type("exit 3\n");
  await until("its status", async () => (await page.locator("#terminal-status").innerText()) === "Ended, exit code 3");
  await page.click(".terminal-tab-close");
  await until("no question", async () => (await tabs(page)).length === 0);

  await page.click("#terminal-new");
  await until("a prompt", async () => /[#$]\s/.test(await screenText(page)));
  const { id } = (await listed())[0];
  await page.click(".terminal-tab-close"); // nothing runs in it
  await until("it has ended at once", async () => (await listed()).find((each) => each.id === id).state === "ended");
});

pageTest("what the agent has started is shown, with and without a terminal", async (page) => {
  await box.daemon.rpc("shell", { command: "echo asks for a name; read name; echo hello $name; sleep 1000", terminal: true, timeout_ms: 1 });
  await box.daemon.rpc("shell", { command: "echo plain words; echo bad words >&2; sleep 1000", timeout_ms: 1 });
  await openTerminal(page);
  const attach = async (pattern) => {
    await page.click("#terminal-more");
    await page.getByRole("menuitem", { name: pattern }).click();
  };
  await attach(/asks for a name/);
  await shows(page, "asks for a name");
  await page.keyboard.type("page\n");
  await shows(page, "hello page");
  await attach(/plain words.*no terminal/);
  await shows(page, "bad words");
  assert.match(await page.locator("#terminal-status").innerText(), /without a terminal: read only/);
  assert.equal((await tabs(page)).length, 3);
  // Its tab can be closed without its end.
  await page.locator(".terminal-tab-close").last().click();
  await page.getByRole("button", { name: "Let it run" }).click();
  assert.equal((await tabs(page)).length, 2);
  assert.ok((await listed()).some(({ command, state }) => command.includes("plain words") && state === "running"));
});

pageTest("what a program asks its terminal is answered once, not again when its output is shown again", async (page) => {
  await openTerminal(page);
  await page.keyboard.type("clear; printf '\\e[6n'; read -rsd R where; echo \"answer ${#where} long\"\n");
  await shows(page, "answer ");
  await page.keyboard.type("echo before$((1))\n");
  await shows(page, "before1");
  await page.reload();
  await shows(page, "before1");
  await page.locator(`${visible} .xterm-screen`).click();
  await page.keyboard.type("echo after$((2))\n");
  await shows(page, "after2");
  assert.doesNotMatch((await screenText(page)).split("before1\n").at(-1), /;\d+R/);
});

for (const colorScheme of ["light", "dark"]) {
  pageTest(`a narrow window has it as a tab (${colorScheme})`, async (page) => {
    await page.click("#tab-terminal");
    await until("a prompt", async () => /[#$]\s/.test(await screenText(page)));
    assert.equal(await page.isVisible("#desktop-panel"), false);
    assert.equal(await page.isVisible("#chat-panel"), false);
    await page.keyboard.type("stty size\n");
    await until("a size that fits", async () => Number(/\d+ (\d+)\s*$/m.exec(await screenText(page))?.[1]) < 60);
    const [foot, keys] = await page.evaluate(() => [".terminal-foot", ".terminal-keys"].map((name) => document.querySelector(name).getBoundingClientRect().right));
    assert.ok(keys <= foot, "what the keys do can be read");
    const beyond = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(beyond <= 0, `${beyond} px too wide`);
    await shoot(page, `terminal narrow ${colorScheme}`);
    await page.click("#tab-chat");
    assert.equal(await page.isVisible("#terminal-panel"), false);
  }, { viewport: { width: 390, height: 760 }, colorScheme });
}
