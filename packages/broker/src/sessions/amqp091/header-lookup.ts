import { type BasicProperties, decodeProperties } from "polymq/amqp091/codec";
import { ByteReader, type TextCodec } from "polymq/internal";
import type { QueueMessage } from "../../core/queues/queue-message.ts";
import type { HeaderLookup } from "../../core/topology/topology-port.ts";
import { Encoding } from "../translate/encodings.ts";
import { argumentValue } from "./arguments.ts";

/** Finds the headers of dead letters for headers exchanges; those of another protocol have none. A block is decoded when it is first asked for. */
export function deadLetterHeaders(text: TextCodec): (message: QueueMessage) => HeaderLookup | null {
  return ({ encoding, properties }) =>
    encoding !== Encoding.Amqp091 || properties === null ? null : headersIn(text, properties);
}

/** Finds headers in a block, which is decoded when the first is asked for. */
export function headersIn(text: TextCodec, block: Uint8Array): HeaderLookup {
  let headers: NonNullable<BasicProperties["headers"]> | null = null;
  return (name) => {
    headers ??= decodeProperties(new ByteReader(text, block)).headers ?? {};
    return Object.hasOwn(headers, name) ? argumentValue(headers[name]) : undefined;
  };
}
