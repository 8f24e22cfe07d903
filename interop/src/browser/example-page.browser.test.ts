import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { MqttClient } from "polymq/mqtt";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Site } from "../../../examples/browser/server/site.ts";
import { binaryPath } from "../harness/find-binary.ts";
import { requireOrSkip } from "../harness/require-or-skip.ts";

/** What the page looks like, to be looked at; not in version control. */
const PICTURES = join(import.meta.dirname, "..", "..", "..", ".cache", "browser");

const browsers = requireOrSkip("chromium");

/** The page under `examples/browser`, as it is served by `npm run demo:browser`. Needs a build. */
describe.skipIf(browsers.skip)(browsers.title("the example page in chromium"), () => {
  let dataDir: string;
  let site: Site;
  let browser: Browser;
  let page: Page;
  /** What the page complained about; the test that stops the broker takes away the browser's remarks on that. */
  let complaints: string[];

  beforeAll(async () => {
    await mkdir(PICTURES, { recursive: true });
    browser = await chromium.launch({ executablePath: binaryPath("chromium"), args: ["--no-sandbox"] });
  });

  afterAll(async () => {
    await browser?.close();
  });

  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "polymq-page-test-"));
    site = await Site.start({ port: 0, brokerPort: 0, dataDir });
    complaints = [];
    page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) complaints.push(message.text());
    });
    await page.goto(site.url);
    await page.locator("body[data-ready=yes]").waitFor();
  });

  afterEach(async () => {
    await page.close();
    await site.close();
    await rm(dataDir, { recursive: true, force: true });
    expect(complaints).toEqual([]);
  });

  /** Waits until an element says so. */
  async function says(selector: string, text: string): Promise<void> {
    await page
      .locator(selector)
      .filter({ hasText: new RegExp(`^${text}$`) })
      .first()
      .waitFor();
  }

  const send = (kind: "one" | "many" | "bad"): Promise<void> => page.locator(`#order-form [value=${kind}]`).click();

  const textOf = async (selector: string): Promise<string> => (await page.locator(selector).textContent()) ?? "";

  test("all four connections are there, over WebSocket", async () => {
    await says("#state", "connected");
    for (const protocol of ["mqtt", "amqp091", "amqp10"]) await says(`[data-worker=${protocol}] .badge`, "connected");
  });

  test("what is published to a topic that the page subscribed to shows, its own and others'", async () => {
    await page.locator("#subscribe-form button").click();
    await page.locator("#filters li").waitFor();
    await page.locator("#publish-form button").click();
    await says("#messages li:first-child b", "21.5");
    const client = new MqttClient({ servers: site.brokerUrl, clientId: "another" });
    await client.connect();
    await client.publish("sensors/<b>cellar</b>", "<i>12</i>", { qos: 1 });
    await client.close();
    await says("#messages li:first-child b", "<i>12</i>");
    expect(await textOf("#messages li:first-child code")).toBe("sensors/<b>cellar</b>");
  });

  test("what the page has unsubscribed from comes no more, and the rest does", async () => {
    for (const filter of ["sensors/#", "sensors/+"]) {
      await page.locator("#subscribe-form input").fill(filter);
      await page.locator("#subscribe-form button").click();
      await page.locator("#filters li").filter({ hasText: filter }).waitFor();
    }
    await page.locator("#filters li:first-child button").click();
    await page.locator("#publish-form [name=topic]").fill("sensors/a/b");
    await page.locator("#publish-form button").click();
    await page.locator("#publish-form [name=topic]").fill("sensors/a");
    await page.locator("#publish-form button").click();
    await says("#messages li:first-child code", "sensors/a");
    expect(await page.locator("#messages li").count()).toBe(1);
  });

  test("workers over three protocols share the orders, and each order ends where it should", async () => {
    await send("many");
    await send("bad");
    await says("[data-count=done]", "20");
    await says("[data-count=dead]", "1");
    // Two of eight items are fragile.
    await says("[data-count=returned]", "5");
    for (const protocol of ["mqtt", "amqp091", "amqp10"]) {
      expect(await textOf(`[data-worker=${protocol}] p span:last-child`)).not.toBe("0 done");
    }
    await page.screenshot({ path: join(PICTURES, "orders.png") });
  });

  test("orders wait while no worker is there, and another program's come too", async () => {
    for (const protocol of ["mqtt", "amqp091", "amqp10"]) {
      await page.locator(`[data-worker=${protocol}] button`).click();
      await says(`[data-worker=${protocol}] button`, "Start");
    }
    await send("one");
    const client = new MqttClient({ servers: site.brokerUrl, clientId: "another", protocolVersion: 5 });
    await client.connect();
    await client.publishToQueue("orders", JSON.stringify({ id: "elsewhere", item: "rug" }));
    await client.close();
    expect(await textOf("[data-count=done]")).toBe("0");
    await page.locator("[data-worker=amqp10] button").click();
    await says("[data-order=elsewhere] .badge", "done");
    await says("[data-count=done]", "2");
  });

  test("after the broker was restarted everything goes on, and no order is lost", async () => {
    await page.locator("#subscribe-form button").click();
    await page.locator("#filters li").waitFor();
    await send("many");
    await says("#orders .badge", "in work");
    await site.stopBroker();
    await says("#state", "reconnecting");
    // What is sent meanwhile waits in the page.
    await send("one");
    await page.locator("#publish-form button").click();
    await page.screenshot({ path: join(PICTURES, "broker-away.png") });
    await site.startBroker();
    await says("#state", "connected");
    await says("#messages li:first-child b", "21.5");
    for (const protocol of ["mqtt", "amqp091", "amqp10"]) await says(`[data-worker=${protocol}] .badge`, "connected");
    // An order whose acknowledgement was on its way is done twice, so that their number tells nothing.
    await page.locator("#orders [data-order]").nth(20).waitFor();
    await page.locator("#orders .badge:not([data-state=done])").first().waitFor({ state: "detached" });
    await page.screenshot({ path: join(PICTURES, "broker-back.png") });
    // The browser itself says so in its console.
    for (const complaint of complaints.splice(0)) expect(complaint).toContain("ERR_CONNECTION_REFUSED");
  });

  test("fits a narrow window, and dark surroundings", async () => {
    await page.emulateMedia({ colorScheme: "dark" });
    await page.setViewportSize({ width: 420, height: 900 });
    await send("many");
    await says("[data-count=done]", "20");
    expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
    await page.screenshot({ path: join(PICTURES, "narrow-dark.png"), fullPage: true });
  });
});
