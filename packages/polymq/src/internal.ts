/** Building blocks for tools and for our broker. Not covered by the version promise of the public entry points. */
export { unreachable } from "./base/assert.ts";
export type { Clock, Timer } from "./base/clock.ts";
export { Deque } from "./base/deque.ts";
export type { ErrorCode, ErrorInfo, ErrorRetry, ErrorScope, PeerReason } from "./base/errors.ts";
export { isMessagingError, MessagingError } from "./base/errors.ts";
export { ByteReader, malformed } from "./bytes/reader.ts";
export type { FrameMeasure, FrameSink } from "./bytes/splitter.ts";
export { Splitter } from "./bytes/splitter.ts";
export type { TextCodec } from "./bytes/text.ts";
export { lenientText, utf8Length, webText } from "./bytes/text.ts";
export { ByteWriter, VARINT_MAX, varintBytes } from "./bytes/writer.ts";
export type { OutboxOptions } from "./transport/outbox.ts";
export { CHUNK_BYTES, ChunkPool, Outbox } from "./transport/outbox.ts";
export type { Transport, TransportHandler, TransportInfo } from "./transport/transport.ts";
