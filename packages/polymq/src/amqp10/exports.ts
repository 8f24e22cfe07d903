/** What `polymq/amqp10` exports on every runtime. */
export type { EventOf, EventStream } from "../base/emitter.ts";
export {
  type ErrorCode,
  type ErrorInfo,
  type ErrorRetry,
  type ErrorScope,
  isMessagingError,
  MessagingError,
  type PeerReason,
} from "../base/errors.ts";
export type { DialHook, TlsMaterial, TlsOptions, WebSocketDialOptions, WebSocketLike } from "../transport/platform.ts";
export { type ConnectTarget, connectOver } from "./client/connect.ts";
export { AmqpConnection } from "./client/connection.ts";
export { AmqpDelivery, type ModifyOptions, type SettleOptions } from "./client/delivery.ts";
export { isConnectionError, isLinkError, isSessionError } from "./client/error-scope.ts";
export type { AmqpConnectionEvent } from "./client/events.ts";
export { type LinkFilter, linkFilter, noLocalFilter, selectorFilter } from "./client/filters.ts";
export type { LifeState } from "./client/lifetime.ts";
export type {
  ConnectOptions,
  Durability,
  ExpiryPolicy,
  LinkOptions,
  ReceiverOptions,
  ReconnectOptions,
  SaslOptions,
  SenderOptions,
  SessionOptions,
  SourceOptions,
  TerminusOptions,
} from "./client/options.ts";
export type { ErrorDetails, Outcome } from "./client/outcomes.ts";
export type { AmqpPeer } from "./client/peer.ts";
export { type AmqpDeadLetterFacts, AmqpQueueMessage } from "./client/queues/queue-message.ts";
export type {
  AmqpQueueCursor,
  AmqpQueuePublishOptions,
  AmqpQueueSubscribeOptions,
} from "./client/queues/queue-options.ts";
export { AmqpQueueSubscription } from "./client/queues/queue-subscription.ts";
export { AmqpReceiver } from "./client/receiver.ts";
export { AmqpRelay, type RelayOptions } from "./client/relay.ts";
export { AmqpRequester, type RequesterOptions } from "./client/requests/requester.ts";
export { AmqpResponder, type RequestHandler, type ResponderOptions } from "./client/requests/responder.ts";
export {
  type SaslContext,
  type SaslExchange,
  type SaslMechanism,
  type SaslToken,
  saslAnonymous,
  saslExternal,
  saslOauthBearer,
  saslPlain,
  saslScram,
  saslXoauth2,
} from "./client/sasl.ts";
export type { SendOptions } from "./client/send-options.ts";
export { SendReceipt } from "./client/send-receipt.ts";
export { AmqpSender, type SendableMessage } from "./client/sender.ts";
export { AmqpSession } from "./client/session.ts";
export { AmqpCoordinator, type CoordinatorOptions } from "./client/transactions/coordinator.ts";
export { AmqpTransaction, type TransactionState } from "./client/transactions/transaction.ts";
export { Condition } from "./codec/conditions.ts";
export { type BodyInput, encodeMessage, type MessageInput } from "./codec/message.ts";
export { type Body, MessageView } from "./codec/message-view.ts";
export type { AmqpError, DeliveryState, Header, Properties } from "./codec/tables.ts";
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
  typed,
  uuid,
  uuidText,
} from "./codec/values.ts";
export type { ScramHash } from "./engine/scram.ts";
