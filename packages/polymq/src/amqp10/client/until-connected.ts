import { isMessagingError, type MessagingError } from "../../base/errors.ts";
import { noop } from "../../base/noop.ts";
import type { ConnectionCore } from "./connection-core.ts";

/**
 * Opens something on a connection; while that is being made again it waits, and what breaks with it is opened again.
 * @throws {MessagingError} as `open`, and why the connection is over
 */
export async function untilConnected<T>(core: ConnectionCore, open: () => Promise<T>): Promise<T> {
  for (;;) {
    await core.life.whenOpen(undefined, noop);
    try {
      return await open();
    } catch (error) {
      if (!core.comesBack || !isMessagingError(error) || !isLoss(error)) throw error;
    }
  }
}

/** The connection went while something was opened on it. */
function isLoss({ code, scope }: MessagingError): boolean {
  return scope === "connection" || code === "ERR_NOT_CONNECTED";
}
