// Writes screenshots of the page with an example state. Not a test: used while the page is designed.
import { launch, open, receiver, Sandbox, screenshot, until } from "./support.js";
import { fill, levels, withDevices } from "./example.js";

const sandbox = await Sandbox.start();
const browser = await launch();
const hooks = await receiver();
try {
  const empty = await open(browser, sandbox.origin);
  await until("live", () => empty.getByText("Live", { exact: true }).isVisible());
  await screenshot(empty, "empty");
  const example = await fill(sandbox, hooks);
  for (const [name, options] of Object.entries({
    light: { colorScheme: "light" },
    dark: { colorScheme: "dark" },
    phone: { viewport: { width: 390, height: 844 }, colorScheme: "light" },
  })) {
    const page = await open(browser, sandbox.origin, { ...options, prepare: (p) => withDevices(p, levels(example)) });
    await until("the picture", () => page.locator(".picture .edge").first().isVisible());
    await page.waitForTimeout(600);
    await page.locator("#request-list summary").nth(2).click();
    await screenshot(page, name);
    if (name === "phone") {
      for (const [at, section] of ["sessions", "endpoints", "requests", "faults"].entries()) {
        await page.locator(`#${section}`).evaluate((e) => e.scrollIntoView());
        await page.screenshot({ path: `${process.env.BW_PAGE_OUT}/phone-${at}.png` });
      }
    }
    console.log(name, page.problems);
  }
  const join = await open(browser, `${sandbox.origin}/join#participant=${example.alice.id}`);
  await screenshot(join, "join-unavailable");
  console.log(join.problems);
} finally {
  await browser.close();
  await sandbox.stop();
  hooks.close();
}
