import { connect as connectTcp, type Socket } from "node:net";
import { ByteReader, Splitter, webText } from "polymq/internal";
import { type Connect, decodePacket, measurePacket, type Packet } from "polymq/mqtt/codec";
import { connectPacket, encode, type PacketOf } from "./sessions/mqtt/scene.test-support.ts";

/** A client on a real socket that says and answers only what the test says. */
export class SocketClient {
  readonly socket: Socket;
  readonly level: 4 | 5;
  /** Received and not taken yet. */
  readonly packets: Packet[] = [];
  /** Resolves at the connection's end, however it comes. */
  readonly closed: Promise<void>;
  #over = false;
  #wake: (() => void) | null = null;

  private constructor(socket: Socket, level: 4 | 5) {
    this.socket = socket;
    this.level = level;
    const splitter = new Splitter(measurePacket(300_000_000), (buffer, start, end) => {
      this.packets.push(decodePacket(new ByteReader(webText(), buffer.slice(start, end)), level));
      return true;
    });
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => {
      splitter.push(new Uint8Array(chunk));
      this.#wake?.();
    });
    socket.on("error", () => undefined);
    this.closed = new Promise((resolve) => {
      socket.once("close", () => {
        this.#over = true;
        this.#wake?.();
        resolve();
      });
    });
  }

  /** A TCP connection on which nothing was said. */
  static async open(port: number, level: 4 | 5 = 5): Promise<SocketClient> {
    const socket = connectTcp(port, "127.0.0.1");
    const client = new SocketClient(socket, level);
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    return client;
  }

  /** Connects and takes CONNACK. */
  static async connect(port: number, draft: Partial<Omit<Connect, "type">> = {}): Promise<SocketClient> {
    const client = await SocketClient.open(port, draft.level ?? 5);
    client.send(connectPacket(draft));
    const connack = await client.next("connack");
    if (connack.reasonCode !== 0) throw new Error(`refused with ${connack.reasonCode}`);
    return client;
  }

  send(...packets: readonly Packet[]): void {
    for (const packet of packets) this.socket.write(encode(packet, this.level));
  }

  write(bytes: Uint8Array): void {
    this.socket.write(bytes);
  }

  /** Takes the next packet of a type; rejects when the connection ends without one. */
  async next<K extends Packet["type"]>(type: K): Promise<PacketOf<K>> {
    for (;;) {
      const at = this.packets.findIndex((packet) => packet.type === type);
      if (at >= 0) return this.packets.splice(at, 1)[0] as PacketOf<K>;
      if (this.#over) throw new Error(`the connection ended without ${type}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  destroy(): void {
    this.socket.destroy();
  }
}
