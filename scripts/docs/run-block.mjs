import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readBrokerConfig, startBroker } from "@polymq/broker";
import { transform } from "esbuild";
import { testCertificates } from "polymq/testing";
import { runCommand } from "../ci/run-command.mjs";
import { kindOf, nameOf, programOf } from "./block-program.mjs";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const WORK = join(ROOT, ".cache", "docs");
const REDIRECT = new URL("redirect.mjs", import.meta.url).href;
const LIMIT_SECONDS = "60";
/** What blocks about TLS read. */
const CERTIFICATE_FILES = {
  "ca.pem": testCertificates.ca,
  "server.pem": testCertificates.serverCert,
  "server-key.pem": testCertificates.serverKey,
  "device.pem": testCertificates.clientCert,
  "device-key.pem": testCertificates.clientKey,
};

/**
 * Runs a code block in a process and a folder of its own, beside an embedded broker of its own that answers for every
 * address that the block names.
 * @param {import("./code-blocks.mjs").CodeBlock} block
 * @returns {Promise<string | null>} what went wrong, or null
 */
export async function runBlock(block) {
  const folder = join(WORK, nameOf(block));
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(CERTIFICATE_FILES)) writeFileSync(join(folder, name), text);
  if (kindOf(block.language) === "config") return await readConfig(block, folder);
  const broker = await startDocsBroker(block);
  try {
    const [program, args] = await writeProgram(block, folder);
    const result = await runCommand("timeout", ["--kill-after=5", LIMIT_SECONDS, program, ...args], {
      cwd: folder,
      env: environmentOf(broker, folder),
    });
    return result.code === 0 ? null : `exit code ${result.code}\n${result.output}`;
  } finally {
    await broker.close();
  }
}

async function startDocsBroker(block) {
  const { ca, serverCert: cert, serverKey: key } = testCertificates;
  const tls = { cert, key, ca, clientCertificate: "ask" };
  const options = block.broker === null ? {} : JSON.parse(block.broker);
  return await startBroker({ listeners: [{ port: 0 }, { port: 0, tls }], ...options });
}

async function writeProgram(block, folder) {
  const text = programOf(block);
  if (kindOf(block.language) === "shell") {
    writeFileSync(join(folder, "block.sh"), `set -euo pipefail\n${text}`);
    return ["bash", ["block.sh"]];
  }
  const { code } = await transform(text, { loader: "ts", sourcemap: "inline", sourcefile: block.document });
  writeFileSync(join(folder, "block.mjs"), kindOf(block.language) === "typed" ? code : text);
  return [process.execPath, ["--enable-source-maps", "block.mjs"]];
}

/** A shell finds commands of this repository under their names, and curl reaches the block's broker where it says 1883. */
function environmentOf(broker, folder) {
  const [plain, secure] = broker.addresses;
  writeFileSync(join(folder, ".curlrc"), `fail\nsilent\nshow-error\nconnect-to = "::127.0.0.1:${plain.port}"\n`);
  return {
    ...process.env,
    PATH: `${fileURLToPath(new URL("bin", import.meta.url))}:${process.env.PATH}`,
    HOME: folder,
    NODE_OPTIONS: `--import=${REDIRECT}`,
    NODE_EXTRA_CA_CERTS: join(folder, "ca.pem"),
    POLYMQ_DOCS_PORT: String(plain.port),
    POLYMQ_DOCS_TLS_PORT: String(secure.port),
    TOKEN: broker.httpToken ?? "",
  };
}

async function readConfig(block, folder) {
  const path = join(folder, "broker.yaml");
  writeFileSync(path, programOf(block));
  try {
    await readBrokerConfig({ path });
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
