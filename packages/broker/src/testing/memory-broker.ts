import { type DialHook, memoryPair, nodePlatform, type Platform } from "polymq/transport";
import { type Broker, RunningBroker } from "../broker.ts";
import type { Hub } from "../core/hub.ts";
import { type Attach, MemoryListeners } from "../listeners/memory-listeners.ts";
import type { BrokerOptions } from "../options.ts";
import { brokerSettings } from "../settings.ts";
import type { Store } from "../storage/store.ts";

/** What a {@link MemoryBroker} is made of, besides the options of every broker. */
export interface MemoryBrokerParts {
  /** Its clock, text and randomness. Default: the process's own. */
  readonly platform?: Platform;
  /** Where sessions, messages and queues survive the broker object; the broker closes it. Default: nowhere. */
  readonly store?: Store | null;
}

/** A broker without sockets: connections are handed in, and nothing but its platform's clock makes it go. */
export interface MemoryBroker extends Broker {
  /** Connects to it in memory; for the `dial` option of clients, whose server address does not matter then. */
  readonly dial: DialHook;
  /** Takes a connection over a transport of the caller's own. */
  accept(attach: Attach): void;
  /** The core, for tests that look inside. Not covered by the version promise. */
  readonly hub: Hub;
}

/**
 * Starts a broker in memory, for tests and simulations. Options about ports, TLS, HTTP and data directories mean nothing to it.
 * @throws {MessagingError} ERR_INVALID_OPTIONS, ERR_STORE_CORRUPT, ERR_STORE_FAILED
 */
export async function memoryBroker(options: BrokerOptions = {}, parts: MemoryBrokerParts = {}): Promise<MemoryBroker> {
  const { platform = nodePlatform(), store = null } = parts;
  const listening: { listeners?: MemoryListeners } = {};
  const broker = await RunningBroker.start(brokerSettings({ ...options, http: false }), {
    platform,
    openStore: () => Promise.resolve(store),
    openListeners: (given) => {
      listening.listeners = new MemoryListeners(given);
      return Promise.resolve(listening.listeners);
    },
  });
  const accept = (attach: Attach): void => listening.listeners?.accept(attach);
  const dial: DialHook = (_endpoint, _options, handler) => {
    const pair = memoryPair({ clock: platform.clock });
    accept((server) => pair.server.attach(server));
    return Promise.resolve(pair.client.attach(handler));
  };
  return Object.assign(broker, { dial, accept });
}
