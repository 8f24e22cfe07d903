import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Broker, startBroker } from "@polymq/broker";
import { type Browser, chromium, type Page } from "playwright-core";
import { faultProxy, testCertificates } from "polymq/testing";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { binaryPath } from "../harness/find-binary.ts";
import { requireOrSkip } from "../harness/require-or-skip.ts";
import type { AmqpPageTests } from "./amqp-page-tests.ts";
import { BARE, bundlePage, type PageBundle } from "./bundle-page.ts";
import { callInPage } from "./call-in-page.ts";
import { cutInside, portOf } from "./link-faults.ts";
import { PageServer } from "./page-server.ts";

const COUNT = 120;
const MIB = 1_048_576;
const LOGIN = { username: "ada", password: "correct horse" } as const;

const PROTOCOLS = [
  { name: "AMQP 0-9-1", page: "amqp091-page.ts", unroutable: "ERR_UNROUTABLE", elsewhere: "amqp://127.0.0.1:" },
  { name: "AMQP 1.0", page: "amqp10-page.ts", unroutable: "ERR_MESSAGE_RELEASED", elsewhere: "amqp://127.0.0.1:" },
] as const;

const browsers = requireOrSkip("chromium");

describe.skipIf(browsers.skip)(browsers.title("AMQP in chromium, over WebSocket"), () => {
  let browser: Browser;
  let broker: Broker;
  let guarded: Broker;

  beforeAll(async () => {
    const { serverCert: cert, serverKey: key } = testCertificates;
    broker = await startBroker({ listeners: [{ port: 0 }, { port: 0, tls: { cert, key } }] });
    guarded = await startBroker({ port: 0, users: [LOGIN] });
    browser = await chromium.launch({ executablePath: binaryPath("chromium"), args: ["--no-sandbox"] });
  });

  afterAll(async () => {
    await browser?.close();
    await broker?.close();
    await guarded?.close();
  });

  describe.each(PROTOCOLS)("$name", ({ page: source, unroutable, elsewhere }) => {
    let bundle: PageBundle;
    let server: PageServer;
    let page: Page;
    /** What the page complained about; a test that breaks connections on purpose takes the browser's remarks on that away. */
    let complaints: string[] = [];

    beforeAll(async () => {
      bundle = await bundlePage(source);
      server = await PageServer.start(bundle.scripts);
      // One page for all tests: each connects anew, and to queues of its own.
      page = await browser.newPage({ ignoreHTTPSErrors: true });
      page.on("pageerror", (error) => complaints.push(String(error)));
      page.on("console", (message) => {
        if (["error", "warning"].includes(message.type())) complaints.push(message.text());
      });
      await page.goto(server.url);
    });

    afterAll(async () => {
      await page?.close();
      await server?.[Symbol.asyncDispose]();
    });

    beforeEach(() => {
      complaints = [];
    });

    afterEach(() => {
      expect(complaints).toEqual([]);
    });

    const inPage = <K extends keyof AmqpPageTests>(name: K, ...args: Parameters<AmqpPageTests[K]>) =>
      callInPage<AmqpPageTests, K>(page, name, args);

    /** Waits until so many more messages of `steady` have come. */
    async function progressBy(more: number): Promise<void> {
      const progress = (): number => Number((globalThis as { pageProgress?: number }).pageProgress);
      const least = (await page.evaluate(progress)) + more;
      const enough = (least: number): boolean =>
        Number((globalThis as { pageProgress?: number }).pageProgress) >= least;
      await page.waitForFunction(enough, least, { timeout: 0 });
    }

    const urlAt = (port: number): string => `ws://127.0.0.1:${port}/amqp`;
    const plainUrl = (): string => urlAt(portOf(broker, 0));

    test("the bundle needs nothing of Node's, and brings no stand-in for it", () => {
      const words = [...bundle.scripts.values()].join().split(/[^\w]/);
      expect(words.filter((word) => word.startsWith(BARE))).toEqual([]);
      const own = /^(packages\/polymq\/src|interop\/src\/browser)\//;
      expect(bundle.inputs.filter((path) => !own.test(path) || path.includes("/node/"))).toEqual([]);
    });

    test.each([1, 7, 30])("%i messages in hand: confirmed, in order, once, and settled by hand", async (prefetch) => {
      const report = await inPage("exchange", { url: plainUrl(), count: COUNT - (COUNT % prefetch), prefetch });
      expect(report.texts).toEqual(numbered(COUNT - (COUNT % prefetch)));
      expect(report).toMatchObject({ confirmed: report.texts.length, unsettledMax: prefetch, left: 0 });
    });

    test("WebSocket over TLS", async () => {
      const url = `wss://localhost:${portOf(broker, 1)}/amqp`;
      const report = await inPage("exchange", { url, count: COUNT, prefetch: 20 });
      expect(report).toMatchObject({ texts: numbered(COUNT), confirmed: COUNT, left: 0 });
    });

    test("1 MiB travels unharmed", async () => {
      expect(await inPage("largePayload", { url: plainUrl(), bytes: MIB })).toEqual({ same: true, length: MIB });
    });

    test("what was not acknowledged comes again, in its old place, and says so", async () => {
      const given = await inPage("leaveUnsettled", { url: plainUrl(), count: 10, taken: 6 });
      expect(given.map(({ text }) => Number(text.split(" ")[1]))).toEqual([1, 3, 5, 6, 7, 8, 9]);
      expect(given.map(({ again }) => again)).toEqual([true, true, true, false, false, false, false]);
    });

    test("members of a group share a queue, and each group gets all of it", async () => {
      const [first = [], second = [], alone = []] = await inPage("group", { url: plainUrl(), count: COUNT });
      expect(alone.toSorted()).toEqual(numbered(COUNT).toSorted());
      expect([...first, ...second].toSorted()).toEqual(numbered(COUNT).toSorted());
      expect(Math.min(first.length, second.length)).toBeGreaterThan(0);
    });

    test.each(["fin", "rst"] as const)(
      "after cuts of the link (%s) the page comes back and loses nothing",
      async (mode) => {
        const proxy = await faultProxy({ target: { host: "127.0.0.1", port: portOf(broker, 0) } });
        try {
          const running = inPage("steady", { url: urlAt(proxy.port), count: COUNT });
          for (let cut = 1; cut <= 3; cut++) await cutInside(proxy, mode);
          const report = await running;
          expect([...new Set(report.texts)].toSorted()).toEqual(numbered(COUNT).toSorted());
          expect(report).toMatchObject({ confirmed: COUNT, reconnects: 3 });
        } finally {
          await proxy.close();
        }
      },
    );

    test("after the broker has closed the connection and started again the page goes on and loses nothing", async () => {
      const dataDir = await mkdtemp(join(tmpdir(), "polymq-browser-"));
      let restarting = await startBroker({ port: 0, dataDir });
      const { port } = restarting;
      try {
        const running = inPage("steady", { url: urlAt(port), count: COUNT });
        for (let restart = 1; restart <= 2; restart++) {
          // Counted from now on: messages came over the connection that is to be closed.
          await progressBy(10);
          await restarting.close();
          restarting = await startBroker({ port, dataDir });
        }
        const report = await running;
        expect([...new Set(report.texts)].toSorted()).toEqual(numbered(COUNT).toSorted());
        expect(report).toMatchObject({
          confirmed: COUNT,
          reconnects: 2,
          lost: ["ERR_SERVER_DISCONNECT", "ERR_SERVER_DISCONNECT"],
        });
      } finally {
        await restarting.close();
        await rm(dataDir, { recursive: true, force: true });
      }
      // The browser itself says so in its console while the broker is away.
      for (const complaint of complaints.splice(0)) expect(complaint).toContain("ERR_CONNECTION_REFUSED");
    });

    test("who may come in", async () => {
      const url = urlAt(guarded.port);
      expect(await inPage("refused", { url, ...LOGIN })).toEqual(["connected"]);
      expect(await inPage("refused", { url, ...LOGIN, password: "wrong" })).toEqual(["ERR_AUTH_FAILED"]);
    });

    test("a message that goes nowhere is a typed error", async () => {
      expect(await inPage("unroutable", { url: plainUrl() })).toBe(unroutable);
    });

    test("what a browser cannot do is a typed error", async () => {
      expect(await inPage("refused", { url: elsewhere + portOf(broker, 0) })).toEqual(["ERR_UNSUPPORTED"]);
      expect(await inPage("refused", { url: plainUrl(), headers: true })).toEqual(["ERR_UNSUPPORTED"]);
    });

    test("a server that is not there is a typed error", async () => {
      const gone = await startBroker({ port: 0 });
      const url = urlAt(gone.port);
      await gone.close();
      expect(await inPage("refused", { url })).toEqual(["ERR_CONNECT_FAILED"]);
      // The browser itself says so in its console.
      expect(complaints.splice(0)).toEqual([expect.stringContaining("ERR_CONNECTION_REFUSED")]);
    });
  });
});

function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `message ${index}`);
}
