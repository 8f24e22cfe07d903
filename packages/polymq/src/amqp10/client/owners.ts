import type { PendingSend } from "./pending-send.ts";
import type { AmqpReceiver } from "./receiver.ts";
import type { AmqpSender } from "./sender.ts";
import type { AmqpSession } from "./session.ts";

/** What the client hangs onto the engine's objects. */
export interface ClientOwners {
  session: AmqpSession;
  link: AmqpSender | AmqpReceiver;
  item: PendingSend;
}
