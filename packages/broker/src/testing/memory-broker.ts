import { type DialHook, nodePlatform, type Platform } from "polymq/transport";
import { type Broker, RunningBroker } from "../broker.ts";
import type { Hub } from "../core/hub.ts";
import { type Attach, MemoryListeners } from "../listeners/memory-listeners.ts";
import type { BrokerOptions } from "../options.ts";
import { brokerSettings } from "../settings.ts";
import type { Store } from "../storage/store.ts";
import { type BrokerFaults, InjectedFaults } from "./broker-faults.ts";
import { FaultyStore } from "./faulty-store.ts";
import { MemoryLinks } from "./memory-links.ts";

/** What a {@link MemoryBroker} is made of, besides the options of every broker. */
export interface MemoryBrokerParts {
  /** Its clock, text and randomness. Default: the process's own. */
  readonly platform?: Platform;
  /** Where sessions, messages and queues survive the broker object, those included that `autoCreateQueues` makes; the broker closes it. Default: nowhere. */
  readonly store?: Store | null;
}

/** A broker without sockets: connections are handed in, and nothing but its platform's clock makes it go. */
export interface MemoryBroker extends Broker {
  /** Connects to it in memory; for the `dial` option of clients, whose server address does not matter then. */
  readonly dial: DialHook;
  /** Breaks what can break: connections of `dial`, and the store. */
  readonly faults: BrokerFaults;
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
  const { platform = nodePlatform() } = parts;
  const { clock } = platform;
  const store = parts.store ? new FaultyStore(parts.store, clock) : null;
  const kept: BrokerOptions = store === null ? {} : { autoCreateQueues: "durable" };
  const listening: { listeners?: MemoryListeners } = {};
  const broker = await RunningBroker.start(brokerSettings({ ...kept, ...options, http: false }), {
    platform,
    openStore: () => Promise.resolve(store),
    openListeners: (given) => {
      listening.listeners = new MemoryListeners(given);
      return Promise.resolve(listening.listeners);
    },
  });
  const accept = (attach: Attach): void => listening.listeners?.accept(attach);
  const links = new MemoryLinks(clock, accept);
  const faults = new InjectedFaults({ links, store, connections: () => broker.inspect().connections });
  const end = broker.close.bind(broker);
  // It would wait for a commit that is held for ever.
  const close = (): Promise<void> => {
    faults.heal();
    return end();
  };
  return Object.assign(broker, { dial: links.dial, accept, faults, close });
}
