/** A client, servers in memory and a virtual clock for the tests beside this file; and what looks at promises from outside. */
import { expect } from "vitest";
import { type ErrorCode, isMessagingError, MessagingError } from "../../base/errors.ts";
import { webText } from "../../bytes/text.ts";
import { seededRandom } from "../../testing/seeded-random.ts";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import { dialThroughHook } from "../../transport/dial-hook.ts";
import type { Endpoint } from "../../transport/endpoint.ts";
import type { DialOptions, Platform } from "../../transport/platform.ts";
import type { TransportHandler } from "../../transport/transport.ts";
import type { ClientParts } from "./client-parts.ts";
import type { MqttClientEvent } from "./events.ts";
import { type FakeConnection, FakeServer, type FakeServerOptions } from "./fake-server.test-support.ts";
import { LOADED_PARTS } from "./loaded-parts.ts";
import { MqttClientApi } from "./mqtt-client-api.ts";
import type { MqttClientOptions } from "./options.ts";

/** A client on a platform of the test's own. */
export class TestClient extends MqttClientApi {
  constructor(options: MqttClientOptions, platform: Platform, parts: ClientParts) {
    super(options, platform, parts);
  }
}

/** What becomes of a dial: a server (`server` is the stage's own) takes it, it is refused, or nothing happens. */
export type DialAnswer = FakeServer | Error | "server" | "silence";

/** One dial as the platform saw it. */
export interface Dial {
  readonly endpoint: Endpoint;
  readonly options: DialOptions;
  readonly atMs: number;
}

/** Options of {@link setup}: the client's own, all optional here. */
export interface Setup extends Partial<MqttClientOptions> {
  readonly server?: FakeServerOptions;
  /** Which server answers a dial; default the one server. */
  readonly answer?: (endpoint: Endpoint, count: number) => DialAnswer;
  /** What `random` gives, for jitter. Default 1, the longest delay. */
  readonly random?: () => number;
  /** Default: all are there. */
  readonly parts?: ClientParts;
}

/** A client and what is around it. */
export interface Stage {
  readonly clock: VirtualClock;
  readonly client: TestClient;
  readonly server: FakeServer;
  readonly dials: Dial[];
  /** Every event so far. */
  readonly events: MqttClientEvent[];
  /** The promises given to `track`. */
  readonly promises: Promises;
  /** The newest connection, from the server's side. */
  readonly link: FakeConnection;
  /** Events of one type so far. */
  of<K extends MqttClientEvent["type"]>(type: K): Extract<MqttClientEvent, { type: K }>[];
  /** Lets everything happen that needs no time, and returns what the promise resolves with; fails when it is still pending. */
  now<T>(promise: Promise<T>): Promise<T>;
  /** As `now`, for a promise that must have been rejected; returns its error. */
  refused(promise: Promise<unknown>, code: ErrorCode): Promise<MessagingError>;
  /** Closes the client and checks that nothing is left behind. */
  finish(): Promise<void>;
}

/** Makes a stage; nothing is connected yet. */
export function setup(given: Setup = {}): Stage {
  const clock = new VirtualClock();
  const { server: serverOptions, answer, random = () => 1, parts = LOADED_PARTS, ...options } = given;
  const server = new FakeServer(clock, serverOptions);
  const dials: Dial[] = [];
  const network = new Network(clock, dials, (endpoint, count) => {
    const chosen = answer?.(endpoint, count) ?? "server";
    return chosen === "server" ? server : chosen;
  });
  const complete = { servers: "mqtt://server", clientId: "c", ...options };
  const client = new TestClient(complete, network.platform(random), parts);
  const events: MqttClientEvent[] = [];
  for (const type of EVENT_TYPES) client.on(type, (event) => void events.push(event as MqttClientEvent));
  const promises = new Promises();
  return {
    clock,
    client,
    server,
    dials,
    events,
    promises,
    get link() {
      return server.last;
    },
    of: (type) =>
      events.filter((event): event is Extract<MqttClientEvent, { type: typeof type }> => event.type === type),
    now: (promise) => now(clock, promise),
    refused: async (promise, code) => {
      const error = await now(clock, outcome(promise));
      if (!isMessagingError(error)) throw new Error(`expected ${code}, got ${String(error)}`, { cause: error });
      expect(error.code).toBe(code);
      return error;
    },
    finish: async () => {
      const closing = client.close({ timeoutMs: 100 });
      await clock.advance(20_000);
      await now(clock, closing);
      expect(await now(clock, client.closed)).toBeDefined();
      expect(promises.pending).toEqual([]);
      expect(clock.pendingTimers).toBe(0);
      expect(clock.pendingTurns).toBe(0);
    },
  };
}

