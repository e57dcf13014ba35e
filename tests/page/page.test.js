// The built page in a real browser against the fake daemon. Each test has its own daemon and browser context.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { FakeDaemon } from "./fake_daemon.js";

const dist = process.env.PAGE_DIST;
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const skip = !existsSync(executablePath)
  ? `no browser at ${executablePath} (set CHROMIUM)`
  : !existsSync(`${dist}/index.html`) && "web/dist is missing: npm run build";
const onePixel = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);

let browser;
before(async () => {
  if (skip) return;
  browser = await chromium.launch({
    executablePath,
    args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"],
  });
});
after(() => browser?.close());

/** Runs `body(daemon, page, what prepare returned before the page was opened)`; a script error or a violation of the security policy fails the test. */
function pageTest(name, body, { fragment = "#token=secret", viewport = { width: 1280, height: 800 }, prepare } = {}) {
  test(name, { skip }, async () => {
    const daemon = new FakeDaemon(dist);
    const prepared = prepare?.(daemon);
    await daemon.start();
    const context = await browser.newContext({ viewport });
    const page = await context.newPage();
    page.setDefaultTimeout(30_000);
    const faults = [];
    page.on("pageerror", (error) => faults.push(error.message));
    page.on("console", (message) => {
      if (/Content Security Policy/i.test(message.text())) faults.push(message.text());
    });
    try {
      await page.goto(daemon.url + fragment);
      await body(daemon, page, prepared);
      assert.deepEqual(faults, []);
    } finally {
      await context.close();
      await daemon.stop();
    }
  });
}

