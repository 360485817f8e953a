// Visits pages in Chromium as the JSON on standard input says, and prints what it saw as JSON.
// One visit: {file, theme, width, height, steps}, where a step is [what, ...arguments].
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const { browser, visits } = JSON.parse(readFileSync(0, "utf8"));
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const profile = mkdtempSync(join(tmpdir(), "fanfold-chromium-"));

const steps = {
  evaluate: (page, source) => page.evaluate(source),
  press: async (page, ...keys) => { for (const key of keys) await page.keyboard.press(key); },
  click: (page, selector) => page.click(selector),
  download: async (page, selector, path) => {
    const [saved] = await Promise.all([page.waitForEvent("download"), page.click(selector)]);
    await saved.saveAs(path);
    return saved.suggestedFilename();
  },
  hover: (page, selector, x, y) => page.hover(selector, { position: { x, y } }),
  drag: async (page, fromX, fromY, toX, toY) => {
    await page.mouse.move(fromX, fromY);
    await page.mouse.down();
    await page.mouse.move(toX, toY, { steps: 5 });
    await page.mouse.up();
  },
  wheel: async (page, x, y, deltaX, deltaY, key) => {
    await page.mouse.move(x, y);
    if (key) await page.keyboard.down(key);
    await page.mouse.wheel(deltaX, deltaY);
    if (key) await page.keyboard.up(key);
    await page.waitForTimeout(100);
  },
  // Not by waitForFunction, which the page's policy refuses: it would evaluate within the page.
  until: async (page, source) => {
    const deadline = Date.now() + 20_000;
    while (!(await page.evaluate(source))) {
      if (Date.now() > deadline) throw new Error(`never true: ${source}`);
      await page.waitForTimeout(20);
    }
  },
  picture: (page, path, selector) => (selector
    ? page.locator(selector).screenshot({ path }) : page.screenshot({ path, fullPage: true })),
  view: (page, path) => page.screenshot({ path }),
  pdf: (page, path) => page.pdf({ path, format: "A4", printBackground: true, margin: { top: "12mm", bottom: "12mm", left: "12mm", right: "12mm" } }),
  axe: async (page) => {
    // Through the debugger, past the page's own policy, which lets no script in.
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => window.axe.run({ resultTypes: ["violations"] }));
    return violations.map(({ id, impact, nodes }) => ({ id, impact, nodes: nodes.map((node) => `${node.html} ${node.failureSummary}`).slice(0, 5) }));
  },
};

async function visit(context, { file, theme = "light", width = 1440, height = 900, touch = false, steps: wanted = [] }) {
  const page = await context.newPage();
  const errors = [], requests = [];
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) errors.push(message.text()); });
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("dialog", (dialog) => { errors.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on("request", (request) => { if (!request.url().startsWith("data:")) requests.push(request.url()); });
  await page.setViewportSize({ width, height });
  await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
  const url = pathToFileURL(file).href;
  await page.goto(url, { waitUntil: "load" });
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  const values = [];
  for (const [what, ...given] of wanted) {
    const value = await steps[what](page, ...given);
    if (["evaluate", "axe", "download"].includes(what)) values.push(value ?? null);
  }
  await page.close();
  return { errors, requests: requests.filter((request) => request !== url), values };
}

let context;
try {
  context = await chromium.launchPersistentContext(profile, {
    executablePath: browser,
    headless: true,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
  const results = [];
  for (const one of visits) results.push(await visit(context, one));
  process.stdout.write(JSON.stringify(results));
} finally {
  await context?.close();
  rmSync(profile, { recursive: true, force: true });
}
