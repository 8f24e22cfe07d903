import { type Row, rowOf } from "../admin/admin-client.ts";
import type { PrintedMessage } from "./message-json.ts";

/** A message as the broker's HTTP side shows it, to be printed like one that was received. */
export function peekedMessage(row: Row, queue: string): PrintedMessage {
  const payload = Buffer.from(textOf(row["payload"]), "base64");
  const { contentType, createdAtMs, offset, deadLetter } = row;
  return {
    topic: textOf(row["topic"]),
    payload,
    contentType: typeof contentType === "string" ? contentType : null,
    timestamp: typeof createdAtMs === "number" ? new Date(createdAtMs) : null,
    queue,
    routingKey: textOf(row["routingKey"]),
    group: "",
    offset: typeof offset === "number" ? offset : null,
    deliveryCount: 0,
    properties: Object.fromEntries(Object.entries(rowOf(row["headers"])).map(([name, value]) => [name, textOf(value)])),
    json: () => JSON.parse(payload.toString("utf8")),
    ...(deadLetter === null || deadLetter === undefined ? {} : { deadLetter: rowOf(deadLetter) }),
  };
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
