import { type ByteReader, ByteWriter, MessagingError, type TextCodec } from "polymq/internal";
import { RecordDecoder } from "../record-decoder.ts";
import { corrupt } from "../records.ts";
import type { CommitMode, GroupLifetime, GroupMode } from "./queue-port.ts";
import { type QueueSettings, queueSettings } from "./queue-settings.ts";

/** A group as it is stored. */
export interface GroupRecord {
  readonly mode: GroupMode;
  readonly commit: CommitMode;
  readonly lifetime: Exclude<GroupLifetime, "members">;
  readonly name: string;
  readonly filter: string;
  readonly committed: number;
  /** Where the next first delivery is, for each priority; in stream mode only of a group that commits what is settled. */
  readonly positions: readonly number[];
}

/** Writes and reads what is stored of queues besides their messages. */
export class QueueStateCodec {
  readonly #writer: ByteWriter;
  readonly #decoder: RecordDecoder;
  readonly #text: TextCodec;

  constructor(text: TextCodec) {
    this.#text = text;
    this.#writer = new ByteWriter(text, 512);
    this.#decoder = new RecordDecoder(text);
  }

  encodeSettings(settings: QueueSettings): Uint8Array {
    const w = this.#writer;
    const json = JSON.stringify(settings);
    w.at = 0;
    w.reserve(json.length * 3);
    w.utf8(json);
    return w.copyFrom(0);
  }

  /** @throws {MessagingError} ERR_STORE_CORRUPT */
  decodeSettings(value: Uint8Array): QueueSettings {
    try {
      return queueSettings(JSON.parse(this.#text.utf8(value, 0, value.length)));
    } catch (cause) {
      throw new MessagingError("ERR_STORE_CORRUPT", "a stored queue cannot be read", { cause });
    }
  }

  encodeGroup(record: GroupRecord): Uint8Array {
    const w = this.#writer;
    w.at = 0;
    w.reserve(16 + record.positions.length * 8 + (record.name.length + record.filter.length) * 3);
    w.u8(
      (record.mode === "stream" ? STREAM : 0) |
        COMMIT_FLAG[record.commit] |
        (record.lifetime === "passing" ? PASSING : 0),
    );
    putNumber(w, record.committed);
    w.u16(record.positions.length);
    for (const position of record.positions) putNumber(w, position);
    w.string16(record.name);
    w.string16(record.filter);
    return w.copyFrom(0);
  }

  /** @throws {MessagingError} ERR_STORE_CORRUPT */
  decodeGroup(value: Uint8Array): GroupRecord {
    return this.#decoder.decode(value, (r) => {
      const flags = r.u8();
      const committed = takeNumber(r);
      const positions = Array.from({ length: r.u16() }, () => takeNumber(r));
      const name = this.#decoder.text(r, r.u16());
      const filter = this.#decoder.text(r, r.u16());
      const mode = (flags & STREAM) === 0 ? "work" : "stream";
      const commit = (flags & SETTLED) !== 0 ? "settled" : (flags & MANUAL) !== 0 ? "manual" : "auto";
      const lifetime = (flags & PASSING) === 0 ? "lasting" : "passing";
      return { mode, commit, lifetime, name, filter, committed, positions };
    });
  }

  encodeCount(count: number): Uint8Array {
    const w = this.#writer;
    w.at = 0;
    w.u32(count);
    return w.copyFrom(0);
  }

  /** @throws {MessagingError} ERR_STORE_CORRUPT */
  decodeCount(value: Uint8Array): number {
    return this.#decoder.decode(value, (r) => r.u32());
  }

  /** A delayed message: when it is due, then its record. */
  encodeDelayed(dueAtMs: number, record: Uint8Array): Uint8Array {
    const w = this.#writer;
    w.at = 0;
    w.reserve(8 + record.length);
    putNumber(w, dueAtMs);
    w.bytes(record);
    return w.copyFrom(0);
  }

  /** @throws {MessagingError} ERR_STORE_CORRUPT */
  decodeDelayed(value: Uint8Array): { readonly dueAtMs: number; readonly record: Uint8Array } {
    // Older versions stored times that are beyond what is counted: such a message waits for ever.
    return this.#decoder.decode(value, (r) => ({
      dueAtMs: Math.min(takeAny(r), Number.MAX_SAFE_INTEGER),
      record: r.view(r.left),
    }));
  }
}

function putNumber(w: ByteWriter, value: number): void {
  w.u32(Math.floor(value / 0x1_0000_0000));
  w.u32(value >>> 0);
}

function takeNumber(r: ByteReader): number {
  const value = takeAny(r);
  if (value > Number.MAX_SAFE_INTEGER) throw corrupt("a number that is too large");
  return value;
}

function takeAny(r: ByteReader): number {
  const high = r.u32();
  return high * 0x1_0000_0000 + r.u32();
}

const STREAM = 1;
const MANUAL = 2;
const SETTLED = 4;
const PASSING = 8;
const COMMIT_FLAG: Readonly<Record<CommitMode, number>> = { auto: 0, manual: MANUAL, settled: SETTLED };
