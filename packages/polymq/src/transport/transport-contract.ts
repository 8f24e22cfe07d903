import { deferred } from "../base/deferred.ts";
import { isMessagingError } from "../base/errors.ts";
import type { Transport, TransportHandler } from "./transport.ts";

/** One end of a connection under test, with all that it was told. */
export interface ContractEnd {
  readonly transport: Transport;
  readonly heard: Recorder;
}

/** A fresh connection for one case. */
export interface ContractLink {
  /** The end that the case is about. */
  readonly subject: ContractEnd;
  readonly peer: ContractEnd;
  /** The peer ends its sending side in order, as far down as it can. */
  endPeer(): void;
  /** The peer breaks the connection without an orderly end. */
  breakPeer(): void;
}

/** One promise of {@link Transport}, as a check that any implementation must pass. */
export interface ContractCase {
  /** The behaviour, as a sentence. */
  readonly name: string;
  /** Not possible where the runtime has no way to stop a peer, as in browsers. */
  readonly needsBackpressure: boolean;
  /** Resolves when the transport has done as it should, rejects with what it did otherwise. */
  run(link: ContractLink): Promise<void>;
}

/** A handler that keeps what it is told and lets a case wait for it. */
export class Recorder implements TransportHandler {
  readonly chunks: Uint8Array[] = [];
  /** Copies made when each chunk came, to see that none is written again. */
  readonly copies: Uint8Array[] = [];
  bytes = 0;
  drains = 0;
  /** One entry per `onClosed`. */
  readonly ends: (Error | null)[] = [];
  /** Upcalls after `onClosed`, which there must not be. */
  late = 0;
  /** Called inside each `onBytes`. */
  react: () => void = noop;
  #changed = deferred<void>();

  onBytes(chunk: Uint8Array): void {
    this.late += this.ends.length > 0 ? 1 : 0;
    this.chunks.push(chunk);
    this.copies.push(chunk.slice());
    this.bytes += chunk.length;
    this.react();
    this.#wake();
  }

  onDrain(): void {
    this.late += this.ends.length > 0 ? 1 : 0;
    this.drains++;
    this.#wake();
  }

  onClosed(error: Error | null): void {
    this.ends.push(error);
    this.#wake();
  }

  /** Resolves once `ready` is true; looked at after each upcall. */
  async until(ready: () => boolean): Promise<void> {
    while (!ready()) await this.#changed.promise;
  }

  /** All bytes so far in one piece. */
  all(): Uint8Array {
    const whole = new Uint8Array(this.bytes);
    let at = 0;
    for (const copy of this.copies) {
      whole.set(copy, at);
      at += copy.length;
    }
    return whole;
  }

  #wake(): void {
    const changed = this.#changed;
    this.#changed = deferred();
    changed.resolve();
  }
}

