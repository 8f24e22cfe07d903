// Hot path: counted per message. Plain number fields, no closure, promise, spread, iterator or regex here.

/** Every counter at one moment, by name. */
export type MetricsSnapshot = Readonly<Record<MetricName, number>>;

/** The names of the counters. */
export type MetricName = Exclude<
  { [K in keyof BrokerMetrics]: BrokerMetrics[K] extends number ? K : never }[keyof BrokerMetrics],
  never
>;

/**
 * What the listeners and sessions of a broker count; what its core counts stands in `HubInspection.statistics`. Whoever sees an event adds to the field; nothing is computed until somebody asks. Names ending in `Open` or
 * `Connected` are levels, names ending in `Max` their highest values so far, all others totals since the start.
 */
export class BrokerMetrics {
  /** Sockets taken, whatever became of them. */
  connectionsAccepted = 0;
  /** Sockets open now, those whose protocol is not known yet included. */
  connectionsOpen = 0;
  connectionsOpenMax = 0;
  /** Sockets turned away because of a limit on connections. */
  connectionsRefused = 0;
  /** Connections that did not show a protocol, or finish an HTTP request, in time. */
  connectionsTimedOut = 0;
  /** Connections whose first bytes belong to no protocol that is served there. */
  connectionsUnrecognized = 0;
  tlsHandshakesFailed = 0;
  /** HTTP requests that were answered with an error of the caller's, those for a WebSocket included. */
  httpRequestsRefused = 0;

  /** Clients let in and not gone yet. */
  clientsConnected = 0;
  clientsConnectedMax = 0;
  /** Clients let in. */
  clientsAccepted = 0;
  /** Clients refused because of who they are, or because nobody could say in time. */
  clientsRefused = 0;

  /** Bytes read from clients, WebSocket and TLS taken off. */
  bytesReceived = 0;
  bytesSent = 0;
  /** At-most-once messages that were left out because the receiver was too slow. */
  messagesDroppedSlow = 0;
  /** Messages that a full session queue let go. */
  messagesDroppedFull = 0;
  /** Messages whose lifetime was over before they could be sent to a session they waited in. */
  messagesExpired = 0;
  /** Messages that were left out because the receiver takes no packets as large. */
  messagesTooLarge = 0;
  /** Messages refused for want of permission. */
  messagesDenied = 0;

  subscriptionsAccepted = 0;
  /** Subscriptions refused, for want of permission or because of a limit. */
  subscriptionsRefused = 0;
  /** Hooks of the application that failed or took too long; each counted as a refusal, too. */
  hooksFailed = 0;
  /** Errors that were caught where none should have come from; the broker went on. */
  internalErrors = 0;

  /** Adds one to the open connections. */
  connectionOpened(): void {
    this.connectionsAccepted++;
    this.connectionsOpen++;
    if (this.connectionsOpen > this.connectionsOpenMax) this.connectionsOpenMax = this.connectionsOpen;
  }

  connectionClosed(): void {
    this.connectionsOpen--;
  }

  /** Adds one to the clients that are connected. */
  clientConnected(): void {
    this.clientsAccepted++;
    this.clientsConnected++;
    if (this.clientsConnected > this.clientsConnectedMax) this.clientsConnectedMax = this.clientsConnected;
  }

  clientDisconnected(): void {
    this.clientsConnected--;
  }

  /** A copy of all counters. */
  snapshot(): MetricsSnapshot {
    return { ...this };
  }
}
