// Prints the median time to the first contentful paint of an address over 20 warm loads, in milliseconds:
// node paint.mjs MODULES CHROMIUM ADDRESS, with COOKIE in the environment.
import { createRequire } from "node:module";

const [modules, executablePath, address] = process.argv.slice(2);
const { chromium } = createRequire(modules + "/")("playwright-core");
const browser = await chromium.launch({ executablePath });
const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, reducedMotion: "reduce" });
const [name, value] = process.env.COOKIE.split("=");
await context.addCookies([{ name, value, url: new URL(address).origin }]);
const page = await context.newPage();
const times = [];
for (let round = 0; round < 25; round++) {
  await page.goto(address);
  const time = await page.evaluate(
    () =>
      new Promise((resolve) => {
        const observer = new PerformanceObserver((list) => {
          for (const entry of list.getEntriesByName("first-contentful-paint")) resolve(entry.startTime);
        });
        observer.observe({ type: "paint", buffered: true });
      }),
  );
  // The first loads warm the caches.
  if (round >= 5) times.push(time);
}
times.sort((a, b) => a - b);
console.log(times[times.length / 2]);
await browser.close();
