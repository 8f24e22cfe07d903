import type { Clock } from "../base/clock.ts";
import { connectAttempt } from "./connect-attempt.ts";
import type { Endpoint } from "./endpoint.ts";
import type { DialHook, DialOptions } from "./platform.ts";
import type { Transport, TransportHandler } from "./transport.ts";

/**
 * Connects through the caller's `dial` hook, under the deadline and signal of `options`. A transport that comes too late is
 * destroyed and none of its upcalls reach the handler.
 */
export function dialThroughHook(
  clock: Clock,
  endpoint: Endpoint,
  options: DialOptions & { readonly dial?: DialHook | undefined },
  handler: TransportHandler,
): Promise<Transport> {
  return connectAttempt<Transport>(clock, options, (report) => {
    let shut = false;
    // Upcalls stop when the attempt was given up.
    const gate: TransportHandler = {
      onBytes: (chunk) => void (shut || handler.onBytes(chunk)),
      onDrain: () => void (shut || handler.onDrain()),
      onClosed: (error) => void (shut || handler.onClosed(error)),
    };
    void connectLate(endpoint, options, gate).then(
      (transport) => {
        if (shut) transport.destroy();
        else report.done(transport);
      },
      (error: unknown) => report.failed(error),
    );
    return () => {
      shut = true;
    };
  });
}

/** Calls the hook in a later step, so that one that throws looks like one that rejects. */
async function connectLate(endpoint: Endpoint, options: DialOptions, handler: TransportHandler): Promise<Transport> {
  if (options.dial === undefined) throw new TypeError("no dial hook");
  return await options.dial(endpoint, options, handler);
}
