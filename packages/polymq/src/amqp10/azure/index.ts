/** `polymq/amqp10/azure`: what Azure Service Bus and Event Hubs add to AMQP 1.0: tokens, sessions, outcomes, batches. */
export {
  abandon,
  azureWebSocketUrl,
  BATCH_FORMAT,
  batchOf,
  complete,
  deadLetter,
  defer,
  type EventPosition,
  eventPositionFilter,
  lockTokenOf,
  sessionFilter,
  sessionIdOf,
} from "./service-bus.ts";
export { type AzureConnectionString, parseConnectionString, sharedAccessTokens } from "./shared-access.ts";
export {
  type AzureToken,
  type AzureTokenProvider,
  TokenAuthority,
  type TokenAuthorityOptions,
} from "./token-authority.ts";
