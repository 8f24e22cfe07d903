import { describe, expect, test } from "vitest";
import { exportedNames, fileFinder } from "./lib/exports.ts";
import {
  browserReachViolations,
  layeringViolations,
  neutralCoreViolations,
  packageImportViolations,
} from "./lib/layering.ts";
import { isPackageSource, type RepoFile, repoFiles } from "./lib/repo.ts";
import { entryPoints, publishedPackages, workspaces } from "./lib/workspaces.ts";

const sources = repoFiles(isPackageSource);

function planted(path: string, text: string): RepoFile[] {
  return [{ path: `packages/${path}`, text }];
}

describe("the repository", () => {
  test("has sources to look at", () => {
    expect(sources.map((file) => file.path)).toContain("packages/polymq/src/base/errors.ts");
  });

  test("imports go down only", () => {
    expect(layeringViolations(sources)).toEqual([]);
  });

  test("a package imports only what it declares", () => {
    expect(
      packageImportViolations(
        repoFiles((path) => /\/src\/.*\.ts$/.test(path)),
        workspaces(),
      ),
    ).toEqual([]);
  });

  test("the broker's core takes only neutral things from polymq", () => {
    const exported = exportedNames("packages/polymq/src/internal.ts", fileFinder(sources));
    const declaredIn = (name: string): string | null => exported.find((item) => item.name === name)?.path ?? null;
    expect(neutralCoreViolations(sources, declaredIn)).toEqual([]);
  });

  test("browser entry points reach no Node file and no package", () => {
    const entries = publishedPackages()
      .flatMap(entryPoints)
      .filter((entry) => entry.condition === "browser");
    expect(entries).not.toEqual([]);
    expect(
      browserReachViolations(
        sources,
        entries.map((entry) => entry.source),
      ),
    ).toEqual([]);
  });
});

describe("layering in the client package", () => {
  test.each([
    ["base/a.ts", "../bytes/reader.ts"],
    ["bytes/a.ts", "../transport/outbox.ts"],
    ["transport/a.ts", "../supervisor/backoff.ts"],
    ["supervisor/a.ts", "../mqtt/client/mqtt-client.ts"],
    ["store/a.ts", "../mqtt/codec/packets.ts"],
    ["mqtt/codec/a.ts", "../engine/session.ts"],
    ["mqtt/engine/a.ts", "../client/options.ts"],
    ["mqtt/engine/a.ts", "../../transport/outbox.ts"],
    ["mqtt/client/a.ts", "../index.ts"],
    ["mqtt/client/a.ts", "../../amqp091/codec/frame.ts"],
    ["amqp10/index.ts", "../mqtt/index.ts"],
    ["mqtt/client/a.ts", "../../testing/index.ts"],
    ["mqtt/client/a.ts", "../../internal.ts"],
    ["testing/a.ts", "../unified/client.ts"],
    ["unified/a.ts", "../testing/index.ts"],
    ["mqtt/client/a.ts", "../../../../broker/src/broker.ts"],
  ])("%s must not import %s", (from, specifier) => {
    const files = planted(`polymq/src/${from}`, `import { x } from "${specifier}";\nx();\n`);
    expect(layeringViolations(files)).toEqual([expect.stringContaining(`${from}:1: layer`)]);
  });

  test.each([
    ["bytes/a.ts", "../base/errors.ts"],
    ["mqtt/codec/a.ts", "../../bytes/reader.ts"],
    ["mqtt/engine/a.ts", "../codec/packets.ts"],
    ["mqtt/client/a.ts", "../../store/message-store.ts"],
    ["mqtt/index.ts", "./client/mqtt-client.ts"],
    ["testing/a.ts", "../mqtt/index.ts"],
    ["unified/a.ts", "../amqp10/index.ts"],
    ["index.ts", "./unified/client.ts"],
  ])("%s may import %s", (from, specifier) => {
    expect(layeringViolations(planted(`polymq/src/${from}`, `import { x } from "${specifier}";`))).toEqual([]);
  });

  test("an engine may take types of the transport, but nothing that runs", () => {
    const path = "polymq/src/mqtt/engine/a.ts";
    expect(layeringViolations(planted(path, 'import type { T } from "../../transport/transport.ts";'))).toEqual([]);
    expect(layeringViolations(planted(path, 'import { T } from "../../transport/transport.ts";'))).toHaveLength(1);
  });

  test.each([
    'export { x } from "../mqtt/index.ts";',
    'const x = await import("../mqtt/index.ts");',
    'type X = import("../mqtt/index.ts").X;',
    'import "../mqtt/index.ts";',
    'new Worker(new URL("../mqtt/index.ts", import.meta.url));',
  ])("is seen through %s", (text) => {
    expect(layeringViolations(planted("polymq/src/supervisor/a.ts", text))).toHaveLength(1);
  });

  test("a file in an unknown folder is reported", () => {
    expect(layeringViolations(planted("polymq/src/helpers/a.ts", ""))).toHaveLength(1);
  });

  test("tests may import anything", () => {
    expect(layeringViolations(planted("polymq/src/base/a.test.ts", 'import "../mqtt/index.ts";'))).toEqual([]);
  });
});

