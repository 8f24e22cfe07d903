import type { QueueStatistics } from "../core/queues/queue-statistics.ts";
import type { Statistics } from "../core/statistics.ts";
import type { MetricName } from "../metrics/broker-metrics.ts";

/** A metric's type for Prometheus, and what it tells. */
export type MetricRow = readonly [type: "counter" | "gauge", help: string];

/** What listeners and sessions count. */
export const BROKER_METRICS: Readonly<Record<MetricName, MetricRow>> = {
  connectionsAccepted: ["counter", "Sockets taken"],
  connectionsOpen: ["gauge", "Sockets open now"],
  connectionsOpenMax: ["gauge", "Most sockets open at a time"],
  connectionsRefused: ["counter", "Sockets turned away because of a limit"],
  connectionsTimedOut: ["counter", "Connections that did not show a protocol or finish a request in time"],
  connectionsUnrecognized: ["counter", "Connections whose first bytes belong to no protocol that is served"],
  tlsHandshakesFailed: ["counter", "TLS handshakes that failed"],
  httpRequestsRefused: ["counter", "HTTP requests that were answered with an error of the caller's"],
  clientsConnected: ["gauge", "Clients connected now"],
  clientsConnectedMax: ["gauge", "Most clients connected at a time"],
  clientsAccepted: ["counter", "Clients let in"],
  clientsRefused: ["counter", "Clients refused because of who they are"],
  bytesReceived: ["counter", "Bytes read from clients"],
  bytesSent: ["counter", "Bytes written to clients"],
  messagesDroppedSlow: ["counter", "At-most-once messages left out because the receiver was too slow"],
  messagesDroppedFull: ["counter", "Messages that a full session queue let go"],
  messagesExpired: ["counter", "Messages whose lifetime was over before they could be sent"],
  messagesTooLarge: ["counter", "Messages left out because the receiver takes no packets as large"],
  messagesDenied: ["counter", "Messages refused for want of permission"],
  subscriptionsAccepted: ["counter", "Subscriptions accepted"],
  subscriptionsRefused: ["counter", "Subscriptions refused"],
  hooksFailed: ["counter", "Hooks of the application that failed or took too long"],
  internalErrors: ["counter", "Errors caught where none should have come from"],
};

/** What the core counts. */
export const CORE_METRICS: Readonly<Record<keyof Statistics, MetricRow>> = {
  messagesIn: ["counter", "Messages that came in"],
  bytesIn: ["counter", "Payload bytes of messages that came in"],
  messagesOut: ["counter", "Messages written to clients"],
  bytesOut: ["counter", "Payload bytes of messages written to clients"],
  messagesDropped: ["counter", "Deliveries dropped: no room, expired, or nobody there to take them"],
  messagesUnmatched: ["counter", "Messages that no subscription matched"],
  sessionsCreated: ["counter", "Sessions created"],
  sessionsResumed: ["counter", "Sessions resumed"],
  sessionsTakenOver: ["counter", "Sessions taken over by another connection"],
  sessionsExpired: ["counter", "Sessions that expired"],
};

/** What each queue counts. */
export const QUEUE_METRICS: Readonly<Record<keyof QueueStatistics, MetricRow>> = {
  appended: ["counter", "Messages appended"],
  delivered: ["counter", "Deliveries to consumers"],
  redelivered: ["counter", "Repeated deliveries"],
  acked: ["counter", "Messages acknowledged"],
  nacked: ["counter", "Messages given back"],
  rejected: ["counter", "Messages rejected"],
  timedOut: ["counter", "Deliveries that nobody settled in time"],
  expired: ["counter", "Messages that expired"],
  overflowed: ["counter", "Messages that left at the head because the queue was full"],
  deadLettered: ["counter", "Messages handed to a dead-letter queue"],
  dropped: ["counter", "Messages that died and went nowhere"],
  captureRefused: ["counter", "Messages of ordinary topics that the queue could not take"],
};

/** A counter's name as Prometheus wants it: `messagesIn` is `polymq_messages_in_total`. */
export function metricName(prefix: string, name: string, [type]: MetricRow): string {
  const words = name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return `${prefix}_${words}${type === "counter" ? "_total" : ""}`;
}
