/** `@polymq/broker`: an embedded message broker. */
export type {
  AuthDecision,
  Authenticate,
  AuthenticateRequest,
  AuthHooks,
  AuthorizePublish,
  AuthorizeSubscribe,
  DenyReason,
  Principal,
  PublishDetails,
  SubscribeDetails,
} from "./auth/auth-hooks.ts";
export { hashPassword } from "./auth/password-hash.ts";
export { type Broker, type BrokerInspection, startBroker } from "./broker.ts";
export type { BrokerQueues } from "./broker-queues.ts";
export { type BrokerConfigSource, readBrokerConfig } from "./config/broker-config.ts";
export type { HubInspection, SessionInspection } from "./core/inspection.ts";
export type { AutoCreate } from "./core/queues/queue-directory.ts";
export type { QueueGroupInspection, QueueInspection } from "./core/queues/queue-inspection.ts";
export type { GroupLifetime, GroupMode } from "./core/queues/queue-port.ts";
export type {
  DeadLetterDefinition,
  QueueDefinition,
  QueueKind,
  QueueLifetime,
  QueueSettings,
  RetentionDefinition,
  RetryDefinition,
} from "./core/queues/queue-settings.ts";
export type { QueueStatistics } from "./core/queues/queue-statistics.ts";
export type { ListenerAddress } from "./listeners/listener-address.ts";
export type { MetricName, MetricsSnapshot } from "./metrics/broker-metrics.ts";
export type {
  Amqp10Options,
  Amqp091Options,
  AuthOptions,
  BrokerOptions,
  BrokerTlsOptions,
  ConnectionOptions,
  HttpOptions,
  ListenerOptions,
  MqttOptions,
  PermissionOptions,
  ProtocolName,
  QueueLimitOptions,
  ResourceOptions,
  RetainedOptions,
  SessionOptions,
  UserOptions,
  WebSocketListenOptions,
} from "./options.ts";
export type { ConnectionInspection } from "./sessions/connection-inspection.ts";
export type { Durability } from "./storage/store.ts";
