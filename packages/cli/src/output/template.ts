import { InvalidArgumentError } from "commander";
import { messageJson, ownProperties, type PrintedMessage } from "./message-json.ts";
import { replyFields } from "./reply-fields.ts";

/** A message, and when it came. */
export interface Arrival {
  readonly message: PrintedMessage;
  readonly epochMs: number;
}

/** A piece of a template: fixed text, or what it takes from a message. */
type Piece = (arrival: Arrival) => string | Uint8Array;

/** What each letter behind a percent sign stands for. */
const FIELDS: ReadonlyMap<string, { readonly help: string; readonly piece: Piece }> = new Map(
  Object.entries({
    t: { help: "topic", piece: ({ message }) => message.topic },
    p: { help: "payload", piece: ({ message }) => message.payload },
    x: { help: "payload in hexadecimal", piece: ({ message }) => inCode(message, "hex") },
    X: { help: "the same in capitals", piece: ({ message }) => inCode(message, "hex").toUpperCase() },
    b: { help: "payload in base64", piece: ({ message }) => inCode(message, "base64") },
    l: { help: "bytes of the payload", piece: ({ message }) => String(message.payload.length) },
    q: { help: "QoS", piece: ({ message }) => message.properties["mqtt.qos"] ?? "" },
    r: { help: "1 if retained", piece: ({ message }) => (message.properties["mqtt.retain"] === "true" ? "1" : "0") },
    C: { help: "content type", piece: ({ message }) => message.contentType ?? "" },
    R: { help: "response topic", piece: ({ message }) => replyFields(message.native).responseTopic ?? "" },
    D: { help: "correlation data", piece: ({ message }) => replyFields(message.native).correlationData ?? "" },
    E: {
      help: "seconds until it expires",
      piece: ({ message }) => String(replyFields(message.native).expirySeconds ?? ""),
    },
    F: {
      help: "1 if it says that it is text",
      piece: ({ message }) => String(replyFields(message.native).payloadFormat ?? ""),
    },
    P: { help: "properties", piece: ({ message }) => pairs(ownProperties(message)) },
    j: { help: "all as JSON", piece: ({ message }) => JSON.stringify(messageJson(message)) },
    J: { help: "all as JSON, the payload parsed", piece: ({ message }) => parsedJson(message) },
    I: { help: "time of arrival", piece: ({ epochMs }) => new Date(epochMs).toISOString() },
    U: { help: "the same in seconds since 1970", piece: ({ epochMs }) => (epochMs / 1_000).toFixed(3) },
    Q: { help: "queue", piece: ({ message }) => message.queue ?? "" },
    k: { help: "routing key", piece: ({ message }) => message.routingKey },
    g: { help: "group", piece: ({ message }) => message.group },
    o: { help: "offset", piece: ({ message }) => String(message.offset ?? "") },
    n: { help: "earlier deliveries", piece: ({ message }) => String(message.deliveryCount) },
    "%": { help: "a percent sign", piece: () => "%" },
  } satisfies Record<string, { help: string; piece: Piece }>),
);

const ESCAPES: ReadonlyMap<string, string> = new Map(
  Object.entries({ "0": "\0", a: "\x07", e: "\x1b", n: "\n", r: "\r", t: "\t", v: "\v", "\\": "\\" }),
);

/** What templates may contain, for help texts. */
export const TEMPLATE_HELP: string = `Templates (-F): ${[...FIELDS].map(([letter, { help }]) => `%${letter} ${help}`).join(", ")};
and the escapes ${[...ESCAPES.keys()].map((letter) => `\\${letter}`).join(" ")}.`;

/** Compiles a template. @throws {InvalidArgumentError} for a letter that stands for nothing */
export function compileTemplate(template: string): (arrival: Arrival) => Uint8Array {
  const pieces = [...template.matchAll(/%(.?)|\\(.?)|[^%\\]+/gsu)].map(pieceOf);
  return (arrival) => Buffer.concat(pieces.map((piece) => toBytes(piece(arrival))));
}

function pieceOf([all, field, escaped]: RegExpMatchArray): Piece {
  if (field !== undefined) {
    const known = FIELDS.get(field);
    if (known === undefined) throw new InvalidArgumentError(`${all} stands for nothing; a percent sign is %%.`);
    return known.piece;
  }
  const text = escaped === undefined ? all : ESCAPES.get(escaped);
  if (text === undefined) throw new InvalidArgumentError(`${all} is no escape; a backslash is \\\\.`);
  return () => text;
}

function toBytes(piece: string | Uint8Array): Uint8Array {
  return typeof piece === "string" ? Buffer.from(piece) : piece;
}

function inCode({ payload }: PrintedMessage, code: "hex" | "base64"): string {
  return Buffer.from(payload.buffer, payload.byteOffset, payload.length).toString(code);
}

function pairs(properties: Readonly<Record<string, string>>): string {
  return Object.entries(properties)
    .map(([name, value]) => `${name}:${value}`)
    .join(" ");
}

function parsedJson(message: PrintedMessage): string {
  const view = messageJson(message);
  try {
    return JSON.stringify({ ...view, payload: message.json() });
  } catch {
    // The payload is no JSON, and stays text.
    return JSON.stringify(view);
  }
}
