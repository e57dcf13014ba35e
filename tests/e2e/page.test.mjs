// The page in a real browser, with the real daemon and the live desktop.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { notesModel } from "./model.mjs";
import { screen, until, useBox } from "./harness.mjs";
import { shoot, usePages } from "./page_harness.mjs";

const box = useBox({
  prepare: async (own) => {
    own.model = await notesModel();
    return { env: own.model.env };
  },
});

const pageTest = usePages(box);

const desktop = (page) => page.locator("#desktop-screen canvas");
const live = (page) => page.locator('#desktop-status[data-state="good"]').waitFor();

/** How many colours the canvas of the live desktop shows. */
const colours = (page) => desktop(page).evaluate((canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const seen = new Set();
  for (let at = 0; at < data.length; at += 4 * 97) seen.add((data[at] << 16) | (data[at + 1] << 8) | data[at + 2]);
  return seen.size;
});

/** Clicks on the live desktop at screen coordinates. */
async function clickDesktop(page, x, y) {
  const area = await desktop(page).boundingBox();
  await desktop(page).click({ position: { x: (x * area.width) / screen.width, y: (y * area.height) / screen.height } });
}

pageTest("the login URL logs in, and its token leaves the address", async (page) => {
  assert.equal(new URL(page.url()).hash, "");
  await page.reload();
  await page.locator("#app").waitFor();
  assert.equal(await page.locator("#login").isVisible(), false);
});

pageTest("the live desktop shows pixels; a click moves the real pointer; keys arrive in a terminal", async (page) => {
  await live(page);
  const file = join(box.daemon.workspace, "live.txt");
  await box.daemon.tool("launch", { command: `xterm -T live -geometry 60x10+100+100 -e sh -c "cat > '${file}'"`, wait_ms: 25_000 });
  await until("the terminal waits", () => existsSync(file));
  await until("the desktop is drawn", async () => (await colours(page)) > 2);
  const pointer = async () => (await box.daemon.tool("screen_info")).match(/pointer at \((\d+),(\d+)\)/).slice(1).map(Number);
  await until("the pointer is there", async () => {
    await clickDesktop(page, 900, 600); // again, when the page was laid out anew meanwhile
    const [x, y] = await pointer();
    return Math.abs(x - 900) <= 2 && Math.abs(y - 600) <= 2;
  });
  await until("the terminal has the keyboard", async () => {
    await clickDesktop(page, 200, 200);
    return /active window: .*live/.test(await box.daemon.tool("screen_info"));
  });
  await page.keyboard.type("Typed in the page: 1 + 1 = 2!");
  await page.keyboard.press("Enter");
  await until("the text is in the file", () => readFileSync(file, "utf8") === "Typed in the page: 1 + 1 = 2!\n");
  await shoot(page, "live desktop");
  await page.keyboard.press("Control+d");
});

pageTest("a command shows its result and picture", async (page) => {
  await page.getByLabel("Prompt").fill("/screenshot");
  await page.keyboard.press("Enter");
  await page.locator('.call[data-state="ok"]').waitFor();
  const thumb = page.locator(".thumb img").first();
  await until("the picture is loaded", () => thumb.evaluate((image) => image.complete && image.naturalWidth > 0));
  await page.locator(".outcome", { hasText: "Done" }).waitFor();
});

pageTest("a prompt streams text, tool calls with pictures, and its end", async (page) => {
  await live(page);
  await page.locator("#conversation-new").click();
  await page.getByLabel("Prompt").fill("open a terminal, write today's notes into a file, show it");
  const stoppable = page.locator("#stop").waitFor(); // while it runs, which may be over soon
  stoppable.catch(() => {});
  await page.keyboard.press("Enter");
  await page.locator(".user", { hasText: "today's notes" }).waitFor();
  await page.locator(".call").first().waitFor();
  await stoppable;
  await page.locator('.run[data-state="succeeded"]').waitFor({ timeout: 120_000 });
  assert.ok((await page.locator('.call[data-state="ok"]').count()) >= 2);
  assert.deepEqual(await page.locator('.call[data-state="failed"]').allInnerTexts(), []);
  assert.ok((await page.locator(".thumb").count()) >= 1);
  assert.match(await page.locator(".assistant .prose").last().innerText(), new RegExp(box.model.script.about.reply));
  assert.match(await page.locator(".outcome").last().innerText(), /Done[\s\S]*steps/);
  await page.locator("#stop").waitFor({ state: "hidden" });
  await shoot(page, "conversation");
  await page.emulateMedia({ colorScheme: "dark" });
  await shoot(page, "conversation dark");
});

pageTest("the Stop button ends a run at once", async (page) => {
  await page.locator("#conversation-new").click();
  await page.getByLabel("Prompt").fill("/shell sleep 60");
  await page.keyboard.press("Enter");
  await page.locator('.call[data-state="running"]').waitFor();
  const start = performance.now();
  await page.locator("#stop").click();
  await page.locator('.run[data-state="cancelled"]').waitFor();
  assert.ok(performance.now() - start < 15_000, `${performance.now() - start} ms`);
  await page.locator("#stop").waitFor({ state: "hidden" });
});

pageTest("after a restart of the daemon the page comes back with the conversation", async (page) => {
  await page.locator("#conversation-new").click();
  await page.getByLabel("Prompt").fill("/shell echo before the restart");
  await page.keyboard.press("Enter");
  await page.locator(".call-text", { hasText: "before the restart" }).first().waitFor();
  await page.locator(".outcome", { hasText: "Done" }).waitFor();
  await live(page);
  await box.daemon.stop("SIGKILL");
  await page.locator('#connection[data-state="bad"]').waitFor();
  await box.daemon.start(`127.0.0.1:${box.daemon.port}`);
  await page.locator('#connection[data-state="good"]').waitFor({ timeout: 60_000 });
  assert.equal(await page.locator(".user").count(), 1);
  await page.locator(".call-text", { hasText: "before the restart" }).first().waitFor();
  await live(page);
  await page.getByLabel("Prompt").fill("/shell echo after the restart");
  await page.keyboard.press("Enter");
  await page.locator(".call-text", { hasText: "after the restart" }).first().waitFor();
  await page.reload();
  await page.locator(".call-text", { hasText: "before the restart" }).first().waitFor();
});

for (const colorScheme of ["light", "dark"]) {
  pageTest(`at 400 px nothing sticks out (${colorScheme})`, async (page) => {
    const narrow = () => page.evaluate(() => document.documentElement.scrollWidth);
    await page.getByLabel("Prompt").waitFor();
    assert.equal(await narrow(), 400);
    await shoot(page, `narrow chat ${colorScheme}`);
    await page.getByRole("tab", { name: "Desktop" }).click();
    await live(page);
    assert.equal(await narrow(), 400);
    await shoot(page, `narrow desktop ${colorScheme}`);
  }, { viewport: { width: 400, height: 800 }, colorScheme });
}
