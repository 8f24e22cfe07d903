import { MemoryStore } from "../../store/memory-store.ts";
import type { MessageStore, StoredPublish, StoredSession, StoreOperation } from "../../store/message-store.ts";
import { connected, type Setup, type Stage } from "./client-setup.test-support.ts";

/** A call of a store, or an operation of a write. */
type Call = "open" | "close" | StoreOperation["op"];

/** A memory store that notes what it is asked, can be held back, and fails where it is told to. */
export class ProbeStore implements MessageStore {
  readonly memory = new MemoryStore();
  readonly calls: Call[] = [];
  /** The first call of this kind fails. */
  failOnce: Call | null = null;
  #held: (() => void)[] | null = null;

  /** Keeps writes from ending until `release`. */
  hold(): void {
    this.#held = [];
  }

  release(): void {
    const held = this.#held ?? [];
    this.#held = null;
    for (const go of held) go();
  }

  async open(clientId: string): Promise<StoredSession> {
    this.#note("open");
    return await this.memory.open(clientId);
  }

  async write(operations: readonly StoreOperation[]): Promise<void> {
    const held = this.#held;
    if (held !== null) await new Promise<void>((resolve) => held.push(resolve));
    for (const { op } of operations) this.#note(op);
    await this.memory.write(operations);
  }

  async close(): Promise<void> {
    this.#note("close");
    await this.memory.close();
  }

  /** What the next process would find. */
  async left(): Promise<StoredSession> {
    return await this.memory.open("c");
  }

  #note(call: Call): void {
    this.calls.push(call);
    if (this.failOnce !== call) return;
    this.failOnce = null;
    throw new Error(`cannot ${call}`);
  }
}

/** Options of a session that lasts. */
export const LASTING: Setup = { protocolVersion: 5, cleanStart: false, sessionExpirySeconds: 600 };

/** A connected client with a {@link ProbeStore}. */
export async function withStore(options: Setup = {}): Promise<{ stage: Stage; store: ProbeStore }> {
  const store = new ProbeStore();
  const stage = await connected({ ...LASTING, ...options, store });
  return { stage, store };
}

/** The messages that a store holds, each as id, QoS, topic, payload and state. */
export function left(session: StoredSession): (string | number)[][] {
  return session.publishes.map(({ packetId, qos, topic, payload, released }: StoredPublish) => [
    packetId,
    qos,
    topic,
    new TextDecoder().decode(payload),
    released ? "released" : "unacknowledged",
  ]);
}