describe("layering in the broker", () => {
  test.each([
    ["storage/a.ts", "../core/router.ts"],
    ["core/a.ts", "../sessions/mqtt.ts"],
    ["sessions/a.ts", "../listeners/tcp.ts"],
    ["listeners/a.ts", "../broker.ts"],
    ["core/a.ts", "../index.ts"],
  ])("%s must not import %s", (from, specifier) => {
    expect(layeringViolations(planted(`broker/src/${from}`, `import { x } from "${specifier}";`))).toHaveLength(1);
  });

  test("each layer may import the one below", () => {
    const text = 'import { x } from "../core/router.ts";';
    expect(layeringViolations(planted("broker/src/sessions/mqtt.ts", text))).toEqual([]);
  });

  test("the core must not take a protocol's code", () => {
    const files = planted("broker/src/core/a.ts", 'import { QoS } from "polymq/mqtt/codec";');
    expect(neutralCoreViolations(files, () => null)).toEqual([expect.stringContaining("polymq/mqtt/codec")]);
  });

  test("the core must not take what polymq/internal has from above base and bytes", () => {
    const files = planted("broker/src/storage/a.ts", 'import { Deque, Outbox } from "polymq/internal";');
    const declaredIn = (name: string): string =>
      name === "Deque" ? "packages/polymq/src/base/deque.ts" : "packages/polymq/src/transport/outbox.ts";
    expect(neutralCoreViolations(files, declaredIn)).toEqual([expect.stringContaining("Outbox")]);
  });

  test("the core must not take a whole namespace", () => {
    const files = planted("broker/src/core/a.ts", 'import * as polymq from "polymq/internal";');
    expect(neutralCoreViolations(files, () => "packages/polymq/src/base/deque.ts")).toHaveLength(1);
  });
});

describe("packages", () => {
  const own = [
    { folder: "packages/polymq", manifest: { name: "polymq", version: "1.0.0", dependencies: { ws: "1.0.0" } } },
  ];

  test.each(["lodash", "@polymq/broker", "polymq/mqtt"])("an import of %s in the client is reported", (name) => {
    const files = planted("polymq/src/mqtt/client/a.ts", `import x from "${name}";`);
    expect(packageImportViolations(files, own)).toHaveLength(1);
  });

  test("a declared dependency is fine", () => {
    expect(packageImportViolations(planted("polymq/src/transport/node/a.ts", 'import ws from "ws";'), own)).toEqual([]);
  });
});

describe("browser entry points", () => {
  const entry = "packages/polymq/src/mqtt/index.browser.ts";
  const client = (text: string): RepoFile[] => [
    { path: entry, text: 'export { C } from "./client.ts";' },
    { path: "packages/polymq/src/mqtt/client.ts", text },
  ];

  test.each([
    'import { tcp } from "../transport/node/tcp.ts";',
    'import { text } from "../transport/text.node.ts";',
    'import ws from "ws";',
    'import net from "node:net";',
  ])("%s is found, however deep", (text) => {
    expect(browserReachViolations(client(text), [entry])).toHaveLength(1);
  });

  test("a type costs nothing", () => {
    expect(browserReachViolations(client('import type { T } from "../transport/node/tcp.ts";'), [entry])).toEqual([]);
  });
});
