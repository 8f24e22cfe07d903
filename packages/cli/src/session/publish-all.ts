import { ExitCode } from "../exit-code.ts";
import type { Session } from "./client-session.ts";
import { pause } from "./pause.ts";
import { PublishWindow } from "./publish-window.ts";
import { untilAborted } from "./until-aborted.ts";

/** How often and how fast payloads are published. */
export interface PublishRules {
  /** Times that each payload is published. */
  readonly repeat: number;
  /** Pause between messages. */
  readonly delayMs: number;
  /** Prints one line of JSON at the end. */
  readonly json: boolean;
}

/** Publishes that may wait for their confirmation at a time. */
const WINDOW = 256;

/** Publishes all payloads in order; resolves when the server has them, or a request to stop came in between. */
export async function publishAll(
  { client, env, stop }: Session,
  payloads: AsyncIterable<Uint8Array>,
  publish: (payload: Uint8Array) => Promise<unknown>,
  { repeat, delayMs, json }: PublishRules,
): Promise<ExitCode> {
  const window = new PublishWindow(WINDOW);
  let messages = 0;
  let bytes = 0;
  for await (const payload of untilAborted(payloads, stop.signal)) {
    for (let i = 0; i < repeat && !stop.signal.aborted; i++) {
      if (messages > 0 && delayMs > 0) await pause(env.clock, delayMs, stop.signal);
      if (stop.signal.aborted) break;
      await window.add(publish(payload));
      messages++;
      bytes += payload.length;
    }
  }
  await window.done();
  if (json) env.out(`${JSON.stringify({ event: "published", protocol: client.protocol, messages, bytes })}\n`);
  return stop.signal.aborted ? ExitCode.interrupted : ExitCode.ok;
}