/** Every promise that {@link Transport} makes; a test file per implementation runs them all. */
export const transportContract: readonly ContractCase[] = [
  {
    name: "bytes arrive complete and in order, both ways at once",
    needsBackpressure: false,
    run: async ({ subject, peer }) => {
      const out = pattern(200_000, 1);
      const back = pattern(150_000, 2);
      let sent = 0;
      for (let size = 1; sent < out.length; size = (size * 7) % 4_093) {
        subject.transport.write(out.subarray(sent, sent + size));
        peer.transport.write(back.subarray(Math.min(sent, back.length), Math.min(sent + size, back.length)));
        sent += size;
      }
      await peer.heard.until(() => peer.heard.bytes >= out.length);
      await subject.heard.until(() => subject.heard.bytes >= back.length);
      checkSame(peer.heard.all(), out);
      checkSame(subject.heard.all(), back);
    },
  },
  {
    name: "one write of 8 MiB arrives whole",
    needsBackpressure: false,
    run: async ({ subject, peer }) => {
      const big = pattern(8_388_608, 3);
      subject.transport.write(big);
      await peer.heard.until(() => peer.heard.bytes >= big.length);
      checkSame(peer.heard.all(), big);
    },
  },
  {
    name: "a buffer may be written again as soon as write returned true",
    needsBackpressure: false,
    run: async ({ subject, peer }) => {
      const wanted = pattern(4_000, 4);
      const buffer = new Uint8Array(40);
      for (let at = 0; at < wanted.length; at += 40) {
        buffer.set(wanted.subarray(at, at + 40));
        const free = subject.transport.write(buffer);
        if (!free) await subject.heard.until(() => subject.transport.bufferedBytes === 0);
        buffer.fill(0xee);
      }
      await peer.heard.until(() => peer.heard.bytes >= wanted.length);
      checkSame(peer.heard.all(), wanted);
    },
  },
  {
    name: "write returns false when the peer does not read; one onDrain follows when everything is out",
    needsBackpressure: true,
    run: async ({ subject, peer }) => {
      peer.transport.pause();
      const sent = await fill(subject);
      check(subject.transport.bufferedBytes > 0, "bufferedBytes counts what is held");
      check(subject.heard.drains === 0, "no drain while the peer does not read");
      peer.transport.resume();
      await subject.heard.until(() => subject.heard.drains > 0);
      check(subject.transport.bufferedBytes === 0, "nothing is held at onDrain");
      await peer.heard.until(() => peer.heard.bytes >= sent);
      await turns();
      check(subject.heard.drains === 1, `one drain, not ${subject.heard.drains}`);
    },
  },
  {
    name: "no onDrain comes without a write that returned false",
    needsBackpressure: false,
    run: async ({ subject, peer }) => {
      let free = true;
      for (let i = 0; i < 20 && free; i++) {
        free = subject.transport.write(pattern(10, i));
        await peer.heard.until(() => peer.heard.bytes >= (i + 1) * 10);
      }
      await turns();
      check(subject.heard.drains === (free ? 0 : 1), `${subject.heard.drains} drains`);
    },
  },
  {
    name: "after pause little more comes and the peer feels it; resume brings the rest",
    needsBackpressure: true,
    run: async ({ subject, peer }) => {
      subject.transport.pause();
      const sent = await fill(peer);
      check(subject.heard.bytes < sent, "not everything came while paused");
      subject.transport.resume();
      await subject.heard.until(() => subject.heard.bytes >= sent);
      check(subject.heard.bytes === sent, "everything came once");
    },
  },
  {
    name: "a chunk handed to onBytes is never written again",
    needsBackpressure: false,
    run: async ({ subject, peer }) => {
      const wanted = pattern(300_000, 5);
      for (let at = 0; at < wanted.length; at += 10_000) {
        peer.transport.write(wanted.subarray(at, at + 10_000));
        await turn();
      }
      await subject.heard.until(() => subject.heard.bytes >= wanted.length);
      for (const [index, chunk] of subject.heard.chunks.entries()) {
        checkSame(chunk, subject.heard.copies[index] as Uint8Array);
      }
    },
  },
  {
    name: "close sends what was written, then both sides hear onClosed(null) once",
    needsBackpressure: false,
    run: async ({ subject, peer }) => {
      const last = pattern(1_000_000, 6);
      subject.transport.write(last);
      subject.transport.close();
      check(subject.heard.ends.length === 0, "onClosed inside close()");
      await bothEnded(subject, peer);
      checkSame(peer.heard.all(), last);
      checkEnds(subject, null);
      checkEnds(peer, null);
    },
  },
  {
    name: "close works while reading is paused and input waits",
    needsBackpressure: false,
    run: async ({ subject, peer }) => {
      subject.transport.pause();
      peer.transport.write(pattern(100_000, 7));
      await turns();
      subject.transport.write(pattern(1_000, 8));
      subject.transport.close();
      await bothEnded(subject, peer);
      checkSame(peer.heard.all(), pattern(1_000, 8));
      checkEnds(subject, null);
      checkEnds(peer, null);
    },
  },
  {
    name: "destroy ends at once; onClosed(null) comes once and not inside the call",
    needsBackpressure: false,
    run: async ({ subject, peer }) => {
      subject.transport.destroy();
      check(subject.heard.ends.length === 0, "onClosed inside destroy()");
      subject.transport.destroy();
      await bothEnded(subject, peer);
      checkEnds(subject, null);
    },
  },
  {
    name: "destroy with an error hands that very error to onClosed",
    needsBackpressure: false,
    run: async ({ subject, peer }) => {
      const error = new Error("my reason");
      subject.transport.destroy(error);
      subject.transport.destroy(new Error("another one"));
      await bothEnded(subject, peer);
      checkEnds(subject, error);
    },
  },
  {
    name: "destroy after close still ends the connection at once",
    needsBackpressure: true,
    run: async ({ subject, peer }) => {
      peer.transport.pause();
      await fill(subject);
      subject.transport.close();
      subject.transport.destroy();
      await subject.heard.until(() => subject.heard.ends.length > 0);
      checkEnds(subject, null);
      peer.transport.resume();
      await peer.heard.until(() => peer.heard.ends.length > 0);
    },
  },
  {
    name: "destroy drops unsent bytes and their drain",
    needsBackpressure: true,
    run: async ({ subject, peer }) => {
      peer.transport.pause();
      const sent = await fill(subject);
      subject.transport.destroy();
      await subject.heard.until(() => subject.heard.ends.length > 0);
      peer.transport.resume();
      await peer.heard.until(() => peer.heard.ends.length > 0);
      check(peer.heard.bytes < sent, "unsent bytes were dropped");
      check(subject.heard.drains === 0, "no drain after destroy");
    },
  },
  {
    name: "after the end every call is harmless and write returns true",
    needsBackpressure: false,
    run: async ({ subject, peer }) => {
      subject.transport.close();
      check(subject.transport.write(pattern(10, 9)), "write after close");
      await bothEnded(subject, peer);
      check(subject.transport.write(pattern(10, 9)), "write after onClosed");
      subject.transport.pause();
      subject.transport.resume();
      subject.transport.close();
      subject.transport.destroy(new Error("too late"));
      await turns();
      checkEnds(subject, null);
      check(peer.heard.bytes === 0, "nothing was sent after the end");
      check(subject.transport.bufferedBytes === 0, "nothing is held after the end");
    },
  },
  {
    name: "no bytes come after destroy was called inside onBytes",
    needsBackpressure: false,
    run: async ({ subject, peer }) => {
      subject.heard.react = () => subject.transport.destroy();
      for (let i = 0; i < 50; i++) peer.transport.write(pattern(30_000, i));
      await subject.heard.until(() => subject.heard.ends.length > 0);
      check(subject.heard.chunks.length === 1, `${subject.heard.chunks.length} chunks`);
    },
  },
  {
    name: "a peer that ends its side is an orderly end, after all its bytes",
    needsBackpressure: false,
    run: async ({ subject, peer, endPeer }) => {
      const last = pattern(300_000, 10);
      peer.transport.write(last);
      endPeer();
      await subject.heard.until(() => subject.heard.ends.length > 0);
      checkSame(subject.heard.all(), last);
      checkEnds(subject, null);
    },
  },
  {
    name: "a connection that breaks is told as ERR_CONNECTION_LOST",
    needsBackpressure: false,
    run: async ({ subject, peer, breakPeer }) => {
      subject.transport.write(pattern(1, 12));
      peer.transport.write(pattern(1, 12));
      await peer.heard.until(() => peer.heard.bytes === 1);
      await subject.heard.until(() => subject.heard.bytes === 1);
      breakPeer();
      await subject.heard.until(() => subject.heard.ends.length > 0);
      await turns();
      const [error] = subject.heard.ends;
      check(isMessagingError(error) && error.code === "ERR_CONNECTION_LOST", `an error, not ${String(error)}`);
      check(subject.heard.ends.length === 1, "told once");
    },
  },
];

