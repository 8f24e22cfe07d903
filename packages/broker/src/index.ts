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
export type { HubInspection, SessionInspection } from "./core/inspection.ts";
export type { ListenerAddress } from "./listeners/listener-address.ts";
export type { MetricName, MetricsSnapshot } from "./metrics/broker-metrics.ts";
export type {
  AuthOptions,
  BrokerOptions,
  BrokerTlsOptions,
  ConnectionOptions,
  ListenerOptions,
  MqttOptions,
  PermissionOptions,
  ProtocolName,
  RetainedOptions,
  SessionOptions,
  UserOptions,
  WebSocketListenOptions,
} from "./options.ts";
export type { Durability } from "./storage/store.ts";
