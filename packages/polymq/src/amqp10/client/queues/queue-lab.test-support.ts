/** A connection whose server is a script that has queues. */

import { MessageView } from "../../codec/message-view.ts";
import type { AmqpMap } from "../../codec/values.ts";
import { message, type Names, text } from "../../engine/engine.test-support.ts";
import type { SenderLink } from "../../engine/sender-link.ts";
import { type LabServer, type RecoveringLab, recoveringLab, textOfBytes } from "../client-lab.test-support.ts";
import type { ConnectOptions } from "../options.ts";

/** What the servers call themselves. */
export const OPENS = {
  fluxmq: { containerId: "fluxmq" },
  polymq: { containerId: "p", properties: { product: "polymq" } },
  other: { containerId: "x" },
} as const;

/** A connected client. */
export function queueLab(
  server: keyof typeof OPENS,
  prepare: (server: LabServer, index: number) => void = () => {},
  options: ConnectOptions = {},
): Promise<RecoveringLab> {
  return recoveringLab(options, prepare, { open: OPENS[server] });
}

/** The newest link of a server on which it sends. */
export function consumer(server: LabServer | undefined): SenderLink<Names> {
  const link = [...(server?.links.values() ?? [])].findLast((each) => each.isSender);
  if (link === undefined) throw new Error("nobody consumes");
  return link as SenderLink<Names>;
}

/** What an attach of the client said with its properties. */
export function saidProperties(link: { remote: { properties: AmqpMap | null } | null }): unknown[] {
  return [...(link.remote?.properties ?? [])];
}

/** Delivers a message as FluxMQ does: facts as application properties. */
export function deliverQueued(server: LabServer, queue: string, offset: number, data: string): void {
  consumer(server).send(
    {
      ...message(data),
      properties: { to: `$queue/${queue}/eu`, messageId: `${queue}:${offset}` },
      applicationProperties: { "message-id": `${queue}:${offset}`, "group-id": "g@#", queue, offset: String(offset) },
    },
    `${queue}:${offset}`,
    { settled: false },
  );
  server.push();
}

/** Addresses and texts of what the client sent to a server. */
export function published(server: LabServer): [unknown, string][] {
  return server.deliveries.map((delivery) => {
    const view = new MessageView(text, delivery.payload);
    return [view.properties?.to ?? null, textOfBytes(view.data)];
  });
}
