import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { readBrokerConfig, startBroker } from "@polymq/broker";
import { runCli } from "./cli.ts";

const manifest: unknown = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));

process.exitCode = await runCli(process.argv.slice(2), {
  version: versionOf(manifest),
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  readFile,
  readConfig: (path) => readBrokerConfig({ path }),
  startBroker,
  onStop: (fn) => {
    process.on("SIGINT", fn).on("SIGTERM", fn);
    return () => process.off("SIGINT", fn).off("SIGTERM", fn);
  },
  exit: (code) => process.exit(code),
});

function versionOf(value: unknown): string {
  if (typeof value !== "object" || value === null || !("version" in value)) throw new TypeError("no package manifest");
  return String(value.version);
}
