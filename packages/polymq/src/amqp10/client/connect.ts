import { abortedError, onAbort } from "../../base/abort.ts";
import { MessagingError } from "../../base/errors.ts";
import type { Platform } from "../../transport/platform.ts";
import { AmqpConnection, Wire } from "./connection.ts";
import { connectionSettings } from "./connection-settings.ts";
import type { ConnectOptions } from "./options.ts";

/**
 * Connects over `platform`: dials, authenticates, opens. See `connect`.
 * @throws {MessagingError} as `connect`
 */
export async function connectOver(
  platform: Platform,
  target: string | ({ readonly url: string } & ConnectOptions),
  options: ConnectOptions = {},
): Promise<AmqpConnection> {
  const chosen = typeof target === "string" ? options : target;
  const settings = connectionSettings(platform, typeof target === "string" ? target : target.url, chosen);
  const wire = new Wire(settings);
  const { clock } = platform;
  const { signal } = chosen;
  const startedMs = clock.nowMs();
  wire.start(await platform.dial(settings.endpoint, settings.dial, wire));
  const leftMs = Math.max(1, settings.connectTimeoutMs - (clock.nowMs() - startedMs));
  const timer = clock.setTimer(leftMs, () =>
    wire.destroy(new MessagingError("ERR_CONNECT_TIMEOUT", `no open from ${settings.endpoint.display} in time`)),
  );
  const release = onAbort(signal, () => wire.destroy(abortedError(signal as AbortSignal)));
  try {
    await wire.life.whenOpen(undefined, () => {});
    return new AmqpConnection(wire);
  } finally {
    timer.cancel();
    release();
  }
}
