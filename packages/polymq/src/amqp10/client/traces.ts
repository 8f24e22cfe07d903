/** What the diagnostics channels are told of single messages. Called only while somebody listens. */
import type { SettleTrace } from "../../base/diagnostics.ts";
import type { TextCodec } from "../../bytes/text.ts";
import { encodeMessage, type MessageInput } from "../codec/message.ts";
import { MessageView } from "../codec/message-view.ts";
import type { DeliveryStateInput } from "../codec/tables.ts";
import { plain } from "../codec/values.ts";
import type { ReceivedDelivery, SentDelivery } from "../engine/deliveries.ts";
import type { SenderLink } from "../engine/sender-link.ts";
import { type Outcome, outcomeError } from "./outcomes.ts";
import type { ClientOwners } from "./owners.ts";
import type { PendingSend } from "./pending-send.ts";
import type { AmqpReceiver } from "./receiver.ts";
import type { AmqpSender } from "./sender.ts";

/** What is told of a message once it has left. */
export interface SendTrace {
  readonly address: string;
  readonly payloadBytes: number;
}

/** The link has taken a message, which has left, or waits in the link as `waiting`. */
export function tracePublish(
  sender: AmqpSender,
  link: SenderLink<ClientOwners>,
  message: MessageInput | Uint8Array,
  waiting: PendingSend | null,
): void {
  if (leadsToCoordinator(sender)) return;
  const { text, tracer } = sender.session.core;
  const payload = message instanceof Uint8Array ? message : encodeMessage(text, message);
  const address = sender.address ?? addressIn(text, payload);
  if (waiting !== null) waiting.trace = { address, payloadBytes: payload.length };
  else tracer.published(address, payload.length, link.lastDeliveryId);
}

/** A message that waited has left. */
export function traceSent(
  link: SenderLink<ClientOwners>,
  item: PendingSend,
  { address, payloadBytes }: SendTrace,
): void {
  item.trace = null;
  link.owner.session.core.tracer.published(address, payloadBytes, link.lastDeliveryId);
}

/** The server has decided about a message of ours. */
export function traceOutcome(sender: AmqpSender, { id }: SentDelivery<ClientOwners>, outcome: Outcome): void {
  if (leadsToCoordinator(sender)) return;
  sender.session.core.tracer.settled("out", id, wordOf(outcome), outcomeError(outcome));
}

/** A message came in. */
export function traceDelivery(receiver: AmqpReceiver, { id, payloadBytes }: ReceivedDelivery<ClientOwners>): void {
  receiver.session.core.tracer.delivered(receiver.address ?? "", payloadBytes, id);
}

/** We have decided about a message, or the server otherwise. */
export function traceSettled(
  receiver: AmqpReceiver,
  { id }: ReceivedDelivery<ClientOwners>,
  outcome: Outcome | DeliveryStateInput,
  error: Error | null,
): void {
  receiver.session.core.tracer.settled("in", id, wordOf(outcome), error);
}

/** What is said to a coordinator is no message of the application's. */
function leadsToCoordinator(sender: AmqpSender): boolean {
  const { target } = sender.remote;
  return target !== null && !("address" in target);
}

/** Where a message on a link to any address goes. */
function addressIn(text: TextCodec, payload: Uint8Array): string {
  try {
    return String(plain(new MessageView(text, payload).properties?.to ?? null) ?? "");
  } catch {
    // Bytes of a format of the application's own.
    return "";
  }
}

/** What is modified goes back, as what is released does. */
function wordOf(outcome: Outcome | DeliveryStateInput): SettleTrace["outcome"] {
  const type = "type" in outcome ? outcome.type : "";
  if (type === "rejected") return "rejected";
  return type === "released" || type === "modified" ? "released" : "accepted";
}
