import type { Writable } from "node:stream";
import { Progress } from "../../harness/progress.ts";
import type { StubRole } from "./role.ts";

/** Sends every QoS 0 message back as it came: an outbound PUBLISH has the same bytes. */
export class Echo implements StubRole {
  readonly #socket: Writable;
  readonly #progress: Progress = new Progress();
  #echoed = 0;

  constructor(socket: Writable) {
    this.#socket = socket;
  }

  get total(): number {
    return this.#progress.total;
  }

  begin(count: number, mark: number): Promise<number> {
    return this.#progress.begin(count, mark);
  }

  onPublishes(count: number): void {
    this.#progress.advance(count);
  }

  onAck(): void {
    throw new Error("an acknowledgement of a QoS 0 message");
  }

  afterChunk(chunk: Buffer | null): void {
    if (chunk !== null) this.#socket.write(chunk);
    else if (this.#progress.total > this.#echoed) throw new Error("messages and control packets in one chunk");
    this.#echoed = this.#progress.total;
  }
}