/** Writes until the other side's lack of reading is felt; returns the bytes written. */
async function fill(end: ContractEnd): Promise<number> {
  const block = pattern(262_144, 11);
  let sent = 0;
  while (sent < 64 * 1_048_576) {
    const free = end.transport.write(block);
    sent += block.length;
    if (free) continue;
    for (let i = 0; i < TURNS && end.heard.drains === 0; i++) await turn();
    if (end.heard.drains === 0) return sent;
    end.heard.drains = 0;
  }
  throw new Error("64 MiB went out although nobody reads");
}

async function bothEnded(subject: ContractEnd, peer: ContractEnd): Promise<void> {
  await subject.heard.until(() => subject.heard.ends.length > 0);
  await peer.heard.until(() => peer.heard.ends.length > 0);
  await turns();
}

function checkEnds(end: ContractEnd, error: Error | null): void {
  check(end.heard.ends.length === 1, `onClosed told ${end.heard.ends.length} times`);
  check(end.heard.ends[0] === error, `onClosed(${String(end.heard.ends[0])}), not ${String(error)}`);
  check(end.heard.late === 0, "an upcall after onClosed");
}

function checkSame(got: Uint8Array, wanted: Uint8Array): void {
  check(got.length === wanted.length, `${got.length} bytes, not ${wanted.length}`);
  for (let at = 0; at < got.length; at++) {
    if (got[at] !== wanted[at]) throw new Error(`byte ${at} differs`);
  }
}

function check(fact: boolean, what: string): void {
  if (!fact) throw new Error(what);
}

/** Bytes that show any loss, swap or repetition. */
function pattern(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + (i >>> 8) * 17 + seed) & 0xff;
  return bytes;
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** Enough turns of the event loop for whatever is wrong to show. */
const TURNS = 12;

async function turns(): Promise<void> {
  for (let i = 0; i < TURNS; i++) await turn();
}

function noop(): void {}
