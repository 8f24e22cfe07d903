/**
 * What `MessageView.encoding` says: in whose form a message's properties are. They stay as the publisher sent them until somebody of another protocol gets
 * the message; then {@link PropertyTranslator} turns them over.
 */
export const Encoding = {
  /** The property block of an MQTT 5.0 PUBLISH (§3.3.2.3), without topic alias, subscription identifiers and expiry interval. */
  Mqtt: 1,
  /** The property block of an AMQP 0-9-1 content header (§4.2.6.1): flags and values. */
  Amqp091: 2,
  /** The sections of an AMQP 1.0 message but for its body (§3.2). */
  Amqp10: 3,
} as const;
