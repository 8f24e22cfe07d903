import type { Writable } from "node:stream";
import { encodeConnack, encodePingresp, encodeSuback, FIRST_BYTE, type ProtocolLevel } from "../wire/frames.ts";
import { comparisonRing, type MessageShape } from "../wire/publish-ring.ts";
import { StreamChecker, type StreamHandler } from "../wire/stream-checker.ts";
import { Echo } from "./echo.ts";
import type { StubRole } from "./role.ts";
import { Sink } from "./sink.ts";
import { Source } from "./source.ts";

/** Which part the stub server plays. */
export type StubPart = "sink" | "source" | "echo";

/** What the stub server is to expect. */
export interface StubPlan {
  readonly part: StubPart;
  readonly shape: MessageShape;
}

/** The server's end of one connection: answers the handshake and hands the messages, checked, to its role. */
export class StubConnection implements StreamHandler {
  readonly role: StubRole;
  readonly #socket: Writable;
  readonly #level: ProtocolLevel;
  readonly #checker: StreamChecker;
  /** Whether the chunk at hand holds anything but messages and their acknowledgements. */
  #hasControl = false;

  constructor(socket: Writable, plan: StubPlan) {
    this.#socket = socket;
    this.#level = plan.shape.level;
    this.#checker = new StreamChecker(comparisonRing(plan.shape), this);
    this.role = roleFor(socket, plan);
  }

  /** True when what was received ends on the border of a packet. */
  get isWhole(): boolean {
    return this.#checker.isWhole;
  }

  onChunk(chunk: Buffer): void {
    this.#hasControl = false;
    this.#checker.feed(chunk);
    this.role.afterChunk(this.#hasControl ? null : chunk);
  }

  onPublishes(count: number, ids: Uint16Array): void {
    this.role.onPublishes(count, ids);
  }

  onAck(firstByte: number, packetId: number): void {
    this.role.onAck(firstByte, packetId);
  }

  onFrame(frame: Uint8Array): void {
    this.#hasControl = true;
    switch (frame[0]) {
      case FIRST_BYTE.connect:
        this.#socket.write(encodeConnack(this.#level));
        return;
      case FIRST_BYTE.subscribe:
        this.#socket.write(
          encodeSuback(this.#level, ((frame[2] ?? 0) << 8) | (frame[3] ?? 0), (frame.at(-1) ?? 0) & 3),
        );
        return;
      case FIRST_BYTE.pingreq:
        this.#socket.write(encodePingresp());
        return;
      case FIRST_BYTE.disconnect:
        return;
      default:
        throw new Error(`an unexpected packet: [${frame}]`);
    }
  }
}

function roleFor(socket: Writable, { part, shape }: StubPlan): StubRole {
  if (part === "sink") return new Sink(socket, shape.qos);
  return part === "source" ? new Source(socket, shape) : new Echo(socket);
}
