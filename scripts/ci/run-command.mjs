import { spawn } from "node:child_process";

/**
 * @typedef {object} CommandResult
 * @property {number} code exit code; 128 and more when a signal ended it, 127 when it could not start
 * @property {string} stdout
 * @property {string} output standard output and error as they came
 */

/**
 * Runs a program without a shell and waits for its end. Never rejects.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, echo?: "echo" | "quiet" }} [options] `echo` also shows the output at once
 * @returns {Promise<CommandResult>}
 */
export function runCommand(command, args, { cwd, env = process.env, echo = "quiet" } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
    let stdout = "";
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text) => {
      stdout += text;
      output += text;
      if (echo === "echo") process.stdout.write(text);
    });
    child.stderr.setEncoding("utf8").on("data", (text) => {
      output += text;
      if (echo === "echo") process.stderr.write(text);
    });
    child.once("error", (error) => resolve({ code: 127, stdout, output: `${output}${error.message}\n` }));
    child.once("close", (code, signal) => resolve({ code: code ?? (signal === null ? 1 : 128), stdout, output }));
  });
}

/**
 * Runs a program up to `attempts` times until it succeeds: for what depends on a network.
 * @param {number} attempts
 * @param {() => Promise<CommandResult>} run
 * @returns {Promise<CommandResult>} the first success or the last failure
 */
export async function withAttempts(attempts, run) {
  let result = await run();
  for (let attempt = 2; attempt <= attempts && result.code !== 0; attempt++) {
    process.stderr.write(`attempt ${attempt - 1} of ${attempts} failed with code ${result.code}\n`);
    result = await run();
  }
  return result;
}