async function until(condition, what) {
  const deadline = Date.now() + 30_000;
  while (!condition()) {
    assert.ok(Date.now() < deadline, `timed out waiting for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const shown = (page, selector) => page.locator(selector).first().waitFor();
const hidden = (page, selector) => page.locator(selector).first().waitFor({ state: "hidden" });
const text = (page, selector) => page.locator(selector).first().innerText();
const live = (page) => shown(page, '#desktop-status[data-state="good"]');

/** A conversation with a run that has begun. */
function begin(daemon, prompt = "do it") {
  const id = daemon.addConversation(prompt);
  const job = daemon.newJob();
  daemon.emit(id, job, "user_message", { text: prompt });
  daemon.emit(id, job, "run_started", { model: "test-model" });
  return [id, job, (kind, fields) => daemon.emit(id, job, kind, fields)];
}

const finished = { state: "succeeded", reason: "", reply: "", steps: 1, elapsed_ms: 1200 };

pageTest("the token of the address logs in and leaves the address", async (daemon, page) => {
  await shown(page, "#app");
  assert.equal(new URL(page.url()).hash, "");
  assert.equal(await page.locator("#login").isVisible(), false);
  await page.reload();
  await shown(page, "#app");
});

pageTest("without a login the form explains where the token is, and shows the daemon's refusal", async (daemon, page) => {
  await shown(page, "#login-token");
  assert.match(await text(page, "#login"), /scripts\/run[\s\S]*docker exec box selfagent token/);
  await page.fill("#login-token", "wrong");
  await page.keyboard.press("Enter");
  await shown(page, "#login-error");
  assert.equal(await text(page, "#login-error"), "This token is not the daemon's token.");
  await page.fill("#login-token", `${daemon.url}#token=secret`);
  await page.click("#login-submit");
  await shown(page, "#app");
}, { fragment: "" });

pageTest("a wrong token in the address shows the refusal", async (daemon, page) => {
  await shown(page, "#login-error");
  assert.equal(new URL(page.url()).hash, "");
}, { fragment: "#token=nonsense" });

pageTest("logging out ends in the form", async (daemon, page) => {
  await shown(page, "#app");
  await page.click("#logout");
  await shown(page, "#login-token");
  await page.reload();
  await shown(page, "#login-token");
});

pageTest("a summary of earlier steps is one line, which opens to its text", async (daemon, page, [, , emit]) => {
  emit("assistant_message", { text: "I go on." });
  emit("summary", { text: "## Verified\n\n- The *code* is <b>K7919</b>.\n\n## Next steps\n\nClose the window.", through_seq: 3, replaced_bytes: 900 });
  emit("assistant_message", { text: "Done." });
  emit("run_finished", finished);
  const line = page.locator(".items summary", { hasText: "Earlier steps were summarised" });
  await line.waitFor();
  assert.equal(await page.isVisible(".summarised"), false);
  const [height] = await line.evaluateAll(([element]) => [element.parentElement.getBoundingClientRect().height]);
  assert.ok(height < 30, `one line, not ${height} px`);
  await line.focus();
  await page.keyboard.press("Enter");
  await shown(page, ".summarised");
  const told = await text(page, ".summarised");
  assert.match(told, /Verified[^]*The code is <b>K7919<\/b>\.[^]*Next steps\s+Close the window\./);
  assert.equal(await page.locator(".summarised b").count(), 0);
}, { prepare: (daemon) => begin(daemon, "a long task") });

pageTest("JupyterLab has a link exactly when the daemon has one", async (daemon, page) => {
  await shown(page, "#app");
  assert.equal(await page.isVisible("#lab"), false);
  daemon.state.lab = true;
  await page.reload();
  await shown(page, "#lab");
  assert.equal(await page.evaluate(() => document.querySelector("#lab").href), `${daemon.url}lab/`);
  assert.equal(await page.getAttribute("#lab", "rel"), "noopener");
  await page.setViewportSize({ width: 375, height: 700 });
  assert.ok(await page.isVisible("#lab .icon"));
  const { right } = await page.evaluate(() => document.querySelector("#logout").getBoundingClientRect());
  assert.ok(right <= 375, `the bar fits: ${right}`);
});

pageTest("an example prompt starts a conversation that streams to its end", async (daemon, page) => {
  let job;
  daemon.onPrompt = (id, jobId, prompt) => {
    job = (kind, fields) => daemon.emit(id, jobId, kind, fields);
    job("user_message", { text: prompt });
    job("run_started", { model: "test-model" });
  };
  await shown(page, ".example");
  assert.equal(await page.locator(".example").count(), 3);
  await page.locator(".example").first().click();
  await shown(page, ".user");
  await until(() => daemon.listening === 1, "the event stream");
  await shown(page, "#stop");
  job("reasoning_delta", { text: "I should look." });
  await shown(page, ".reasoning");
  assert.equal(await page.locator(".reasoning-text").isVisible(), false);
  job("text_delta", { text: "The **disk** is " });
  await shown(page, ".assistant strong");
  job("text_delta", { text: "full <b>x</b>" });
  job("assistant_message", { text: "The **disk** is full <b>x</b>.", reasoning: "I should look." });
  await shown(page, '.assistant[aria-busy="false"]');
  assert.equal(await text(page, ".assistant .prose"), "The disk is full <b>x</b>.");
  job("run_finished", { ...finished, reply: "The **disk** is full <b>x</b>." });
  await shown(page, ".outcome");
  assert.match(await text(page, ".outcome"), /Done\s+1 step\s+1\.2 s\s+test-model/);
  await hidden(page, "#stop");
  assert.equal(await page.locator(".assistant").count(), 1);
  const chat = daemon.requests.find((request) => request.path === "/api/chat");
  assert.deepEqual(chat.body, { prompt: "Take a screenshot and tell me what is on the desktop", wait: false });
});

pageTest("a tool call shows its arguments, state, result and picture", async (daemon, page, [, , emit]) => {
  emit("action_intent", { call_id: "1", tool: "run_code", arguments: { language: "python", code: "a = 1\nb = 2" } });
  await shown(page, '.call[data-state="running"] .spinner');
  assert.equal(await text(page, ".call-args"), 'language=python code="a = 1 …"');
  await page.click(".call-more");
  assert.match(await text(page, ".call-detail"), /a = 1\nb = 2/);
  const sha256 = daemon.addBlob(onePixel, "image/png");
  const lines = Array.from({ length: 40 }, (_, line) => `line ${line}`).join("\n");
  emit("action_result", {
    call_id: "1", tool: "run_code", ok: true, text: lines, elapsed_ms: 1530,
    images: [{ sha256, mime: "image/png", width: 640, height: 400 }, { sha256, mime: "image/png", width: 64, height: 40 }],
  });
  await shown(page, '.call[data-state="ok"]');
  assert.equal(await text(page, ".call-elapsed"), "1.5 s");
  await page.click("text=Show all 40 lines");
  assert.equal(await page.locator(".call-text.clamped").count(), 0);
  await page.locator(".thumb").first().click();
  await shown(page, "#lightbox img");
  assert.match(await text(page, "#lightbox figcaption"), /640×400 · 1 of 2/);
  await page.keyboard.press("ArrowRight");
  assert.match(await text(page, "#lightbox figcaption"), /64×40 · 2 of 2/);
  await page.keyboard.press("Escape");
  await hidden(page, "#lightbox");
  emit("action_intent", { call_id: "2", tool: "click", arguments: { x: 1400, y: 2 } });
  emit("action_result", { call_id: "2", tool: "click", ok: false, text: "x=1400 is outside", images: [], elapsed_ms: 1 });
  await shown(page, '.call[data-state="failed"]');
  assert.match(await text(page, '.call[data-state="failed"]'), /x=1400 is outside/);
}, { prepare: (daemon) => begin(daemon) });

pageTest("the stop button says so at once and stops the run", async (daemon, page, [, job, emit]) => {
  daemon.onCancel = () => {};
  await page.click("#stop");
  assert.equal(await text(page, "#stop-text"), "Stopping…");
  await until(() => daemon.requests.some((request) => request.path === `/cancel/${job}`), "the cancellation");
  emit("run_finished", { ...finished, state: "cancelled", reason: "Stopped by the user." });
  await shown(page, '.run[data-state="cancelled"]');
  assert.match(await text(page, ".outcome"), /Cancelled[\s\S]*Stopped by the user\./);
  await hidden(page, "#stop");
}, { prepare: (daemon) => begin(daemon) });

pageTest("what was checked is shown, and a question is no failure", async (daemon, page, [, , emit]) => {
  const checks = [{ claim: "the report exists", holds: true, seen: "exit code 0" }, { claim: "it was sent", holds: false, seen: "no window" }];
  emit("run_finished", { ...finished, state: "failed", reason: "it asks you", reply: "Which **account**?", outcome: "needs_user", checks });
  await shown(page, '.run[data-outcome="needs_user"]');
  assert.match(await text(page, ".outcome"), /Asks you[\s\S]*the report exists\s+it was sent\s+does not hold/);
  assert.equal(await text(page, ".run-end strong"), "account");
}, { prepare: (daemon) => begin(daemon) });

pageTest("after a restart of the daemon the page comes back by itself, without repetitions", async (daemon, page, [, , emit]) => {
  emit("assistant_message", { text: "First." });
  await shown(page, ".assistant");
  await live(page);
  emit("text_delta", { text: "Half a sen" });
  await page.locator(".assistant", { hasText: "Half a sen" }).waitFor();
  await daemon.stop();
  daemon.repeatsEverything = true;
  await shown(page, '#connection[data-state="bad"]');
  await page.locator("#desktop-overlay", { hasText: "Reconnecting" }).waitFor();
  emit("assistant_message", { text: "Second." });
  emit("run_finished", { ...finished, state: "interrupted", reason: "The daemon was restarted." });
  await daemon.start();
  await shown(page, '#connection[data-state="good"]');
  await shown(page, '.run[data-state="interrupted"]');
  await live(page);
  assert.deepEqual(await page.locator(".assistant .prose").allInnerTexts(), ["First.", "Second."]);
  assert.deepEqual(await page.locator(".user").allInnerTexts(), ["long work"]);
}, { prepare: (daemon) => begin(daemon, "long work") });

pageTest("a prompt may wait behind a run, and can be taken back", async (daemon, page) => {
  await shown(page, "#stop");
  await page.fill("#prompt", "second");
  await page.keyboard.press("Enter");
  await page.locator(".pending", { hasText: "Waiting for its turn" }).waitFor();
  assert.equal(await page.inputValue("#prompt"), "");
  await page.click("text=Remove");
  await until(() => daemon.requests.some((request) => request.path.startsWith("/cancel/")), "the cancellation");
}, { prepare: (daemon) => begin(daemon, "first") });

pageTest("Shift+Enter breaks the line, Enter sends, and a refusal keeps the prompt", async (daemon, page) => {
  daemon.refuseChat = [429, "resource_exhausted", "The queue is full (16 prompts); wait for one to finish."];
  await shown(page, "#app");
  await page.click("#prompt");
  await page.keyboard.type("one");
  await page.keyboard.press("Shift+Enter");
  await page.keyboard.type("two");
  await page.keyboard.press("Enter");
  await shown(page, ".toast");
  assert.match(await text(page, ".toast"), /The queue is full \(16 prompts\)/);
  assert.equal(await page.inputValue("#prompt"), "one\ntwo");
});

pageTest("slash commands are completed with the keyboard", async (daemon, page) => {
  await shown(page, "#app");
  await page.click("#prompt");
  await page.keyboard.type("/");
  assert.equal(await page.locator("#slash [role=option]").count(), 6);
  await page.keyboard.press("Escape");
  await hidden(page, "#slash");
  await page.keyboard.type("s");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Tab");
  assert.equal(await page.inputValue("#prompt"), "/shell ");
  await page.fill("#prompt", "/he");
  await page.keyboard.press("Enter");
  assert.equal(await page.inputValue("#prompt"), "/help");
  await page.keyboard.press("Enter");
  await until(() => daemon.requests.some((request) => request.body?.prompt === "/help"), "the command");
});

pageTest("conversations are listed, switched, and remembered over a reload", async (daemon, page) => {
  await shown(page, ".user");
  assert.equal(await text(page, ".user"), "newer");
  await page.click("#conversations-toggle");
  assert.deepEqual(await page.locator(".conversation-title").allInnerTexts(), ["newer", "older"]);
  assert.equal(await page.locator(".conversation-running").count(), 2);
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.locator(".user", { hasText: "older" }).waitFor();
  assert.equal(await text(page, "#conversation-title"), "older");
  await page.reload();
  await page.locator(".user", { hasText: "older" }).waitFor();
  await page.click("#conversation-new");
  await shown(page, ".example");
}, { prepare: (daemon) => { begin(daemon, "older"); begin(daemon, "newer"); } });

/** Two finished runs. */
function twoRuns(daemon) {
  const [id, , emit] = begin(daemon, "first thing");
  emit("assistant_message", { text: "the zebra" });
  emit("run_finished", finished);
  const job = daemon.newJob();
  daemon.emit(id, job, "user_message", { text: "second thing" });
  daemon.emit(id, job, "run_started", { model: "m" });
  daemon.emit(id, job, "run_finished", finished);
  return id;
}
const prompts = (page) => page.locator(".user").allInnerTexts();

pageTest("a conversation is renamed in place with the keyboard", async (daemon, page) => {
  await shown(page, ".user");
  await page.click("#conversations-toggle");
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute("aria-label")), "Actions for old name");
  await page.keyboard.press("Enter");
  assert.deepEqual(await page.locator("[role=menuitem]").allInnerTexts(), ["Rename", "Export as JSONL", "Export as ATIF", "Export as OSWorld", "Delete"]);
  await page.keyboard.press("Enter");
  assert.equal(await page.inputValue(".conversation-input"), "old name");
  await page.keyboard.press("Escape");
  await hidden(page, ".conversation-input");
  assert.equal(await page.locator("#conversations").isVisible(), true);
  await page.keyboard.press("Enter");
  await page.keyboard.press("Enter");
  await page.keyboard.type("new name");
  await page.keyboard.press("Enter");
  await page.locator("#conversation-title", { hasText: "new name" }).waitFor();
  await page.locator(".conversation-title", { hasText: "new name" }).waitFor();
}, { prepare: (daemon) => begin(daemon, "old name") });

