import { type Broker, startBroker } from "@polymq/broker";
import { type Browser, chromium, type Page } from "playwright-core";
import { faultProxy, testCertificates } from "polymq/testing";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { binaryPath } from "../harness/find-binary.ts";
import { requireOrSkip } from "../harness/require-or-skip.ts";
import { BARE, bundlePage, type PageBundle } from "./bundle-page.ts";
import { callInPage } from "./call-in-page.ts";
import { cutInside, portOf } from "./link-faults.ts";
import type { PageTests } from "./mqtt-page.ts";
import { PageServer } from "./page-server.ts";

const COUNT = 200;
const MIB = 1_048_576;
const LOGIN = { username: "ada", password: "correct horse" } as const;

const browsers = requireOrSkip("chromium");

describe.skipIf(browsers.skip)(browsers.title("the MQTT client in chromium"), () => {
  let bundle: PageBundle;
  let server: PageServer;
  let browser: Browser;
  let broker: Broker;
  let guarded: Broker;
  let page: Page;
  /** What the page complained about; a test that breaks connections on purpose takes the browser's remarks on that away. */
  let complaints: string[];

  beforeAll(async () => {
    bundle = await bundlePage("mqtt-page.ts");
    server = await PageServer.start(bundle.scripts);
    const { serverCert: cert, serverKey: key } = testCertificates;
    broker = await startBroker({ listeners: [{ port: 0 }, { port: 0, tls: { cert, key } }] });
    guarded = await startBroker({ port: 0, users: [LOGIN] });
    browser = await chromium.launch({ executablePath: binaryPath("chromium"), args: ["--no-sandbox"] });
  });

  afterAll(async () => {
    await browser?.close();
    await server?.[Symbol.asyncDispose]();
    await broker?.close();
    await guarded?.close();
  });

  beforeEach(async () => {
    complaints = [];
    page = await browser.newPage({ ignoreHTTPSErrors: true });
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) complaints.push(message.text());
    });
    await page.goto(server.url);
  });

  afterEach(async () => {
    await page.close();
    expect(complaints).toEqual([]);
  });

  /** Calls one of the page's functions there. */
  const inPage = <K extends keyof PageTests>(name: K, ...args: Parameters<PageTests[K]>) =>
    callInPage<PageTests, K>(page, name, args);

  const plainUrl = (): string => `ws://127.0.0.1:${portOf(broker, 0)}/mqtt`;
  const secureUrl = (): string => `wss://localhost:${portOf(broker, 1)}/mqtt`;

  test("the bundle needs nothing of Node's, and brings no stand-in for it", async () => {
    const words = [...bundle.scripts.values()].join().split(/[^\w]/);
    expect(words.filter((word) => word.startsWith(BARE))).toEqual([]);
    expect(bundle.inputs.filter((path) => !/^(packages\/polymq\/src|interop\/src\/browser)\//.test(path))).toEqual([]);
    expect(bundle.inputs.filter((path) => path.includes("/node/"))).toEqual([]);
    expect(await inPage("globals")).toEqual({ buffer: "undefined", process: "undefined", require: "undefined" });
  });

  describe.each([4, 5] as const)("at level %i", (level) => {
    test.each([0, 1, 2] as const)("messages of QoS %i arrive in order, once", async (qos) => {
      const report = await inPage("exchange", { url: plainUrl(), level, qos, count: COUNT });
      expect(report.version).toBe(level);
      expect(report.texts).toEqual(numbered(COUNT));
      expect(new Set(report.levels)).toEqual(new Set([qos]));
    });

    test("WebSocket over TLS", async () => {
      const report = await inPage("exchange", { url: secureUrl(), level, qos: 1, count: COUNT });
      expect(report.texts).toEqual(numbered(COUNT));
    });

    test("1 MiB travels unharmed", async () => {
      expect(await inPage("largePayload", { url: plainUrl(), level, bytes: MIB })).toEqual({ same: true, length: MIB });
    });

    test("messages are read with for await", async () => {
      const report = await inPage("iterate", { url: plainUrl(), level, count: 20 });
      expect(report).toEqual({ texts: numbered(20), ended: true });
    });

    test.each([
      { qos: 1, mode: "rst" },
      { qos: 2, mode: "fin" },
    ] as const)(
      "after the connection was dropped ($mode) the page comes back, and QoS $qos loses nothing",
      async ({ qos, mode }) => {
        const proxy = await faultProxy({ target: { host: "127.0.0.1", port: portOf(broker, 0) } });
        try {
          const running = inPage("steady", { url: `ws://127.0.0.1:${proxy.port}/mqtt`, level, qos, count: COUNT });
          for (let cut = 1; cut <= 3; cut++) await cutInside(proxy, mode);
          const report = await running;
          expect([...new Set(report.texts)]).toEqual(numbered(COUNT));
          if (qos === 2) expect(report.texts).toHaveLength(COUNT);
          expect([report.connects, report.lost]).toEqual([4, Array.from({ length: 3 }, () => "ERR_CONNECTION_LOST")]);
        } finally {
          await proxy.close();
        }
      },
    );

    test("a wrong password is a typed error with the code", async () => {
      const servers = `ws://127.0.0.1:${guarded.port}/mqtt`;
      expect(await inPage("refused", { servers, ...LOGIN, password: "wrong" })).toEqual(["ERR_CONNECT_REJECTED", 4]);
      expect(await inPage("refused", { servers, ...LOGIN })).toEqual(["connected"]);
    });
  });

  test("user properties, and a request with its answer, at level 5", async () => {
    const report = await inPage("properties", { url: plainUrl(), level: 5 });
    expect(report).toEqual({
      userProperties: [
        ["a", "1"],
        ["a", "2"],
        ["ü", "3"],
      ],
      answer: "well!",
    });
  });

  test("what not every page uses is loaded on first use", async () => {
    server.asked.length = 0;
    expect(await inPage("publishOnly", { url: plainUrl(), level: 4 })).toBe(3);
    // What a connection is made again with is there before the first one.
    expect(parts(server.asked.splice(0))).toEqual(["recovery"]);
    await inPage("exchange", { url: plainUrl(), level: 4, qos: 1, count: 1 });
    expect(parts(server.asked.splice(0))).toEqual(["intake"]);
    await inPage("exchange", { url: plainUrl(), level: 5, qos: 1, count: 1 });
    expect(parts(server.asked.splice(0))).toEqual(["mqtt5"]);
    await inPage("properties", { url: plainUrl(), level: 5 });
    expect(parts(server.asked.splice(0))).toEqual(["requester"]);
    const report = await inPage("queue", { url: plainUrl(), level: 5, count: 20 });
    expect(report).toEqual({ texts: numbered(20), offsets: Array.from({ length: 20 }, (_, index) => index) });
    expect(parts(server.asked.splice(0))).toEqual(["queue-client"]);
  });

  test("a part that cannot be loaded is a typed error", async () => {
    for (const name of bundle.scripts.keys()) if (name.startsWith("queue-client")) server.refused.add(name);
    const refused = await inPage("queueRefused", { url: plainUrl(), level: 5 });
    server.refused.clear();
    expect(refused).toEqual(["ERR_LOAD_FAILED", "later"]);
    // The browser itself says so in its console.
    expect(complaints.splice(0)).toEqual([expect.stringContaining("503")]);
  });

  test("what a browser cannot do is a typed error", async () => {
    const tcp = await inPage("refused", { servers: `mqtt://127.0.0.1:${portOf(broker, 0)}` });
    expect(tcp).toEqual(["ERR_UNSUPPORTED", null]);
    const headers = await inPage("refused", { servers: plainUrl(), webSocket: { headers: { authorization: "x" } } });
    expect(headers).toEqual(["ERR_UNSUPPORTED", null]);
  });

  test("a server that is not there is a typed error", async () => {
    const gone = await startBroker({ port: 0 });
    const servers = `ws://127.0.0.1:${gone.port}/mqtt`;
    await gone.close();
    expect(await inPage("refused", { servers })).toEqual(["ERR_CONNECT_FAILED", null]);
    // The browser itself says so in its console.
    expect(complaints.splice(0)).toEqual([expect.stringContaining("ERR_CONNECTION_REFUSED")]);
  });
});

/** Parts among files, without their hash. */
function parts(files: readonly string[]): string[] {
  return files.map((name) => name.replace(/-[^-]*$/, "")).filter((name) => name !== "chunk" && name !== "page.js");
}

function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `message ${index}`);
}
