/** Servers that say hello as some product does, and then nothing: played by scripts, byte by byte. */

import { ScriptedPeer } from "../testing/scripted-peer.ts";
import { memoryPair } from "../transport/memory.ts";
import type { DialHook } from "../transport/platform.ts";
import { type Client, connect } from "./index.ts";
import type { Dialect } from "./protocol.ts";

/** A client whose server answers nothing any more. */
export async function clientOfSilence(protocol: "amqp091" | "amqp10", product: string): Promise<Client> {
  const hello = protocol === "amqp091" ? hello091 : hello10;
  const measure = protocol === "amqp091" ? measure091 : measure10;
  const dial: DialHook = (_endpoint, _options, handler) => {
    const pair = memoryPair();
    const peer = new ScriptedPeer(measure);
    peer.use(pair.server.attach(peer));
    void hello(peer, product);
    return Promise.resolve(pair.client.attach(handler));
  };
  const url: string = protocol === "amqp091" ? "amqp://h" : "amqp10://h";
  return await connect(url, { dial, reconnect: false });
}

/** The dialect of a product. */
export const PRODUCTS: Readonly<Record<string, Dialect>> = {
  RabbitMQ: "rabbitmq",
  FluxMQ: "fluxmq",
  polymq: "polymq",
  "apache-activemq-artemis": "artemis",
  ActiveMQ: "activemq",
  another: "amqp10",
};

/** AMQP 0-9-1 §4.2: the header, start, tune, and open-ok. */
async function hello091(peer: ScriptedPeer, product: string): Promise<void> {
  await peer.expect(new Uint8Array([0x41, 0x4d, 0x51, 0x50, 0, 0, 9, 1]), "header");
  const table = [...short("product"), 0x53, ...long(product)];
  peer.send(method([0, 10, 0, 10, 0, 9, ...length(table.length), ...table, ...long("PLAIN"), ...long("en_US")]));
  await peer.nextFrame();
  peer.send(method([0, 10, 0, 30, 0x07, 0xff, 0, 2, 0, 0, 0, 0]));
  await peer.nextFrame();
  await peer.nextFrame();
  peer.send(method([0, 10, 0, 41, 0]));
}

/** AMQP 1.0 §2.4: the header and open; SASL is for whoever has a user name. */
async function hello10(peer: ScriptedPeer, product: string): Promise<void> {
  const header = new Uint8Array([0x41, 0x4d, 0x51, 0x50, 0, 1, 0, 0]);
  await peer.expect(header, "header");
  peer.send(header);
  await peer.nextFrame();
  const key = [0xa3, ...short("product")];
  const value = [0xa1, ...short(product)];
  const properties = [0xc1, key.length + value.length + 1, 2, ...key, ...value];
  // container-id, seven fields that say nothing, properties
  const fields = [0xa1, 1, 0x78, ...Array.from({ length: 8 }, () => 0x40), ...properties];
  const body = [0x00, 0x53, 0x10, 0xc0, fields.length + 1, 10, ...fields];
  peer.send(new Uint8Array([...length(body.length + 8), 2, 0, 0, 0, ...body]));
}

function measure091(buffer: Uint8Array, at: number, end: number): number {
  if (end - at < 8) return 0;
  if (buffer[at] === 0x41) return 8;
  return 8 + new DataView(buffer.buffer, buffer.byteOffset + at).getUint32(3);
}

function measure10(buffer: Uint8Array, at: number, end: number): number {
  if (end - at < 8) return 0;
  if (buffer[at] === 0x41) return 8;
  return new DataView(buffer.buffer, buffer.byteOffset + at).getUint32(0);
}

function method(payload: readonly number[]): Uint8Array {
  return new Uint8Array([1, 0, 0, ...length(payload.length), ...payload, 0xce]);
}

function short(text: string): number[] {
  return [text.length, ...new TextEncoder().encode(text)];
}

function long(text: string): number[] {
  return [...length(text.length), ...new TextEncoder().encode(text)];
}

function length(count: number): number[] {
  return [0, 0, count >> 8, count & 0xff];
}
