/**
 * `polymq/mqtt/codec`: MQTT 3.1.1 and 5.0 control packets as bytes and as values, for tool makers and brokers. Pure
 * functions over a `ByteReader` and a `ByteWriter`; no I/O, no state but the caches of `TopicEncoder` and `TopicDecoder`.
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
export { ByteWriter, VARINT_MAX } from "../../bytes/writer.ts";
export { type AckType, BARE_ACK_BYTES, readBareAck, writeAck } from "./bare-ack.ts";
export { peekConnectLevel, readConnectLevel } from "./connect.ts";
export { decodePacket } from "./decode.ts";
export { encodePacket } from "./encode.ts";
export { measurePacket, PacketType, type PacketTypeNumber, packetName } from "./header.ts";
export { NO_PROPERTIES } from "./no-properties.ts";
export type {
  Auth,
  AuthProperties,
  Connack,
  ConnackProperties,
  Connect,
  ConnectProperties,
  Disconnect,
  DisconnectProperties,
  Packet,
  Pingreq,
  Pingresp,
  ProtocolLevel,
  Publish,
  PublishAck,
  PublishProperties,
  QoS,
  ReasonProperties,
  Suback,
  Subscribe,
  SubscribeFilter,
  SubscribeProperties,
  Unsuback,
  Unsubscribe,
  UserProperties,
  Will,
  WillProperties,
} from "./packets.ts";
export {
  PROPERTIES,
  PROPERTY_COUNT_MAX,
  type PropertyBlocks,
  type PropertyCarrier,
  type PropertyRow,
  type PropertyWireType,
} from "./properties.ts";
export { type PublishFields, publishBytes, writePublish } from "./publish.ts";
export { PublishHead } from "./publish-head.ts";
export { readPublishHead } from "./publish-packet.ts";
export {
  decodePublishProperties,
  encodePublishProperties,
  readPublishProperties,
} from "./publish-properties.ts";
export {
  ConnectReturnCode,
  ReasonCode,
  type ReasonCodePacket,
  reasonName,
  returnCodeName,
  SUBACK_FAILURE,
} from "./reason-codes.ts";
export {
  mayCarryReason,
  type ReasonCodeSender,
  reasonCodeOf,
  reasonCodesOf,
  reasonOfReturnCode,
  reasonSender,
  returnCodeOfReason,
} from "./reason-rules.ts";
export { TOPIC_BYTES_MAX, topicMatches, validateTopicName } from "./topic.ts";
export { DECODED_TOPICS_DEFAULT, TopicDecoder, type TopicEntry } from "./topic-decoder.ts";
export { ENCODED_TOPICS_DEFAULT, TopicEncoder } from "./topic-encoder.ts";
export { parseSharedFilter, type SharedFilter, validatePlainTopicFilter, validateTopicFilter } from "./topic-filter.ts";
