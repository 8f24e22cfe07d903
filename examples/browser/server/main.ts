/**
 * Serves the page with a broker of its own until it is interrupted.
 * Run: node examples/browser/dist/main.js [--port 8080] [--broker-port 0]; the line `r` restarts the broker.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline/promises";
import { parseArgs } from "node:util";
import { Site } from "./site.ts";

const { values } = parseArgs({
  options: { port: { type: "string", default: "8080" }, "broker-port": { type: "string", default: "0" } },
});
const dataDir = await mkdtemp(join(tmpdir(), "polymq-page-"));
const say = (line: string): boolean => process.stdout.write(`${line}\n`);
try {
  await using site = await Site.start({
    port: Number(values.port),
    brokerPort: Number(values["broker-port"]),
    dataDir,
  });
  say(`the page:   ${site.url}`);
  say(`its broker: ${site.brokerUrl}, for other programs too`);
  say("r and Enter: restart the broker; Ctrl+C: end");
  const input = createInterface({ input: process.stdin });
  const interrupted = new Promise<void>((resolve) => {
    process.once("SIGINT", resolve).once("SIGTERM", resolve);
  });
  input.on("line", (line) => {
    if (line.trim() !== "r") return;
    const restarted = site.stopBroker().then(() => site.startBroker());
    restarted.then(
      () => say("the broker was restarted"),
      (error: unknown) => say(`the broker could not be restarted: ${String(error)}`),
    );
  });
  await interrupted;
  input.close();
} finally {
  await rm(dataDir, { recursive: true, force: true });
}
