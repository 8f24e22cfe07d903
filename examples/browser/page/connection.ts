import { type Client, type ClientOptions, connect, type Protocol } from "polymq";
import type { EventLog } from "./event-log.ts";

/** How the page names a protocol. */
export const PROTOCOL_NAMES: Readonly<Record<Protocol, string>> = {
  mqtt: "MQTT 5.0",
  amqp091: "AMQP 0-9-1",
  amqp10: "AMQP 1.0",
};

/** Where connections lead to, and who is told of them. */
export interface Place {
  /** The broker's WebSocket address without a path, such as `ws://127.0.0.1:1883`. */
  readonly url: string;
  readonly log: EventLog;
}

/** How a connection is called in the log, who shows its state, and what else its client is told. */
export interface ConnectionDetails {
  readonly name: string;
  readonly show: (state: string) => void;
  readonly options?: ClientOptions;
}

/**
 * Opens a connection; tells the log, under a name, and `show` what becomes of it. A broker that is not there yet is waited for, one that goes is dialled again until it is back, and then the subscriptions
 * are there again.
 */
export async function openConnection<P extends Protocol>(
  protocol: P,
  { url, log }: Place,
  { name, show, options }: ConnectionDetails,
): Promise<Client<P>> {
  show("connecting");
  const path = protocol === "mqtt" ? "/mqtt" : "/amqp";
  const client = await connect(url + path, {
    protocol,
    clientId: `page-${protocol}-${crypto.randomUUID().slice(0, 8)}`,
    ...options,
    reconnect: { initialDelayMs: 200, maxDelayMs: 2_000, retryFirstConnect: true },
  });
  const change = (state: string, what: string): void => {
    show(state);
    log.tell(name, what);
  };
  change("connected", "connected");
  client.on("connectionLost", ({ error }) => change("reconnecting", `connection lost (${error.code})`));
  client.on("reconnected", () => change("connected", "connected again"));
  client.on("reconnectFailed", ({ error }) => change("failed", `given up: ${error.message}`));
  client.on("handlerError", ({ error }) => log.fail(name, error));
  client.on("backgroundError", ({ error }) => log.fail(name, error));
  client.on("closed", () => change("off", "closed"));
  return client as unknown as Client<P>;
}