pageTest("a conversation is deleted once the user has said so again", async (daemon, page) => {
  await shown(page, ".user");
  const row = (title) => page.locator(".conversation-row", { hasText: title });
  const remove = async (title) => {
    await row(title).locator(".conversation-more").click();
    await page.locator("[role=menuitem]", { hasText: "Delete" }).click();
  };
  await page.click("#conversations-toggle");
  await remove("done");
  await page.locator(".conversation-form button", { hasText: "Cancel" }).click();
  assert.equal(daemon.requests.some(({ method }) => method === "DELETE"), false);
  await remove("busy");
  await page.locator(".conversation-form button", { hasText: "Delete" }).click();
  await page.locator(".toast", { hasText: "A run goes on in it." }).waitFor();
  await remove("done");
  await page.locator(".conversation-form button", { hasText: "Delete" }).click();
  await row("done").waitFor({ state: "detached" });
  assert.deepEqual(await page.locator(".conversation-title").allInnerTexts(), ["busy"]);
}, {
  prepare: (daemon) => {
    begin(daemon, "busy");
    const [, , emit] = begin(daemon, "done");
    emit("run_finished", finished);
  },
});

pageTest("the list is searched as the user types", async (daemon, page) => {
  await shown(page, ".user");
  await page.click("#conversations-toggle");
  await page.fill(".conversation-search", "zebra");
  await page.locator(".conversation-match", { hasText: "…the zebra" }).waitFor();
  assert.deepEqual(await page.locator(".conversation-title").allInnerTexts(), ["first thing"]);
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.locator(".user", { hasText: "second thing" }).waitFor();
  await page.click("#conversations-toggle");
  await page.fill(".conversation-search", "nothing");
  await page.locator(".conversations-none", { hasText: "Nothing has all" }).waitFor();
  await page.fill(".conversation-search", "");
  await page.locator(".conversation-title", { hasText: "other" }).waitFor();
  assert.equal(await page.locator(".conversation").count(), 2);
}, { prepare: (daemon) => { twoRuns(daemon); begin(daemon, "other"); } });

