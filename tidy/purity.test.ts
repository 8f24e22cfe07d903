import { describe, expect, test } from "vitest";
import { protocolWordViolations } from "./lib/protocol-words.ts";
import { gateViolations, platformViolations, purityViolations } from "./lib/purity.ts";
import { isPackageSource, type RepoFile, repoFiles } from "./lib/repo.ts";

const sources = repoFiles(isPackageSource);

function planted(path: string, text: string): RepoFile[] {
  return [{ path: `packages/${path}`, text }];
}

describe("the repository", () => {
  test("base, bytes, codecs and engines touch no I/O, timer, clock or randomness", () => {
    expect(purityViolations(sources)).toEqual([]);
  });

  test("nothing pure runs the files of base that touch the world", () => {
    expect(gateViolations(sources)).toEqual([]);
  });

  test("the client package knows Node only in its Node places", () => {
    expect(platformViolations(sources)).toEqual([]);
  });

  test("the broker's core has no protocol word in it", () => {
    expect(protocolWordViolations(sources)).toEqual([]);
  });
});

describe("purity", () => {
  test.each([
    "setTimeout(f, 1);",
    "setInterval(f, 1);",
    "setImmediate(f);",
    "queueMicrotask(f);",
    "const t = Date.now();",
    "const t = new Date();",
    "const t = Date();",
    "const t = performance.now();",
    "const n = Math.random();",
    "const n = crypto.getRandomValues(a);",
    "fetch(u);",
    "console.log(1);",
    "globalThis.setTimeout(f);",
    "const clock = { Date };",
    "const f = setTimeout as unknown;",
  ])("%s in an engine is found", (text) => {
    expect(purityViolations(planted("polymq/src/mqtt/engine/a.ts", text))).toHaveLength(1);
  });

  test.each(["base", "bytes", "mqtt/codec", "amqp10/engine", "amqp091/codec"])("%s is looked at", (folder) => {
    expect(purityViolations(planted(`polymq/src/${folder}/a.ts`, "Date.now();"))).toHaveLength(1);
  });

  test.each([
    "// Date.now() and setTimeout are words here",
    'const text = "setTimeout";',
    "timer.setTimeout(f);",
    "const x = { fetch: 1, performance: 2 };",
    "class A { fetch(): void {} }",
    "let when: Date | null = null;",
    "const n = Math.max(1, 2);",
  ])("%s is fine", (text) => {
    expect(purityViolations(planted("polymq/src/mqtt/engine/a.ts", text))).toEqual([]);
  });

  test("a client may use timers", () => {
    expect(purityViolations(planted("polymq/src/mqtt/client/a.ts", "setTimeout(f, 1);"))).toEqual([]);
  });
});

describe("gates", () => {
  const path = "packages/polymq/src/base/system-clock.ts";

  test("a gate may use what is listed for it and nothing else", () => {
    expect(purityViolations(planted("polymq/src/base/system-clock.ts", "Date.now();"))).toEqual([]);
    expect(purityViolations(planted("polymq/src/base/system-clock.ts", "fetch(u);"))).toHaveLength(1);
  });

  test("an engine that runs a gate is found, one that takes its type is fine", () => {
    const engine = (text: string): RepoFile[] => planted("polymq/src/mqtt/engine/a.ts", text);
    const gates = new Map([[path, []]]);
    expect(gateViolations(engine('import { systemClock } from "../../base/system-clock.ts";'), gates)).toHaveLength(1);
    expect(gateViolations(engine('import type { C } from "../../base/system-clock.ts";'), gates)).toEqual([]);
  });

  test("a permission that nobody uses is found", () => {
    const gates = new Map([[path, ["Date", "fetch"]]]);
    expect(gateViolations(planted("polymq/src/base/system-clock.ts", "Date.now();"), gates)).toHaveLength(1);
  });
});

describe("platform", () => {
  test.each([
    "const b = Buffer.alloc(1);",
    "const e = process.env;",
    'import net from "node:net";',
    'const net = require("net");',
  ])("%s in a client is found", (text) => {
    expect(platformViolations(planted("polymq/src/mqtt/client/a.ts", text))).toHaveLength(1);
  });

  test.each([
    "polymq/src/transport/node/tcp.ts",
    "polymq/src/testing/proxy.ts",
    "polymq/src/base/diagnostics.node.ts",
    "broker/src/broker.ts",
  ])("%s may know Node", (path) => {
    expect(platformViolations(planted(path, 'import net from "node:net"; Buffer.alloc(1);'))).toEqual([]);
  });
});

describe("protocol words", () => {
  test.each([
    "const mqttSession = 1;",
    "// as AMQP does",
    'const kind = "puback";',
    "let packetId = 0;",
    "let packet_id = 0;",
    "const x = { linkCredit: 1 };",
    "function basicPublish(): void {}",
  ])("%s in the core is found", (text) => {
    expect(protocolWordViolations(planted("broker/src/core/a.ts", text))).not.toEqual([]);
  });

  test("they are looked for in storage as well", () => {
    expect(protocolWordViolations(planted("broker/src/storage/a.ts", "// MQTT"))).toHaveLength(1);
  });

  test("sessions speak their protocol", () => {
    expect(protocolWordViolations(planted("broker/src/sessions/a.ts", "// MQTT"))).toEqual([]);
  });
});
