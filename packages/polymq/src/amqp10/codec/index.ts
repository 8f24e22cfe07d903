/**
 * `polymq/amqp10/codec`: AMQP 1.0 types, frames, performatives and messages as bytes and as values, for tool makers and brokers.
 * Functions over a `ValueReader` and a `ByteWriter`; no I/O, no state.
 */
export { type ErrorCode, isMessagingError, MessagingError } from "../../base/errors.ts";
export { Splitter } from "../../bytes/splitter.ts";
export { type TextCodec, webText } from "../../bytes/text.ts";
export { ByteWriter } from "../../bytes/writer.ts";
export { compositeName, decodeComposite, decodeFields, readDescriptor, writeComposite } from "./composite.ts";
export type {
  CompositeDefinition,
  CompositeTable,
  FieldDefinition,
  FieldType,
} from "./composite-types.ts";
export {
  Condition,
  ReceiverSettleMode,
  SaslCode,
  SenderSettleMode,
  TerminusDurability,
} from "./conditions.ts";
export {
  ACCEPTED,
  type DispositionFields,
  DispositionHead,
  RELEASED,
  readDisposition,
  writeDisposition,
} from "./disposition.ts";
export { FlowFields, readFlow, writeFlow } from "./flow.ts";
export { CODES_OF_TYPE, Code, TYPE_OF_CODE } from "./format-codes.ts";
export {
  beginFrame,
  endFrame,
  FRAME_HEADER_BYTES,
  FRAME_SIZE_LEAST,
  FrameType,
  frameBody,
  frameChannel,
  frameType,
  measureFrame,
  PROTOCOL_HEADER_BYTES,
  ProtocolId,
  protocolHeader,
  readPerformative,
  readProtocolHeader,
  readSaslFrame,
  writeEmptyFrame,
  writeFrame,
  writeSaslFrame,
} from "./frame.ts";
export {
  type BodyInput,
  encodeMessage,
  type MessageInput,
  messageBytesMax,
  Section,
  writeMessage,
} from "./message.ts";
export { type Body, MessageView, SECTIONS_MAX } from "./message-view.ts";
export {
  type AmqpError,
  type AmqpErrorInput,
  COMPOSITES,
  type Composite,
  type CompositeInput,
  type CompositeName,
  type Coordinator,
  type CoordinatorInput,
  type DeliveryState,
  type DeliveryStateInput,
  type Header,
  type Performative,
  type PerformativeInput,
  type Properties,
  type SaslFrame,
  type SaslFrameInput,
  type Source,
  type SourceInput,
  type Target,
  type TargetInput,
} from "./tables.ts";
export {
  ABSENT,
  beginContinuation,
  beginRareTransfer,
  beginTransfer,
  DELIVERY_TAG_BYTES_MAX,
  type RareTransferFields,
  readTransfer,
  TRANSFER_BYTES_MAX,
  TransferFields,
  TransferHead,
  tagBytes,
} from "./transfer.ts";
export {
  PERFORMATIVE_VALUES_MAX,
  SECTION_VALUES_MAX,
  VALUE_DEPTH_MAX,
  ValueReader,
} from "./value-reader.ts";
export {
  AmqpArray,
  type AmqpInput,
  AmqpMap,
  type AmqpValue,
  Described,
  type MapInput,
  plain,
  symbol,
  Typed,
  type TypedName,
  type TypedValues,
  type TypeName,
  typed,
  uuid,
  uuidText,
} from "./values.ts";
export { valueBytesMax, writeMap, writeValue } from "./write-value.ts";