pageTest("what a search has found is in view, far above the end of the conversation", async (daemon, page) => {
  await page.locator(".user", { hasText: "other" }).waitFor();
  await page.click("#conversations-toggle");
  await page.fill(".conversation-search", "prompt number 3");
  await page.locator(".conversation-match").waitFor();
  await page.locator(".conversation-row .conversation").click();
  await shown(page, "#jump");
  const top = await page.locator(".user", { hasText: "prompt number 3" }).evaluate((element) =>
    element.getBoundingClientRect().top - document.getElementById("scroller").getBoundingClientRect().top);
  assert.ok(top >= 0 && top < 100, `${top}`);
}, {
  prepare: (daemon) => {
    const [id] = begin(daemon, "prompt number 0");
    for (let count = 1; count < 40; count += 1) {
      daemon.emit(id, daemon.newJob(), "user_message", { text: count === 3 ? "prompt number 3" : `later ${count}` });
    }
    begin(daemon, "other");
  },
});

pageTest("a message's menu rewinds the conversation, and its text comes back", async (daemon, page) => {
  await page.locator(".user", { hasText: "second thing" }).waitFor();
  const second = page.locator(".user-turn", { hasText: "second thing" });
  await second.hover();
  await second.locator(".user-more").click();
  await page.locator("[role=menuitem]", { hasText: "Rewind to here" }).click();
  await second.waitFor({ state: "detached" });
  assert.deepEqual(await prompts(page), ["first thing"]);
  await page.locator(".notice", { hasText: "Rewound to here" }).waitFor();
  assert.equal(await page.inputValue("#prompt"), "second thing");
  await page.reload();
  await page.locator(".notice", { hasText: "Rewound to here" }).waitFor();
  assert.deepEqual(await prompts(page), ["first thing"]);
}, { prepare: twoRuns });

