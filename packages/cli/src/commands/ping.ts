import { isMessagingError, type Subscription } from "polymq";
import type { CommandDefinition } from "../command.ts";
import { ExitCode } from "../exit-code.ts";
import { Histogram } from "../measure/histogram.ts";
import { type ConnectionFlags, connectionOptions } from "../options/connection.ts";
import { option, parseCount, parseSeconds } from "../options/parse.ts";
import { type Session, withClient } from "../session/client-session.ts";
import { pause } from "../session/pause.ts";

interface PingFlags extends ConnectionFlags {
  readonly topic?: string;
  readonly count?: number;
  readonly interval?: number;
  readonly timeout?: number;
  readonly json?: boolean;
}

/** `polymq ping`: how long a message takes through the server and back. */
export const PING_COMMAND: CommandDefinition<PingFlags> = {
  name: "ping",
  summary: "measure how long a message takes through a server and back",
  options: [
    option("-t, --topic <topic>", "topic of the messages (default: polymq/ping/ and something random)"),
    option("-C, --count <number>", "messages to send (default: run until stopped)", parseCount),
    option("--interval <seconds>", "time between messages (default: 1)", parseSeconds),
    option("-W, --timeout <seconds>", "longest wait for a message (default: 5)", parseSeconds),
    option("--json", "print lines of JSON"),
    ...connectionOptions(),
  ],
  examples: [
    ["-C 5", "five round trips over MQTT"],
    ["-L amqp10://localhost:5672 -C 100 --interval 0.01", "a hundred over AMQP 1.0"],
  ],
  notes:
    "Each message goes out at QoS 0 and comes back through a subscription of the same connection. Exits with 1 when one was lost.",
  run: (call) => withClient(call, (session) => ping(session, call.flags)),
};

async function ping(session: Session, flags: PingFlags): Promise<ExitCode> {
  const { client, env, stop } = session;
  const { count = Number.POSITIVE_INFINITY, interval = 1_000, timeout = 5_000, json = false } = flags;
  const topic = flags.topic ?? `polymq/ping/${crypto.randomUUID()}`;
  const echoes = new Echoes();
  const subscription: Subscription<unknown> = await client.subscribe(topic, (message) =>
    echoes.arrived(message.text()),
  );
  const times = new Histogram();
  const gone = session.lost.then((error) => Promise.reject(error));
  // Whoever waits for it hears of it.
  gone.catch(() => {});
  let sent = 0;
  while (sent < count && !stop.signal.aborted) {
    if (sent > 0) await pause(env.clock, interval, stop.signal);
    if (stop.signal.aborted) break;
    const name = `ping ${++sent}`;
    const startMs = env.clock.nowMs();
    const over = new AbortController();
    const echo = echoes.expect(name);
    const trip = client.publish(topic, name).then(() => echo.then(() => env.clock.nowMs() - startMs), lostOrThrown);
    const late = Promise.race([pause(env.clock, timeout, over.signal), stop.first]).then(() => null);
    const ms = await Promise.race([trip, late, gone]);
    over.abort();
    // A request to stop takes back the message that is under way.
    if (ms === null && stop.signal.aborted) sent--;
    else report(env.out.bind(env), { seq: sent, ms, json });
    if (ms !== null) times.record(ms);
  }
  env.out(summary(times, sent, json));
  await subscription.unsubscribe();
  if (times.count < sent) return ExitCode.failed;
  return stop.signal.aborted && count !== Number.POSITIVE_INFINITY ? ExitCode.interrupted : ExitCode.ok;
}

/** What cannot be sent now, as the connection is being made again, is lost. */
function lostOrThrown(error: unknown): null {
  if (isMessagingError(error) && error.retry !== "never") return null;
  throw error;
}

/** Messages that are to come back. */
class Echoes {
  #wanted: { readonly name: string; readonly resolve: () => void } | null = null;

  expect(name: string): Promise<void> {
    return new Promise((resolve) => {
      this.#wanted = { name, resolve };
    });
  }

  /** One that comes late is nobody's any more. */
  arrived(name: string): void {
    if (this.#wanted?.name === name) this.#wanted.resolve();
  }
}

function report(
  out: (text: string) => void,
  { seq, ms, json }: { readonly seq: number; readonly ms: number | null; readonly json: boolean },
): void {
  if (json)
    out(
      `${JSON.stringify({ event: ms === null ? "lost" : "pong", seq, ...(ms === null ? {} : { ms: rounded(ms) }) })}\n`,
    );
  else out(ms === null ? `${seq}: lost\n` : `${seq}: ${ms.toFixed(3)} ms\n`);
}

function summary(times: Histogram, sent: number, json: boolean): string {
  const { p50, p90, p99, max } = times.percentiles();
  const figures = { min: times.minMs, mean: times.meanMs, p50, p90, p99, max };
  const entries = Object.entries(figures).map(([name, ms]) => [name, rounded(ms)] as const);
  if (json) {
    const ms = times.count === 0 ? null : Object.fromEntries(entries);
    return `${JSON.stringify({ event: "summary", sent, received: times.count, ms })}\n`;
  }
  const line = times.count === 0 ? "" : `; ${entries.map(([name, ms]) => `${name} ${ms.toFixed(3)}`).join(", ")} ms`;
  return `${sent} sent, ${times.count} came back${line}\n`;
}

function rounded(ms: number): number {
  return Number(ms.toFixed(3));
}
