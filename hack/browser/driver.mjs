// Drives Chromium for tests: a request a line of standard input, its answer a line of standard output. A request is
// {id, tab, do, …}, an answer {id, ok} or {id, error}. Ends with its standard input.
import { readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const modules = `${process.env.MODULES}/node_modules`;
const load = (path) => import(pathToFileURL(`${modules}/${path}`));
const { chromium } = await load("playwright-core/index.mjs");
const { default: pixelmatch } = await load("pixelmatch/index.js");
const { default: pngjs } = await load("pngjs/lib/png.js");
const axe = readFileSync(`${modules}/axe-core/axe.min.js`, "utf8");

// How long a page may take for anything, on a machine that does much else.
const PATIENCE = 60_000;

// Nothing reaches the network. elsewhere.example is a name of another site that leads to this machine.
const NAMES = "MAP elsewhere.example 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost";
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: [`--host-resolver-rules=${NAMES}`],
});

// A page by its number, with what went wrong in it. Its context ends with its last page.
const tabs = new Map();

async function open(number, context) {
  const page = await context.newPage();
  const errors = [];
  page.on("console", (message) => {
    if (message.type() === "error") errors.push(message.text());
  });
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("requestfailed", (request) => {
    // A page that is left, or that has something newer to ask, ends its requests.
    const why = request.failure()?.errorText;
    if (why !== "net::ERR_ABORTED") errors.push(`${request.method()} ${request.url()}: ${why}`);
  });
  tabs.set(number, { page, errors });
}

// Roles of what a value is written into or chosen of. A password has none.
const FIELDS = ["textbox", "searchbox", "combobox", "listbox", "spinbutton"];

// What a request is about: by role and name, by label, by a part of its text, or by a selector of Playwright.
function locator(page, { role, name, label, text, selector }) {
  if (role) return page.getByRole(role, { name, exact: true });
  // The name leaves out what a label holds besides its text, as the options of a list.
  const fields = FIELDS.map((role) => page.getByRole(role, { name: label, exact: true }));
  if (label) return fields.reduce((any, field) => any.or(field), page.getByLabel(label, { exact: true }));
  if (text) return page.getByText(text);
  return page.locator(selector);
}

function read(path) {
  return pngjs.PNG.sync.read(readFileSync(path));
}

const does = {
  async open(_, { tab, settings }) {
    const context = await browser.newContext({ ...settings, locale: "en-US", timezoneId: "UTC" });
    context.setDefaultTimeout(PATIENCE);
    await open(tab, context);
  },
  tab: ({ page }, { as }) => open(as, page.context()),
  async close({ page }, { tab }) {
    tabs.delete(tab);
    const context = page.context();
    // After a navigation that failed, a page alone may never be closed.
    await (context.pages().length > 1 ? page.close() : context.close());
  },
  async errors({ page, errors }) {
    // What the page reported before its answer is here with it.
    await page.evaluate("0");
    return errors.splice(0);
  },

  goto: async ({ page }, { url }) => (await page.goto(url))?.status(),
  before: ({ page }, { script }) => page.addInitScript(script),
  reload: async ({ page }) => (await page.reload())?.status(),
  back: async ({ page }) => void (await page.goBack()),
  url: ({ page }) => page.url(),
  cookies: ({ page }) => page.context().cookies(),
  resize: ({ page }, { width, height }) => page.setViewportSize({ width, height }),
  media: ({ page }, { media }) => page.emulateMedia(media),

  click: ({ page }, which) => locator(page, which).click(),
  fill: ({ page }, which) => locator(page, which).fill(which.value),
  choose: async ({ page }, which) => void (await locator(page, which).selectOption({ label: which.value })),
  press: ({ page }, { key }) => page.keyboard.press(key),
  type: ({ page }, { text }) => page.keyboard.type(text),

  text: ({ page }, which) => locator(page, which).innerText(),
  texts: ({ page }, which) => locator(page, which).allInnerTexts(),
  value: ({ page }, which) => locator(page, which).inputValue(),
  attribute: ({ page }, which) => locator(page, which).getAttribute(which.attribute),
  count: ({ page }, which) => locator(page, which).count(),
  html: ({ page }) => page.content(),
  tree: ({ page }, which) => locator(page, which).ariaSnapshot(),
  eval: ({ page }, { expression }) => page.evaluate(expression),

  // Until it is there, or until nothing of it is left.
  wait: ({ page }, which) => locator(page, which).first().waitFor(),
  async gone({ page }, which) {
    await locator(page, which).filter({ visible: true }).first().waitFor({ state: "hidden" });
  },
  wait_url: ({ page }, { part, has }) => page.waitForURL((url) => url.href.includes(part) === has),

  // The viewport is as tall as the page, so that bars that stick stand where they belong.
  async picture({ page }, { path }) {
    const size = page.viewportSize();
    const height = await page.evaluate("Math.ceil(document.documentElement.getBoundingClientRect().height)");
    await page.setViewportSize({ width: size.width, height: Math.max(height, size.height) });
    await page.evaluate("document.fonts.ready.then(() => {})");
    await page.screenshot({ path, animations: "disabled" });
    await page.setViewportSize(size);
  },
  // The number of pixels that differ; pictures of different sizes differ in all.
  differ(_, { left, right, into }) {
    const [a, b] = [read(left), read(right)];
    if (a.width !== b.width || a.height !== b.height) return Math.max(a.width * a.height, b.width * b.height);
    const shown = new pngjs.PNG({ width: a.width, height: a.height });
    const differ = pixelmatch(a.data, b.data, shown.data, a.width, a.height, { threshold: 0, includeAA: true });
    if (differ > 0) writeFileSync(into, pngjs.PNG.sync.write(shown));
    return differ;
  },
  // By evaluation: the content security policy of a page refuses any script element.
  async axe({ page }) {
    const { violations } = await page.evaluate(`${axe};\naxe.run()`);
    return violations.flatMap(({ id, help, nodes }) => nodes.map(({ html }) => `${id}: ${help}: ${html}`));
  },
};

async function answer(request) {
  try {
    const ok = await does[request.do](tabs.get(request.tab), request);
    return { id: request.id, ok: ok ?? null };
  } catch (error) {
    return { id: request.id, error: String(error.message ?? error) };
  }
}

const lines = createInterface({ input: process.stdin });
lines.on("line", async (line) => process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line)))}\n`));
lines.on("close", () => browser.close());