pageTest("a message's menu forks the conversation", async (daemon, page, origin) => {
  await page.locator(".user", { hasText: "second thing" }).waitFor();
  const more = page.locator(".user-turn", { hasText: "second thing" }).locator(".user-more");
  await more.focus();
  await page.keyboard.press("Enter");
  await page.keyboard.press("Enter");
  await page.locator("#conversation-title", { hasText: "Fork of first thing" }).waitFor();
  await page.locator(".notice", { hasText: "Forked here" }).waitFor();
  assert.deepEqual(await prompts(page), ["first thing"]);
  assert.equal(await page.inputValue("#prompt"), "second thing");
  assert.notEqual(new URL(page.url()).hash, `#conversation=${origin}`);
}, { prepare: twoRuns });

pageTest("a step of a run forks the conversation before it", async (daemon, page) => {
  const step = page.locator(".assistant", { hasText: "step two" });
  await step.hover();
  assert.equal(await page.locator(".assistant", { hasText: "step one" }).locator(".step-more").isVisible(), false);
  await step.locator(".step-more").click();
  await page.locator("[role=menuitem]", { hasText: "Fork from before this step" }).click();
  await page.locator("#conversation-title", { hasText: "Fork of" }).waitFor();
  await page.locator(".notice", { hasText: "Forked here" }).waitFor();
  assert.deepEqual(await page.locator(".assistant .prose").allInnerTexts(), ["step one"]);
}, {
  prepare: (daemon) => {
    const [, , emit] = begin(daemon);
    emit("assistant_message", { text: "step one" });
    emit("assistant_message", { text: "step two" });
    emit("run_finished", finished);
  },
});

