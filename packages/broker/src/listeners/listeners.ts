import type { Clock } from "polymq/transport";
import type { BrokerMetrics } from "../metrics/broker-metrics.ts";
import { Admission } from "./admission.ts";
import type { HttpRequests } from "./http-layer.ts";
import type { ListenerAddress } from "./listener-address.ts";
import type { AdmissionSettings, ListenerSettings } from "./listener-settings.ts";
import { Port } from "./port.ts";
import type { ProtocolFactory } from "./protocol-factory.ts";

/** What {@link openListeners} needs. */
export interface ListenersOptions {
  readonly listeners: readonly ListenerSettings[];
  readonly limits: AdmissionSettings;
  /** In the order in which they are asked about first bytes. */
  readonly protocols: readonly ProtocolFactory[];
  /** Answers HTTP requests; null for none but those for WebSockets. */
  readonly requests: HttpRequests | null;
  readonly metrics: BrokerMetrics;
  readonly clock: Clock;
}

/** All ports of a broker. */
export interface Listeners {
  /** In the order of the settings. */
  readonly addresses: readonly ListenerAddress[];
  /** Frees the ports and ends the connections that no protocol has taken yet; the others go on. */
  stop(): Promise<void>;
  /** Frees the ports and ends every connection at once; resolves when no socket is left. */
  close(): Promise<void>;
}

/**
 * Binds all ports, or none: when one fails, those that were bound before are closed again.
 * @throws {MessagingError} ERR_LISTEN_FAILED with the cause, ERR_INVALID_OPTIONS for TLS material that cannot be used
 */
export async function openListeners(options: ListenersOptions): Promise<Listeners> {
  const { limits, protocols, requests, metrics, clock } = options;
  const context = { clock, metrics, admission: new Admission(limits, metrics), limits, protocols, requests };
  const ports = options.listeners.map((settings) => new Port(settings, context));
  const addresses: ListenerAddress[] = [];
  try {
    for (const port of ports) addresses.push(await port.listen());
  } catch (error) {
    await closeAll(ports);
    throw error;
  }
  return {
    addresses,
    stop: async () => {
      await Promise.all(ports.map((port) => port.stop()));
    },
    close: () => closeAll(ports),
  };
}

async function closeAll(ports: readonly Port[]): Promise<void> {
  await Promise.all(ports.map((port) => port.close()));
}
