import { readFile } from "node:fs/promises";
import { type Broker, startBroker } from "@polymq/broker";
import { afterAll, beforeAll, describe, test } from "vitest";
import { allDebianScenarios, debianPrograms } from "../amqp091/debian-scenarios.ts";
import type { DebianTarget } from "../amqp091/debian-target.ts";
import { pikaIsBlocked } from "../amqp091/python-scenarios.ts";
import { makeCertificates } from "../harness/make-certificates.ts";
import { requireOrSkip } from "../harness/require-or-skip.ts";
import { makeTempDir, type TempDir } from "../harness/temp-dir.ts";

const LOGIN = { username: "ada", password: "love,lace=" };

const tools = requireOrSkip("openssl", ...debianPrograms);

// They wait more than they compute, and share nothing but the broker.
describe.skipIf(tools.skip)(
  tools.title("Debian's AMQP 0-9-1 clients against the polymq broker"),
  { concurrent: true },
  () => {
    let directory: TempDir;
    let open: Broker;
    let guarded: Broker;
    let short: Broker;
    let target: DebianTarget;

    beforeAll(async () => {
      directory = await makeTempDir("certificates");
      const files = await makeCertificates(directory.path);
      const cert = await readFile(files.server.certFile);
      const key = await readFile(files.server.keyFile);
      const ca = await readFile(files.caFile);
      const tls = { cert, key, ca, clientCertificate: "ask" } as const;
      open = await startBroker({ listeners: [{ port: 0 }, { port: 0, tls, protocols: ["amqp091"] }] });
      guarded = await startBroker({ port: 0, users: [LOGIN] });
      short = await startBroker({ port: 0, resources: { memoryBytesMax: 1 } });
      target = {
        host: "127.0.0.1",
        port: open.port,
        tls: { port: open.addresses[1]?.port ?? 0, caFile: files.caFile, client: files.client },
        login: { port: guarded.port, ...LOGIN },
      };
    });

    afterAll(async () => {
      await short?.close();
      await guarded?.close();
      await open?.close();
      await directory?.remove();
    });

    for (const scenario of allDebianScenarios) test(scenario.name, () => scenario.run(target));

    test("pika: a publisher is told that memory is short", () =>
      pikaIsBlocked({ host: "127.0.0.1", port: short.port }));
  },
);