pageTest("the chat follows its end until the reader scrolls up", async (daemon, page, [, , emit]) => {
  const atEnd = () => page.waitForFunction(() => {
    const { scrollHeight, scrollTop, clientHeight } = document.getElementById("scroller");
    return scrollHeight > clientHeight && scrollHeight - scrollTop - clientHeight < 2;
  });
  for (let count = 0; count < 30; count += 1) emit("assistant_message", { text: `Message ${count}` });
  await page.locator(".assistant", { hasText: "Message 29" }).waitFor();
  await atEnd();
  await page.hover("#scroller");
  await page.mouse.wheel(0, -600);
  await shown(page, "#jump");
  emit("assistant_message", { text: "One more" });
  await page.locator(".assistant", { hasText: "One more" }).waitFor();
  assert.equal(await page.locator("#jump").isVisible(), true);
  await page.click("#jump");
  await atEnd();
  await hidden(page, "#jump");
}, { prepare: (daemon) => begin(daemon) });

pageTest("without a model the page names what is missing, and commands work", async (daemon, page) => {
  await shown(page, "#no-model");
  assert.match(await text(page, "#no-model"), /No model is configured[\s\S]*LLM_API_BASE_URL=http[\s\S]*LLM_MODEL=/);
  await page.click("text=/screenshot");
  await until(() => daemon.requests.some((request) => request.body?.prompt === "/screenshot"), "the command");
}, {
  prepare(daemon) {
    daemon.state.model = { configured: false, name: "", base_url: "", missing: ["LLM_API_BASE_URL", "LLM_MODEL"] };
  },
});

pageTest("mouse and keyboard reach the desktop, and Ctrl+Alt+Shift gives the keyboard back", async (daemon, page) => {
  await live(page);
  const canvas = page.locator("#desktop-screen canvas");
  // It is fitted into the page once more after the connection.
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  const box = await canvas.boundingBox();
  await canvas.click({ position: { x: box.width / 2, y: box.height / 2 } });
  await until(() => daemon.desktop.some((event) => event.buttons === 1), "the click");
  const click = daemon.desktop.find((event) => event.buttons === 1);
  assert.ok(Math.abs(click.x - 320) <= 2 && Math.abs(click.y - 200) <= 2, JSON.stringify(click));
  await shown(page, "#desktop-hint");
  await page.keyboard.press("a");
  await page.keyboard.press("Tab");
  await until(() => daemon.desktop.some((event) => event.key === 0xff09), "the Tab key");
  assert.ok(daemon.desktop.some((event) => event.key === 0x61 && event.down));
  for (const key of ["Control", "Alt", "Shift"]) await page.keyboard.down(key);
  await hidden(page, "#desktop-hint");
  for (const key of ["Shift", "Alt", "Control"]) await page.keyboard.up(key);
  // Nothing stays pressed: every key that went down comes up, though its release happened on the page.
  const held = () => {
    const keys = new Set();
    for (const { key, down } of daemon.desktop) if (key !== undefined) down ? keys.add(key) : keys.delete(key);
    return keys;
  };
  await until(() => held().size === 0, "the release of all keys");
  assert.equal(await page.evaluate(() => document.activeElement.id), "desktop-keyboard");
  const before = daemon.desktop.length;
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.id), "desktop-expand");
  assert.equal(daemon.desktop.length, before);
});

