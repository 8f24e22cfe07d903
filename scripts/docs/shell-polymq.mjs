/**
 * Runs `polymq` as a shell block of a document says. What would run until somebody stops it, or for a long time, is stopped a
 * second after its first connection or listening port (`redirect.mjs` does), and has to end as it does for SIGINT.
 */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const COMMAND = fileURLToPath(new URL("../../packages/cli/bin/polymq.js", import.meta.url));
const GOES_ON = [["broker"], ["proxy"], ["sub"], ["bench"], ["queue", "consume"], ["stream", "read"], ["rep"]];
/** Done, out of time, stopped before it was done. */
const STOPPED = new Set([0, 124, 130]);

const args = process.argv.slice(2);
const goesOn =
  !args.includes("--help") &&
  !(args[0] === "rep" && args.includes("-C")) &&
  (args.includes("--repeat") || GOES_ON.some((words) => words.every((word, i) => args[i] === word)));
const env = goesOn ? { ...process.env, POLYMQ_DOCS_STOP_AFTER_MS: "1000" } : process.env;
const child = spawn(process.execPath, [COMMAND, ...args], { stdio: "inherit", env });
child.once("close", (code, signal) => {
  if (goesOn && STOPPED.has(code)) process.exitCode = 0;
  else process.exitCode = code ?? (signal === null ? 1 : 128);
});
