import type { Platform } from "../../transport/platform.ts";
import { AmqpConnection } from "./connection.ts";
import { ConnectionCore } from "./connection-core.ts";
import { clientSettings } from "./connection-settings.ts";
import type { ConnectOptions } from "./options.ts";

/** Where to connect: an address, several to be tried in order from the last that worked, or these among the options. */
export type ConnectTarget =
  | string
  | readonly string[]
  | ({ readonly url: string | readonly string[] } & ConnectOptions);

/**
 * Connects as `connect` does, over a platform of one's own: its sockets, clock and randomness.
 * @throws {MessagingError} as `connect`
 */
export async function connectOver(
  platform: Platform,
  target: ConnectTarget,
  options: ConnectOptions = {},
): Promise<AmqpConnection> {
  const inOne = typeof target === "object" && "url" in target;
  const chosen = inOne ? target : options;
  const core = new ConnectionCore(clientSettings(platform, inOne ? target.url : target, chosen));
  await core.connect(chosen.signal);
  return new AmqpConnection(core);
}
