import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { FRAME_HEAD_BYTES, long, method, short, table, u8, u16, u32 } from "./amqp-frames.ts";

/** Takes each frame: its kind, and the bytes that hold its payload from `start` to `end`; valid during the call. */
export type FrameHandler = (kind: number, bytes: Buffer, start: number, end: number) => void;

/** One AMQP 0-9-1 connection with one channel. */
export class AmqpConnection {
  readonly socket: Socket;
  onFrame: FrameHandler = () => undefined;
  /** Called after the frames of a chunk. */
  onChunkEnd: () => void = () => undefined;
  #rest: Buffer = Buffer.alloc(0);

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
  }

  /** Opens it as `guest`. */
  static async open(port: number, confirms: "confirms" | "none" = "confirms"): Promise<AmqpConnection> {
    const socket = connect({ host: "127.0.0.1", port, noDelay: true });
    await once(socket, "connect");
    const connection = new AmqpConnection(socket);
    await connection.call(Buffer.from("AMQP\0\0\x09\x01", "latin1"), [10, 10]);
    const login = [table({}), short("PLAIN"), long("\0guest\0guest"), short("en_US")];
    await connection.call(method(0, [10, 11], ...login), [10, 30]);
    socket.write(method(0, [10, 31], u16(2047), u32(131_072), u16(0)));
    await connection.call(method(0, [10, 40], short("/"), short(""), u8(0)), [10, 41]);
    await connection.call(method(1, [20, 10], short("")), [20, 11]);
    if (confirms === "confirms") await connection.call(method(1, [85, 10], u8(0)), [85, 11]);
    return connection;
  }

  /** Sends bytes and waits for one method, which must come next. */
  call(bytes: Buffer, [classId, methodId]: readonly [number, number]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.onFrame = (kind, frame, start) => {
        const [gotClass, gotMethod] = [frame.readUInt16BE(start), frame.readUInt16BE(start + 2)];
        if (kind === 1 && gotClass === classId && gotMethod === methodId) resolve();
        else reject(new Error(`the broker answers with ${kind} ${gotClass}.${gotMethod}`));
      };
      this.socket.write(bytes);
    });
  }

  #take(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (at + FRAME_HEAD_BYTES < bytes.length) {
      const end = at + FRAME_HEAD_BYTES + bytes.readUInt32BE(at + 3);
      if (end >= bytes.length) break;
      this.onFrame(bytes[at] ?? 0, bytes, at + FRAME_HEAD_BYTES, end);
      at = end + 1;
    }
    this.#rest = bytes.subarray(at);
    this.onChunkEnd();
  }
}
