/**
 * `polymq/amqp091/codec`: AMQP 0-9-1 with RabbitMQ's extensions as bytes and as values, for tool makers and brokers. Pure functions over
 * a `ByteReader` and a `ByteWriter`; no I/O, no state but the caches of its encoders and decoders.
 */
export {
  type ErrorCode,
  type ErrorInfo,
  type ErrorRetry,
  type ErrorScope,
  isMessagingError,
  MessagingError,
  type PeerReason,
} from "../../base/errors.ts";
export { ByteReader } from "../../bytes/reader.ts";
export { type FrameMeasure, type FrameSink, Splitter } from "../../bytes/splitter.ts";
export { type TextCodec, webText } from "../../bytes/text.ts";
export { ByteWriter } from "../../bytes/writer.ts";
export { AckReader, type Settlement } from "./ack-reader.ts";
export { CONTENT_HEADER_BYTES, Content, type ContentOptions } from "./content.ts";
export { ACK_FRAME_BYTES, ContentWriter, PublishFlag } from "./content-writer.ts";
export { decodeTable, type FieldForm } from "./field-table-decoder.ts";
export { encodeTable } from "./field-table-encoder.ts";
export {
  type DecimalValue,
  FIELD_COUNT_MAX,
  FIELD_DEPTH_MAX,
  FIELD_TAGS,
  type FieldTable,
  type FieldTag,
  type FieldValue,
  TypedField,
} from "./field-value.ts";
export {
  checkProtocolHeader,
  FRAME_BYTES_MIN,
  FRAME_END,
  FRAME_HEAD_BYTES,
  FRAME_OVERHEAD_BYTES,
  type FrameLimit,
  FrameType,
  measureFrame,
  PROTOCOL_HEADER_BYTES,
  PROTOCOL_HEADER_START,
  protocolHeader,
  writeFrameHead,
  writeHeartbeat,
} from "./frame.ts";
export { decodeMethod, encodeMethod, methodName, methodRow, peekMethodName } from "./method-codec.ts";
export type {
  ContentMethodName,
  Method,
  MethodArguments,
  MethodName,
  MethodOf,
  MethodRow,
  ReplyTo,
  SyncMethodName,
  WireType,
  WireValues,
} from "./method-types.ts";
export { METHODS } from "./methods.ts";
export {
  BASIC_PROPERTIES,
  type BasicProperties,
  decodeProperties,
  encodeProperties,
  NO_PROPERTIES,
  type PropertyName,
  type PropertyWire,
} from "./properties.ts";
export { PropertiesDecoder } from "./properties-decoder.ts";
export { PropertiesEncoder } from "./properties-encoder.ts";
export { PropertyScanner } from "./property-scan.ts";
export {
  REPLY_CODES,
  ReplyCode,
  type ReplyCodeNumber,
  type ReplyScope,
  replyCodeOf,
  replyName,
  replyScope,
} from "./reply-codes.ts";
export { DECODED_ROUTES_DEFAULT, NameDecoder, type NameEntry, RouteDecoder, type RouteEntry } from "./route-decoder.ts";
export { ENCODED_ROUTES_DEFAULT, RouteEncoder } from "./route-encoder.ts";
export {
  readSaslAmqplain,
  readSaslPlain,
  type SaslCredentials,
  type SaslMechanism,
  saslAmqplain,
  saslAnonymous,
  saslExternal,
  saslPlain,
} from "./sasl.ts";
export { SHORT_STRING_BYTES_MAX, shortStringBytes } from "./strings.ts";
