import { isMessagingError, MqttClient, type MqttClientOptions, type MqttMessage, type QoS } from "polymq/mqtt";

/*
 * Runs inside a browser: the page that the browser test serves. What it does there is called from the test by name, with
 * arguments and results that JSON can hold.
 */

/** Which broker, as a test names it. */
export interface PageTarget {
  readonly url: string;
  readonly level: 4 | 5;
}

/** What the test calls. */
export interface PageTests {
  /** Publishes at every QoS and closes; resolves with the number of acknowledged publishes. */
  publishOnly(target: PageTarget): Promise<number>;
  exchange(target: PageTarget & { readonly qos: QoS; readonly count: number }): Promise<ExchangeReport>;
  largePayload(
    target: PageTarget & { readonly bytes: number },
  ): Promise<{ readonly same: boolean; readonly length: number }>;
  iterate(
    target: PageTarget & { readonly count: number },
  ): Promise<{ readonly texts: readonly string[]; readonly ended: boolean }>;
  properties(target: PageTarget): Promise<{ readonly userProperties: readonly unknown[]; readonly answer: string }>;
  queue(
    target: PageTarget & { readonly count: number },
  ): Promise<{ readonly texts: readonly string[]; readonly offsets: readonly number[] }>;
  /** The error of a publish into a queue: its code and retry advice. */
  queueRefused(target: PageTarget): Promise<readonly string[]>;
  /** Resolves with a running exchange's ledger, over connections that break meanwhile. */
  steady(target: PageTarget & { readonly qos: 1 | 2; readonly count: number }): Promise<SteadyReport>;
  refused(
    options: Pick<MqttClientOptions, "servers" | "username" | "password" | "webSocket">,
  ): Promise<readonly unknown[]>;
  globals(): { readonly buffer: string; readonly process: string; readonly require: string };
}

export interface ExchangeReport {
  readonly version: 4 | 5 | null;
  readonly texts: readonly string[];
  readonly levels: readonly number[];
}

export interface SteadyReport {
  readonly texts: readonly string[];
  readonly connects: number;
  readonly lost: readonly string[];
}

const pageTests: PageTests = {
  async publishOnly(target) {
    const client = await connected(target);
    const published = ([0, 1, 2] as const).map((qos) => client.publish("browser/published", "x", { qos }));
    await client.close();
    return (await Promise.all(published)).length;
  },

  async exchange({ qos, count, ...target }) {
    const client = await connected(target);
    const version = client.protocolVersion;
    const all = collector(count);
    await client.subscribe("browser/+", { qos, handler: all.take });
    await Promise.all(numbered(count).map((text) => client.publish("browser/exchange", text, { qos })));
    const messages = await all.done;
    await client.close();
    return {
      version,
      texts: messages.map((message) => message.text()),
      levels: messages.map((message) => message.qos),
    };
  },

  async largePayload({ bytes, ...target }) {
    const client = await connected(target);
    const payload = new Uint8Array(bytes);
    for (let index = 0; index < bytes; index++) payload[index] = (index * 31) >>> 3;
    const all = collector(1);
    await client.subscribe("browser/large", { qos: 2, handler: all.take });
    await client.publish("browser/large", payload, { qos: 2 });
    const [message] = await all.done;
    const came = message?.payload ?? new Uint8Array(0);
    const same = came.length === bytes && came.every((byte, index) => byte === payload[index]);
    await client.close();
    return { same, length: came.length };
  },

  async iterate({ count, ...target }) {
    const client = await connected(target);
    const subscription = await client.subscribe("browser/iterate", { qos: 1 });
    for (const text of numbered(count)) await client.publish("browser/iterate", text, { qos: 1 });
    const texts: string[] = [];
    for await (const message of subscription) {
      texts.push(message.text());
      if (texts.length === count) break;
    }
    await client.close();
    return { texts, ended: subscription.ended };
  },

  async properties(target) {
    const client = await connected(target);
    const all = collector(1);
    await client.subscribe("browser/properties", { handler: all.take });
    await client.publish("browser/properties", "x", { properties: { userProperties: { a: ["1", "2"], ü: "3" } } });
    const [message] = await all.done;
    await client.respond("browser/question", (request) => `${request.text()}!`);
    const answer = await client.request("browser/question", "well");
    await client.close();
    return { userProperties: message?.userProperties ?? [], answer: answer.text() };
  },

  async queue({ count, ...target }) {
    const client = await connected(target);
    const queue = `browser-${crypto.randomUUID()}`;
    const payload = new Uint8Array(20);
    // All at once, while the part is being loaded; the bytes are written over meanwhile.
    const published = numbered(count).map((text) => {
      const { written } = new TextEncoder().encodeInto(text, payload);
      return client.publishToQueue(queue, payload.subarray(0, written));
    });
    await Promise.all(published);
    const subscription = await client.subscribeToQueue(queue, "workers");
    const texts: string[] = [];
    const offsets: number[] = [];
    for await (const message of subscription) {
      texts.push(message.text());
      offsets.push(message.offset);
      if (texts.length === count) break;
    }
    await client.close();
    return { texts, offsets };
  },

  async queueRefused(target) {
    const client = await connected(target);
    const refused = await client.publishToQueue("orders", "x").then(
      () => ["published"],
      (error: unknown) => (isMessagingError(error) ? [error.code, error.retry] : [String(error)]),
    );
    await client.close();
    return refused;
  },

  async steady({ qos, count, ...target }) {
    const client = await connected(target, { cleanStart: false, sessionExpirySeconds: target.level === 5 ? 300 : 0 });
    let connects = 1;
    const lost: string[] = [];
    client.on("connect", () => connects++);
    client.on("connectionLost", ({ error }) => lost.push(error.code));
    const all = collector(count);
    await client.subscribe("browser/steady", { qos, handler: all.take });
    // One after the other, so that there is time for the connection to break in between.
    for (const text of numbered(count)) await client.publish("browser/steady", text, { qos });
    const texts = (await all.done).map((message) => message.text());
    await client.close();
    return { texts, connects, lost };
  },

  async refused(options) {
    const client = new MqttClient({ clientId: "stranger", ...options });
    try {
      await client.connect();
      return ["connected"];
    } catch (error) {
      return isMessagingError(error) ? [error.code, error.peer?.code ?? null] : [String(error)];
    } finally {
      await client.destroy();
    }
  },

  globals() {
    const scope = globalThis as Readonly<Record<string, unknown>>;
    return { buffer: typeof scope["Buffer"], process: typeof scope["process"], require: typeof scope["require"] };
  },
};

Object.assign(globalThis, { pageTests });

async function connected(target: PageTarget, options: Partial<MqttClientOptions> = {}): Promise<MqttClient> {
  const client = new MqttClient({
    servers: target.url,
    protocolVersion: target.level,
    clientId: `page-${crypto.randomUUID()}`,
    reconnect: { initialDelayMs: 20, maxDelayMs: 200, jitter: "none" },
    ...options,
  });
  await client.connect();
  return client;
}

/** Collects `count` different messages; one that comes again (QoS 1) is kept as well. */
function collector(count: number): {
  take(message: MqttMessage): void;
  readonly done: Promise<readonly MqttMessage[]>;
} {
  const messages: MqttMessage[] = [];
  const different = new Set<string>();
  let finish: (messages: readonly MqttMessage[]) => void = () => {};
  const done = new Promise<readonly MqttMessage[]>((resolve) => {
    finish = resolve;
  });
  const take = (message: MqttMessage): void => {
    messages.push(message);
    different.add(message.text());
    if (different.size === count) finish(messages);
  };
  return { take, done };
}

function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `message ${index}`);
}
