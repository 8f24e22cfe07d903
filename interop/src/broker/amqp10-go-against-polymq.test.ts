import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { type Broker, startBroker } from "@polymq/broker";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findBinary } from "../harness/find-binary.ts";
import { runTool } from "../harness/run-tool.ts";
import { makeTempDir, type TempDir } from "../harness/temp-dir.ts";

const SOURCE = join(import.meta.dirname, "..", "peers", "go", "amqp10");

/** Why go-amqp cannot be had here, or null. Go is no part of what the tier installs. */
function missing(): string | null {
  const go = findBinary("go");
  if (go === undefined) return "Go is not installed";
  const found = spawnSync(go, ["mod", "download"], { cwd: SOURCE, stdio: "ignore", timeout: 60_000 });
  return found.status === 0 ? null : "go-amqp cannot be downloaded";
}

const why = missing();
const title = "go-amqp against the polymq broker";

describe.skipIf(why !== null)(why === null ? title : `${title} (skipped: ${why})`, () => {
  let broker: Broker;
  let folder: TempDir;

  beforeAll(async () => {
    broker = await startBroker({ port: 0 });
    folder = await makeTempDir("go-amqp");
  });

  afterAll(async () => {
    await broker?.close();
    await folder?.remove();
  });

  test("messages, outcomes, a selector, a megabyte in small frames and a refusal are as go-amqp expects", async () => {
    const program = join(folder.path, "peer");
    const built = spawnSync("go", ["build", "-o", program, "."], { cwd: SOURCE, encoding: "utf8" });
    expect(built.stderr).toBe("");
    const { stdout } = await runTool(program, [`amqp://127.0.0.1:${broker.port}`, "$queue/go"], { timeoutMs: 60_000 });
    expect(stdout).toBe("all held\n");
  });
});
