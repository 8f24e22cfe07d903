import type { CommandDefinition } from "../command.ts";
import type { Environment } from "../environment.ts";
import { ExitCode } from "../exit-code.ts";
import { codeOf, describeFailure, exitCodeOf } from "../failure.ts";
import { addressOf, type ConnectionFlags, clientOptions, connectionOptions } from "../options/connection.ts";
import { option } from "../options/parse.ts";
import { type ServerReport, serverReport } from "../probe/capabilities.ts";
import { StopRequests } from "../stop-requests.ts";

interface ProbeFlags extends ConnectionFlags {
  readonly json?: boolean;
}

/** What came of one attempt. */
type Probed = { readonly url: string } & (
  | ({ readonly ok: true; readonly connectMs: number } & ServerReport)
  | { readonly ok: false; readonly protocol: string; readonly error: unknown }
);

/** Longest wait for a server that does not answer in a protocol. */
const CONNECT_MS = 5_000;

/** `polymq probe`: which protocols a server speaks, and what it can do in each. */
export const PROBE_COMMAND: CommandDefinition<ProbeFlags> = {
  name: "probe",
  summary: "say which protocols a server speaks, and what it can do in each",
  options: [option("--json", "print one line of JSON for each protocol"), ...connectionOptions()],
  examples: [
    ["-h localhost -p 1883", "every protocol on one port"],
    ["-h localhost", "every protocol on its own port, or on that of polymq's broker"],
    ["-L amqps://broker.example.org --json", "one protocol"],
  ],
  notes: "Exits with 0 when the server answered in one protocol at least.",
  run: async ({ flags, env }) => {
    const stop = new StopRequests(env, "output");
    try {
      const probed: Probed[] = [];
      for (const attempt of attemptsOf(flags)) {
        if (stop.signal.aborted) break;
        const result = await probeOnePort(attempt, env, { signal: stop.signal, shared: sharedPortOf(probed, flags) });
        probed.push(result);
        env.out(flags.json === true ? `${JSON.stringify(jsonOf(result))}\n` : textOf(result));
      }
      if (stop.signal.aborted) return ExitCode.interrupted;
      return probed.some(({ ok }) => ok) ? ExitCode.ok : codeFor(probed);
    } finally {
      stop.forget();
    }
  },
};

/** One attempt for each protocol that may be meant. */
function attemptsOf(flags: ProbeFlags): readonly ProbeFlags[] {
  const { mqttVersion, keepalive, clean, sessionExpiry, willTopic, willPayload, willQos, willRetain, ...others } =
    flags;
  if (flags.url !== undefined || flags.protocol !== undefined) return [flags];
  return [
    { ...flags, protocol: "mqtt", mqttVersion: 5 },
    { ...flags, protocol: "mqtt", mqttVersion: 4 },
    { ...others, protocol: "amqp091" },
    { ...others, protocol: "amqp10" },
  ];
}

/** The port on which polymq's broker answered, where none was named: unless told otherwise it serves every protocol there. */
function sharedPortOf(probed: readonly Probed[], { port }: ProbeFlags): number | null {
  const found = port === undefined && probed.find((each) => each.ok && each.dialect === "polymq");
  return found ? Number(/:(\d+)$/.exec(found.url)?.[1]) : null;
}

/** Tries the port that the protocols share before the protocol's own. */
async function probeOnePort(
  flags: ProbeFlags,
  env: Environment,
  { signal, shared }: { readonly signal: AbortSignal; readonly shared: number | null },
): Promise<Probed> {
  if (shared !== null) {
    const result = await probe({ ...flags, port: shared }, env, signal);
    if (result.ok || signal.aborted) return result;
  }
  return await probe(flags, env, signal);
}

async function probe(flags: ProbeFlags, env: Environment, signal: AbortSignal): Promise<Probed> {
  const { url, protocol } = addressOf(flags);
  const options = await clientOptions({ connectTimeout: CONNECT_MS, ...flags, reconnect: false }, env.readFile);
  const startMs = env.clock.nowMs();
  try {
    const client = await env.connect(url, { ...options, signal });
    const connectMs = env.clock.nowMs() - startMs;
    const report = serverReport(client);
    await client.close();
    return { url: withoutSecret(url), ok: true, connectMs, ...report };
  } catch (error) {
    return { url: withoutSecret(url), ok: false, protocol: triedName(protocol, flags), error };
  }
}

function triedName(protocol: string, { mqttVersion }: ProbeFlags): string {
  if (protocol === "amqp091") return "AMQP 0-9-1";
  if (protocol === "amqp10") return "AMQP 1.0";
  if (mqttVersion === undefined) return "MQTT";
  return mqttVersion === 4 ? "MQTT 3.1.1" : "MQTT 5.0";
}

function jsonOf(probed: Probed): object {
  if (probed.ok) return { ...probed, connectMs: Number(probed.connectMs.toFixed(3)) };
  const { error, ...others } = probed;
  return { ...others, error: { code: codeOf(error), message: error instanceof Error ? error.message : String(error) } };
}

function textOf(probed: Probed): string {
  const head = `${probed.protocol.padEnd(NAME_WIDTH)}${probed.url}`;
  if (!probed.ok) return `${head}\n  no: ${describeFailure(probed.error)}\n`;
  const facts = { dialect: probed.dialect, ...probed.capabilities };
  const width = Math.max(...Object.keys(facts).map((name) => name.length)) + 2;
  const lines = Object.entries(facts).map(([name, value]) => `  ${name.padEnd(width)}${factText(value)}\n`);
  return `${head}  connected in ${probed.connectMs.toFixed(1)} ms\n${lines.join("")}`;
}

const NAME_WIDTH = 12;

/** Control characters would act on the terminal. */
function factText(value: unknown): string {
  return (typeof value === "string" ? value : JSON.stringify(value)).replaceAll(/\p{Cc}/gu, " ");
}

function withoutSecret(url: string): string {
  return url.replace(/\/\/[^/@]*@/, "//");
}

/** When nobody answered: no connection, unless something else failed first. */
function codeFor(probed: readonly Probed[]): ExitCode {
  const codes = probed.map((each) => (each.ok ? ExitCode.ok : exitCodeOf(each.error)));
  return codes.every((code) => code === ExitCode.noConnection) ? ExitCode.noConnection : ExitCode.failed;
}
