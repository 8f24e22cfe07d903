/**
 * The process that the crash test kills: a client with a durable store publishes and receives at QoS 2, and the process ends itself
 * with SIGKILL at one call of the store. Arguments: port, database folder, which operation (such as `putPublish 2`, the second of its
 * kind; the call that carries it is meant), "before" or "after". It writes a line for each thing that it told its application.
 */
import { writeSync } from "node:fs";
import { ClassicLevel } from "classic-level";
import { LevelStore } from "../../store/level-store.ts";
import type { MessageStore, StoredSession, StoreOperation } from "../../store/message-store.ts";
import { MqttClient } from "../index.ts";

const [port = "", folder = "", operation = "", when = ""] = process.argv.slice(2);

/** Kills the process before or after the write with one operation has reached the database. */
class KillingStore implements MessageStore {
  readonly #store: MessageStore;
  readonly #counts = new Map<string, number>();

  constructor(store: MessageStore) {
    this.#store = store;
  }

  open(clientId: string): Promise<StoredSession> {
    return this.#store.open(clientId);
  }

  async write(operations: readonly StoreOperation[]): Promise<void> {
    let last = false;
    for (const { op } of operations) {
      const count = (this.#counts.get(op) ?? 0) + 1;
      this.#counts.set(op, count);
      say(`store ${op} ${count}`);
      if (`${op} ${count}` === operation) last = true;
    }
    if (last && when === "before") await die();
    await this.#store.write(operations);
    if (last) await die();
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}

function say(line: string): void {
  writeSync(1, `${line}\n`);
}

async function die(): Promise<never> {
  process.kill(process.pid, "SIGKILL");
  return await new Promise<never>(() => undefined);
}

const store = new LevelStore({ database: new ClassicLevel(folder) });
const client = new MqttClient({
  servers: `mqtt://127.0.0.1:${port}`,
  clientId: "crash",
  protocolVersion: 5,
  cleanStart: false,
  sessionExpirySeconds: 3_600,
  store: new KillingStore(store),
});
await client.connect();
const received = new Promise<void>((resolve) => {
  const handler = (message: { text(): string }): void => {
    say(`got ${message.text()}`);
    resolve();
  };
  client.subscribe("in", { qos: 2, handler }).catch((error: unknown) => say(`failed ${String(error)}`));
});
const publish = async (text: string, qos: 1 | 2): Promise<void> => {
  await client.publish("out", text, { qos });
  say(`done ${text}`);
};
await Promise.all([publish("two", 2), publish("one", 1), received]);
await client.close();
say("end");
