// Hot path: runs per delivery. No closure, promise, spread, iterator or regex here.
import type { EngineSender, SentItem } from "./amqp10-types.ts";
import type { DeliveryBytes } from "./delivery-message.ts";

/** Sends a delivery on its link. @throws {MessagingError} as the engine's `SenderLink.send` */
export function sendDelivery(
  link: EngineSender,
  bytes: DeliveryBytes,
  item: SentItem,
  options: { readonly settled: boolean },
): void {
  if (bytes instanceof Uint8Array) link.send(bytes, item, options);
  else link.sendParts(bytes, item, options);
}