/** A stage whose client is connected. */
export async function connected(given: Setup = {}): Promise<Stage> {
  const stage = setup(given);
  await stage.now(stage.client.connect());
  stage.link.take();
  return stage;
}

/** The type of every client event; one that is missing here does not compile. */
const EVENT_TYPES: readonly MqttClientEvent["type"][] = Object.keys({
  connect: 0,
  serverCapabilities: 0,
  connectionLost: 0,
  reconnecting: 0,
  reconnectFailed: 0,
  serverDisconnect: 0,
  subscriptionLost: 0,
  handlerError: 0,
  messageDropped: 0,
  backgroundError: 0,
  state: 0,
  closed: 0,
} satisfies Record<MqttClientEvent["type"], 0>) as MqttClientEvent["type"][];

/** Keeps an eye on promises: which of them are still pending. */
export class Promises {
  readonly #pending = new Set<string>();
  #count = 0;

  /** Notes the promise and returns it; its rejection counts as handled. */
  track<T>(promise: Promise<T>, name = "promise"): Promise<T> {
    const label = `${name} ${++this.#count}`;
    this.#pending.add(label);
    const done = (): void => void this.#pending.delete(label);
    promise.then(done, done);
    return promise;
  }

  get pending(): string[] {
    return [...this.#pending];
  }
}

/** `pending`, or how the promise has settled. */
export async function stateOf(promise: Promise<unknown>): Promise<"pending" | "resolved" | "rejected"> {
  const pending = Symbol("pending");
  try {
    return (await Promise.race([promise, Promise.resolve(pending)])) === pending ? "pending" : "resolved";
  } catch {
    return "rejected";
  }
}

/** Lets everything happen that needs no time, then awaits a promise that must have settled. */
export async function now<T>(clock: VirtualClock, promise: Promise<T>): Promise<T> {
  // Handled here at once: it may reject while the clock runs.
  promise.catch(() => undefined);
  await clock.settle();
  if ((await stateOf(promise)) === "pending") throw new Error("the promise is still pending");
  return await promise;
}

/** What a promise ended with, its rejection included. */
export function outcome(promise: Promise<unknown>): Promise<unknown> {
  return promise.catch((error: unknown) => error);
}

/** The code of a typed error that a call throws. */
export function codeOf(call: () => unknown): ErrorCode | "no error" {
  try {
    call();
  } catch (error) {
    if (error instanceof MessagingError) return error.code;
    throw error;
  }
  return "no error";
}

/** Text as bytes. */
export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

type NetworkAnswer = (endpoint: Endpoint, count: number) => FakeServer | Error | "silence";

/** A plain dial without a network behind it. */
class Network {
  readonly #clock: VirtualClock;
  readonly #dials: Dial[];
  readonly #answer: NetworkAnswer;

  constructor(clock: VirtualClock, dials: Dial[], answer: NetworkAnswer) {
    this.#clock = clock;
    this.#dials = dials;
    this.#answer = answer;
  }

  platform(random: () => number): Platform {
    const noise = seededRandom(1);
    return {
      clock: this.#clock,
      text: webText(),
      kinds: ["tcp", "tls", "ws", "wss"],
      randomBytes: (count) => new Uint8Array(count).map(() => Math.floor(noise() * 256)),
      random,
      dial: (endpoint, options, handler) => this.#dial(endpoint, options, handler),
    };
  }

  #dial(endpoint: Endpoint, options: DialOptions, handler: TransportHandler): ReturnType<Platform["dial"]> {
    this.#dials.push({ endpoint, options, atMs: this.#clock.nowMs() });
    const answer = this.#answer(endpoint, this.#dials.length);
    const dial = async (): ReturnType<Platform["dial"]> => {
      if (answer instanceof Error) throw answer;
      if (answer === "silence") return await new Promise(() => undefined);
      return answer.connect(handler);
    };
    return dialThroughHook(this.#clock, endpoint, { ...options, dial: options.dial ?? dial }, handler);
  }
}
