import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { connect } from "polymq";
import { systemClock } from "polymq/transport";
import { runCli } from "./cli.ts";
import { processInput } from "./process-input.ts";
import { processOutput } from "./process-output.ts";

const manifest: unknown = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
const output = processOutput(process.stdout);
const input = processInput(() => process.stdin);

process.exitCode = await runCli(process.argv.slice(2), {
  version: versionOf(manifest),
  clock: systemClock(),
  stdin: input.chunks,
  out: output.write,
  outReady: output.ready,
  isTerminal: process.stderr.isTTY === true,
  err: (text) => void process.stderr.write(text),
  readFile,
  // The broker is loaded only where one is started: that takes longer than to publish a message.
  readConfig: async (path) => (await import("@polymq/broker")).readBrokerConfig({ path }),
  startBroker: async (options) => (await import("@polymq/broker")).startBroker(options),
  connect: (url, options) => connect(url, options),
  fetch,
  onStop: (fn, also) => {
    const forget = also === "output" ? output.onClosed(fn) : () => {};
    process.on("SIGINT", fn).on("SIGTERM", fn);
    return () => {
      process.off("SIGINT", fn).off("SIGTERM", fn);
      forget();
    };
  },
  exit: (code) => process.exit(code),
});
input.close();

function versionOf(value: unknown): string {
  if (typeof value !== "object" || value === null || !("version" in value)) throw new TypeError("no package manifest");
  return String(value.version);
}