pageTest("the keyboard's way in and out by buttons; watching keeps the hands off", async (daemon, page) => {
  await live(page);
  await page.focus("#desktop-keyboard");
  await page.keyboard.press("Enter");
  await shown(page, "#desktop-hint");
  await page.click("#desktop-keyboard");
  await hidden(page, "#desktop-hint");
  await page.click("#desktop-watch");
  daemon.desktop.length = 0;
  await page.click("#desktop-screen canvas");
  await page.keyboard.press("b");
  assert.equal(await page.locator("#desktop-hint").isVisible(), false);
  await page.click("#desktop-watch");
  await page.click("#desktop-screen canvas");
  await until(() => daemon.desktop.some((event) => event.buttons === 1), "the click");
  assert.equal(daemon.desktop.some((event) => event.key !== undefined), false);
});

pageTest("an unavailable display is explained, and shown once it is there", async (daemon, page) => {
  await page.locator("#desktop-overlay", { hasText: "The display is not available" }).waitFor();
  assert.match(await text(page, "#desktop-overlay"), /Cannot open display :1/);
  const button = await page.waitForSelector("text=Try again now");
  daemon.state.screen = { available: true, width: 640, height: 400, error: "" };
  await button.evaluate((found) => found.click()); // also when the page has just tried by itself and removed it
  await live(page);
}, {
  prepare(daemon) {
    daemon.state.screen = { available: false, width: 0, height: 0, error: "Cannot open display :1." };
  },
});

pageTest("a narrow window has tabs that the keyboard reaches, and nothing sticks out", async (daemon, page) => {
  await shown(page, "#prompt");
  assert.equal(await page.locator("#desktop-panel").isVisible(), false);
  await page.focus("#tab-chat");
  await page.keyboard.press("ArrowLeft");
  await live(page);
  assert.equal(await page.locator("#chat-panel").isVisible(), false);
  await page.waitForFunction(() => {
    const { width } = document.querySelector("#desktop-screen canvas").getBoundingClientRect();
    return width > 300 && width <= 400;
  });
  await page.keyboard.press("ArrowRight");
  await shown(page, "#prompt");
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 400);
}, { viewport: { width: 400, height: 800 } });

pageTest("the theme is switched and kept; the splitter moves by keyboard", async (daemon, page) => {
  await shown(page, "#app");
  await page.click("#theme");
  await page.click("#theme");
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
  const width = () => page.evaluate(() => document.getElementById("chat-panel").offsetWidth);
  const before = await width();
  await page.focus("#splitter");
  await page.keyboard.press("ArrowLeft");
  assert.ok((await width()) > before);
  const after = await width();
  await page.reload();
  await shown(page, "#app");
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
  assert.equal(await width(), after);
});

pageTest("every control has a name", async (daemon, page, [, , emit]) => {
  emit("action_intent", { call_id: "1", tool: "shell", arguments: { command: "a\nb" } });
  await shown(page, ".call");
  const nameless = await page.evaluate(() =>
    [...document.querySelectorAll("button, input, textarea, [tabindex='0']")]
      .filter((element) => element.checkVisibility())
      .filter((element) => !(element.getAttribute("aria-label") || element.innerText.trim() || element.labels?.length))
      .map((element) => element.outerHTML),
  );
  assert.deepEqual(nameless, []);
}, { prepare: (daemon) => begin(daemon) });

const question = {
  call_id: "call_1",
  tool: "shell",
  arguments: { command: "rm -rf build" },
  why: ["it deletes: `rm -rf build`"],
  session: "further calls of shell that would be asked about only because it deletes: `rm -rf build`",
};
const askingRun = (daemon) => {
  const [id, job, emit] = begin(daemon);
  emit("approval_request", question);
  daemon.onAnswer = (conversation, callId, body) => emit("approval_answer", { call_id: callId, by: "owner", ...body });
  return { id, job, emit };
};
const answers = (daemon) => daemon.requests.filter(({ path }) => path.includes("/approvals/"));

