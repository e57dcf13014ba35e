// For tests of the page in a real browser: one browser for a file, a fresh profile of it for each test.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before } from "node:test";
import { chromium } from "playwright-core";
import { chromiumArgs, chromiumPath, noBrowser, test } from "./harness.mjs";

/**
 * Returns pageTest(name, body, {viewport, colorScheme}): `body(page, {requests, context})` gets the page of `box` after the login, and
 * the paths that it has asked for. Script errors and refusals of the security policy fail the test. `cleanUp` runs after each.
 */
export function usePages(box, { cleanUp = async () => {} } = {}) {
  let browser;
  before(async () => {
    if (!noBrowser) browser = await chromium.launch({ executablePath: chromiumPath, args: chromiumArgs });
  });
  after(() => browser?.close());

  return function pageTest(name, body, { viewport = { width: 1280, height: 800 }, colorScheme = "light" } = {}) {
    test(name, { skip: noBrowser, timeout: 180_000 }, async () => {
      const context = await browser.newContext({ viewport, colorScheme });
      const page = await context.newPage();
      page.setDefaultTimeout(30_000);
      const faults = [];
      const requests = [];
      page.on("pageerror", (error) => faults.push(error.message));
      page.on("request", (request) => requests.push(new URL(request.url()).pathname));
      page.on("console", (message) => {
        if (/Content Security Policy/i.test(message.text())) faults.push(message.text());
      });
      try {
        await page.goto(box.daemon.loginUrl);
        await page.locator("#app").waitFor();
        await body(page, { requests, context });
        assert.deepEqual(faults, []);
      } catch (error) {
        await shoot(page, `failed ${name}`);
        throw error;
      } finally {
        await context.close();
        await cleanUp();
      }
    });
  };
}

/** Leaves a picture in $SELFAGENT_SHOTS. */
export async function shoot(page, name) {
  const folder = process.env.SELFAGENT_SHOTS;
  if (!folder) return;
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name.replace(/[^a-z0-9]+/gi, "-").toLowerCase()}.png`) }).catch(() => {});
}
