/** Addresses of RabbitMQ 4 (version 2): every segment percent-encoded, so that any name can be one. */

/** A queue, to send to and to receive from: `/queues/<name>`. */
export function rabbitmqQueue(name: string): string {
  return `/queues/${segment(name)}`;
}

/** An exchange, to send to: `/exchanges/<name>[/<routing key>]`. */
export function rabbitmqExchange(name: string, routingKey = ""): string {
  return `/exchanges/${segment(name)}${routingKey === "" ? "" : `/${segment(routingKey)}`}`;
}

/** The `hostname` of a connection to a virtual host. */
export function rabbitmqHostname(virtualHost: string): string {
  return `vhost:${virtualHost}`;
}

/** A name as RFC 3986 wants it: everything but letters, digits and `-._~` as percent signs and UTF-8. */
export function segment(name: string): string {
  return encodeURIComponent(name).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}
