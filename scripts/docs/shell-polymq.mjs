/**
 * Runs `polymq` as a shell block of a document says. A server (`broker`, `proxy`) would run until somebody stops it: it is
 * sent SIGINT once it has said that it is ready, and has to end with code 0.
 */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const COMMAND = fileURLToPath(new URL("../../packages/cli/bin/polymq.js", import.meta.url));
const SERVERS = new Set(["broker", "proxy"]);
const READY = /ready|listening/;

const args = process.argv.slice(2);
const isServer = SERVERS.has(args[0]) && !args.includes("--help");
const child = spawn(process.execPath, [COMMAND, ...args], { stdio: ["inherit", "pipe", "inherit"] });
let stdout = "";
child.stdout.setEncoding("utf8").on("data", (text) => {
  const wasReady = READY.test(stdout);
  stdout += text;
  process.stdout.write(text);
  if (isServer && !wasReady && READY.test(stdout)) child.kill("SIGINT");
});
child.once("close", (code, signal) => {
  process.exitCode = code ?? (signal === null ? 1 : 128);
});
