// Hot path: runs for every message that a client publishes.
import type { Writable } from "node:stream";
import { Progress } from "../../harness/progress.ts";
import { AckBatch } from "../wire/ack-batch.ts";
import { FIRST_BYTE, type Qos } from "../wire/frames.ts";
import type { StubRole } from "./role.ts";

const PACKET_IDS = 65_536;

/**
 * Receives a client's messages and acknowledges them, one write per chunk. Refuses a packet id that is still in use and
 * PUBREL packets out of the order of their messages ([MQTT-4.6.0-4]).
 */
export class Sink implements StubRole {
  readonly #socket: Writable;
  readonly #qos: Qos;
  readonly #progress: Progress = new Progress();
  readonly #acks: AckBatch = new AckBatch();
  /** QoS 1: in which chunk an id came last; it is free again once that chunk's acknowledgements are sent. */
  readonly #chunkOfId: Uint32Array = new Uint32Array(PACKET_IDS);
  #chunk = 1;
  /** QoS 2: the ids between PUBLISH and PUBREL, in order. */
  readonly #awaitingRelease: Uint16Array = new Uint16Array(PACKET_IDS);
  readonly #inUse: Uint8Array = new Uint8Array(PACKET_IDS);
  #released = 0;
  #received = 0;

  constructor(socket: Writable, qos: Qos) {
    this.#socket = socket;
    this.#qos = qos;
  }

  get total(): number {
    return this.#progress.total;
  }

  begin(count: number, mark: number): Promise<number> {
    return this.#progress.begin(count, mark);
  }

  onPublishes(count: number, ids: Uint16Array): void {
    if (this.#qos === 2) this.#receiveQos2(count, ids);
    else {
      if (this.#qos === 1) this.#receiveQos1(count, ids);
      this.#progress.advance(count);
    }
  }

  onAck(firstByte: number, packetId: number): void {
    if (firstByte !== FIRST_BYTE.pubrel || this.#released === this.#received) throw new Error("an ack out of place");
    const expected = this.#awaitingRelease[this.#released % PACKET_IDS];
    if (packetId !== expected) throw new Error(`PUBREL ${packetId} where ${expected} is due`);
    this.#released += 1;
    this.#inUse[packetId] = 0;
    this.#acks.add(FIRST_BYTE.pubcomp, packetId);
    this.#progress.advance(1);
  }

  afterChunk(): void {
    this.#acks.flush(this.#socket);
    this.#chunk += 1;
  }

  #receiveQos1(count: number, ids: Uint16Array): void {
    for (let index = 0; index < count; index += 1) {
      const id = ids[index] ?? 0;
      if (this.#chunkOfId[id] === this.#chunk) throw new Error(`packet id ${id} is used twice at a time`);
      this.#chunkOfId[id] = this.#chunk;
      this.#acks.add(FIRST_BYTE.puback, id);
    }
  }

  #receiveQos2(count: number, ids: Uint16Array): void {
    for (let index = 0; index < count; index += 1) {
      const id = ids[index] ?? 0;
      if (this.#inUse[id] === 1) throw new Error(`packet id ${id} is used twice at a time`);
      this.#inUse[id] = 1;
      this.#awaitingRelease[this.#received % PACKET_IDS] = id;
      this.#received += 1;
      this.#acks.add(FIRST_BYTE.pubrec, id);
    }
  }
}
