/** A server with a coordinator: what is sent in a transaction is stored, and what is settled in it counts, once it is committed. */
import { MessageView } from "../../codec/message-view.ts";
import type { DeliveryState } from "../../codec/tables.ts";
import type { AmqpValue, Described } from "../../codec/values.ts";
import type { ReceivedDelivery } from "../../engine/deliveries.ts";
import { type Names, text } from "../../engine/engine.test-support.ts";
import { type LabServer, textOfBytes } from "../client-lab.test-support.ts";

/** Descriptors of what a coordinator is told (§4.5.5, §4.5.6). */
const DECLARE = 0x31;

interface Work {
  readonly stored: string[];
  readonly settled: [string, string][];
}

export class TransactionServer {
  readonly stored: string[] = [];
  readonly settled: [string, string][] = [];
  /** What the coordinator was told, in order: `declare`, `commit <id>`, `rollback <id>`. */
  readonly told: string[] = [];
  /** How the next discharge is answered; by default it is done. */
  onDischarge: ((delivery: ReceivedDelivery<Names>) => void) | null = null;
  readonly #open = new Map<string, Work>();
  #next = 1;

  /** True while transactions are open. */
  get open(): number {
    return this.#open.size;
  }

  attach(server: LabServer): void {
    server.outcome = (delivery) => this.#onDelivery(delivery);
    server.onOutcome = (delivery, state, settled) => {
      server.outcomes.push([delivery.item, (state as DeliveryState | null)?.type ?? null, settled]);
      if (state === null || !("type" in state)) return;
      if (state.type !== "transactionalState") return void this.settled.push([delivery.item, state.type]);
      const outcome = state.outcome as DeliveryState;
      this.#open.get(idOf(state.txnId))?.settled.push([delivery.item, outcome.type]);
    };
  }

  #onDelivery(delivery: ReceivedDelivery<Names>): void {
    const target = delivery.link.remote?.target as { type?: string } | null;
    const view = new MessageView(text, delivery.payload);
    if (target?.type === "coordinator") return this.#onRequest(delivery, view);
    const data = textOfBytes(view.data);
    const { state } = delivery;
    if (state === null || !("type" in state) || state.type !== "transactionalState") {
      this.stored.push(data);
      return void delivery.link.settle(delivery, { type: "accepted" });
    }
    const work = this.#open.get(idOf(state.txnId));
    const error = { type: "error", condition: "amqp:transaction:unknown-id" } as const;
    if (work === undefined) return void delivery.link.settle(delivery, { type: "rejected", error } as never);
    work.stored.push(data);
    const outcome = data === "bad" ? ({ type: "rejected", error: null } as const) : ({ type: "accepted" } as const);
    delivery.link.settle(delivery, { type: "transactionalState", txnId: state.txnId, outcome });
  }

  #onRequest(delivery: ReceivedDelivery<Names>, view: MessageView): void {
    const body = view.body as { type: "value"; value: Described };
    const code = (body.value.descriptor as { value: number }).value;
    if (code === DECLARE) {
      const id = `tx-${this.#next++}`;
      this.#open.set(id, { stored: [], settled: [] });
      this.told.push("declare");
      return void delivery.link.settle(delivery, { type: "declared", txnId: bytesOf(id) });
    }
    const [txnId, fail] = body.value.value as [AmqpValue, boolean | undefined];
    const id = idOf(txnId);
    this.told.push(`${fail === true ? "rollback" : "commit"} ${id}`);
    if (this.onDischarge !== null) return this.onDischarge(delivery);
    const work = this.#open.get(id);
    this.#open.delete(id);
    if (work !== undefined && fail !== true) {
      this.stored.push(...work.stored);
      this.settled.push(...work.settled);
    }
    delivery.link.settle(delivery, { type: "accepted" });
  }
}

function bytesOf(id: string): Uint8Array {
  return new TextEncoder().encode(id);
}

function idOf(id: AmqpValue): string {
  return id instanceof Uint8Array ? textOfBytes(id) : String(id);
}
