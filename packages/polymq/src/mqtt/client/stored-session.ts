import { MessagingError } from "../../base/errors.ts";
import type { MessageStore, StoredPublish } from "../../store/message-store.ts";
import type { InboundFlow } from "../engine/inbound-flow.ts";
import { Phase } from "../engine/outbound-flow.ts";
import type { Settings } from "./options.ts";
import { PendingPublish } from "./pending.ts";
import type { Publisher } from "./publisher.ts";
import { restoredProperties } from "./stored-properties.ts";

/**
 * Opens a store and puts back what an earlier process left in it. A clean start without a session to go on with keeps the
 * messages that are not acknowledged (they are published anew), and forgets received ids, which mean nothing any more.
 * @throws {MessagingError} ERR_STORE_FAILED
 */
export async function restoreSession(
  store: MessageStore,
  clientId: string,
  settings: Settings,
  into: { readonly publisher: Publisher; readonly inbound: InboundFlow },
): Promise<void> {
  try {
    const session = await store.open(clientId);
    into.publisher.restore(session.publishes.map(entryOf));
    if (settings.cleanStart) await store.write([{ op: "clearReceived" }]);
    else into.inbound.restore(session.receivedIds);
  } catch (cause) {
    if (cause instanceof MessagingError) throw cause;
    throw new MessagingError("ERR_STORE_FAILED", "the message store could not be opened", { cause });
  }
}

function entryOf(stored: StoredPublish): { id: number; item: PendingPublish; phase: Phase } {
  const { packetId, topic, payload, qos, retain, properties, released } = stored;
  const item = new PendingPublish(topic, payload, qos, retain, restoredProperties(properties));
  item.packetId = packetId;
  return { id: packetId, item, phase: released ? Phase.Released : qos === 1 ? Phase.AtLeastOnce : Phase.ExactlyOnce };
}
