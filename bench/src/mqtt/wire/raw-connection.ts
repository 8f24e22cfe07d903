import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { encodeConnect, encodeSubscribe, FIRST_BYTE, type ProtocolLevel, type Qos } from "./frames.ts";

const CHUNK_BYTES = 65_536;

/** A raw MQTT connection: the handshake is done with pre-encoded packets, then every byte goes to `onChunk`. */
export interface RawConnection {
  readonly socket: Socket;
  /** Takes each chunk from the moment it is set; the chunk's memory is reused afterwards. */
  onChunk: (chunk: Buffer) => void;
}

/** How to connect. */
export interface RawTarget {
  readonly port: number;
  readonly level: ProtocolLevel;
  readonly clientId: string;
}

/** Connects with TCP_NODELAY and one read buffer for the connection's life, and waits for an accepting CONNACK. */
export async function openRaw(target: RawTarget): Promise<RawConnection> {
  const buffer = Buffer.alloc(CHUNK_BYTES);
  const raw: { socket: Socket | null; onChunk: (chunk: Buffer) => void } = { socket: null, onChunk: () => undefined };
  const socket = connect({
    host: "127.0.0.1",
    port: target.port,
    noDelay: true,
    onread: {
      buffer,
      callback: (bytes: number) => {
        raw.onChunk(buffer.subarray(0, bytes));
        return true;
      },
    },
  });
  await once(socket, "connect");
  socket.once("end", () => {
    if (!socket.writableEnded) throw new Error("the server closed the connection"); // a fault of the whole process
  });
  const connection: RawConnection = Object.assign(raw, { socket });
  const connack = answer(connection, FIRST_BYTE.connack);
  socket.write(encodeConnect(target.level, target.clientId));
  if ((await connack)[3] !== 0) throw new Error("the server refuses the connection");
  return connection;
}

/** Subscribes to one filter; throws unless exactly `qos` is granted. `onChunk` may be set as soon as this resolves. */
export async function subscribeRaw(
  connection: RawConnection,
  level: ProtocolLevel,
  filter: string,
  qos: Qos,
): Promise<void> {
  const suback = answer(connection, FIRST_BYTE.suback);
  connection.socket.write(encodeSubscribe(level, filter, qos));
  const granted = (await suback).at(-1);
  if (granted !== qos) throw new Error(`the server grants ${granted} instead of QoS ${qos}`);
}

/** The next packet, which must be of the given type and come alone: nothing else is due during the handshake. */
function answer(connection: RawConnection, firstByte: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0);
    connection.onChunk = (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 2 || received.length < 2 + (received[1] ?? 0)) return;
      if (received[0] === firstByte && received.length === 2 + (received[1] ?? 0)) resolve(received);
      else reject(new Error(`an unexpected answer: [${[...received]}]`));
    };
  });
}