pageTest("a call that waits is shown with why, and approved by the keyboard", async (daemon, page, { id }) => {
  await shown(page, '.approval[data-state="open"]');
  const words = await text(page, ".approval");
  for (const part of ["May shell be called?", "it deletes: `rm -rf build`", "rm -rf build", "For this conversation", "covers further calls of shell"]) {
    assert.ok(words.includes(part), `${part} is not in ${words}`);
  }
  assert.match(await text(page, ".pending"), /Waiting for your answer/);
  await page.waitForFunction(() => document.querySelector("#run-status-text").textContent.includes("Waiting for you"));
  await page.focus(".approval pre");
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Approve");
  await page.keyboard.press("Enter");
  await shown(page, '.approval[data-state="answered"]');
  assert.deepEqual(answers(daemon).map(({ method, path, body }) => [method, path, body]), [["POST", `/api/conversations/${id}/approvals/call_1`, { decision: "once" }]]);
  assert.match(await text(page, ".approval"), /Approved by owner/);
  assert.equal(await page.locator(".approval button").count(), 0);
  assert.equal(await page.evaluate(() => document.activeElement.id), "prompt", "the focus is not lost with the button");
}, { prepare: askingRun });

pageTest("a denial tells why, an approval for the conversation what it covers", async (daemon, page, { emit }) => {
  await page.click(".approval button:has-text('Deny')");
  await page.keyboard.type("still needed");
  await page.keyboard.press("Enter");
  await shown(page, '.approval[data-state="answered"]');
  assert.deepEqual(answers(daemon)[0].body, { decision: "deny", reason: "still needed" });
  assert.match(await text(page, ".approval"), /Denied by owner: still needed/);
  emit("approval_request", { ...question, call_id: "call_2" });
  await page.click(".approval[data-state='open'] button:has-text('For this conversation')");
  await page.waitForFunction(() => document.querySelectorAll('.approval[data-state="answered"]').length === 2);
  assert.match(await page.locator(".approval").nth(1).innerText(), /Approved for this conversation by owner[^]*Covers further calls of shell/);
}, { prepare: askingRun });

pageTest("edited arguments are sent, and what the daemon refuses of them can be mended", async (daemon, page) => {
  await page.click(".approval button:has-text('Edit')");
  assert.equal(JSON.parse(await page.inputValue(".approval textarea")).command, "rm -rf build");
  await page.fill(".approval textarea", "{");
  await page.click(".approval button:has-text('Approve as edited')");
  assert.match(await text(page, ".approval-problem"), /not JSON/);
  daemon.refuseAnswer = [400, "invalid_argument", 'unknown parameter "commando"'];
  await page.fill(".approval textarea", '{"commando":"ls"}');
  await page.click(".approval button:has-text('Approve as edited')");
  await page.waitForFunction(() => document.querySelector(".approval-problem").textContent.includes("commando"));
  daemon.refuseAnswer = undefined;
  await page.fill(".approval textarea", '{"command":"ls"}');
  await page.click(".approval button:has-text('Approve as edited')");
  await shown(page, '.approval[data-state="answered"]');
  assert.deepEqual(answers(daemon).at(-1).body, { decision: "edit", arguments: { command: "ls" } });
  assert.match(await text(page, ".approval"), /Approved with other arguments by owner/);
}, { prepare: askingRun });

pageTest("a question stays open when its run has ended, and is closed when the conversation goes on", async (daemon, page, { id, emit }) => {
  emit("run_finished", { ...finished, state: "failed", outcome: "needs_user", reason: "it needs your approval", reply: "May this be done?" });
  await shown(page, '.run[data-outcome="needs_user"]');
  await shown(page, ".approval button:has-text('Approve')");
  daemon.emit(id, daemon.newJob(), "user_message", { text: "forget it" });
  await shown(page, '.approval[data-state="closed"]');
  assert.match(await text(page, ".approval"), /Not answered; it was not run/);
}, { prepare: askingRun });
