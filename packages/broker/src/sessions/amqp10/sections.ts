// Hot path: runs per message. No closure, promise, spread, iterator or regex here.
import { readDescriptor, SECTIONS_MAX, Section, type ValueReader } from "polymq/amqp10/codec";
import { malformed } from "polymq/internal";

/** Kinds of sections, from header to footer. */
const KINDS = 9;

const DESCRIBED = 0;

/** Where the sections of a message lie (§3.2). Used again for every message. */
export class Sections {
  /** Where each kind begins, by its descriptor less that of the header; -1 where there is none. Of data and sequences, the first. */
  readonly starts: Int32Array = new Int32Array(KINDS);
  /** Where its value begins, behind the descriptor. */
  readonly values: Int32Array = new Int32Array(KINDS);
  /** Where it ends; of data and sequences, the last. */
  readonly ends: Int32Array = new Int32Array(KINDS);
  /** Data sections. */
  dataCount = 0;

  /** Finds the sections of `bytes`. @throws {MessagingError} ERR_MALFORMED_PACKET for unknown ones, and any order but the specification's */
  read(reader: ValueReader, bytes: Uint8Array): void {
    this.starts.fill(-1);
    this.dataCount = 0;
    reader.reset(bytes, 0, bytes.length);
    let last = -1;
    for (let count = 0; reader.left > 0; count++) {
      if (count === SECTIONS_MAX) throw malformed(`more than ${SECTIONS_MAX} sections`);
      const at = reader.at;
      if (reader.u8() !== DESCRIBED) throw malformed("a section that is not described");
      const kind = readDescriptor(reader) - Section.header;
      if (kind < 0 || kind >= KINDS) throw malformed("an unknown section");
      const again = kind === last && (kind === DATA || kind === SEQUENCE);
      if (!again && (kind <= last || (last >= DATA && kind < FOOTER))) throw malformed("message sections out of order");
      if (!again) {
        this.starts[kind] = at;
        this.values[kind] = reader.at;
      }
      reader.skip();
      this.ends[kind] = reader.at;
      if (kind === DATA) this.dataCount++;
      last = kind;
    }
  }

  has(kind: number): boolean {
    return (this.starts[kind] as number) >= 0;
  }

  /** True when there is a body of any kind. */
  get hasBody(): boolean {
    return this.has(DATA) || this.has(SEQUENCE) || this.has(VALUE);
  }
}

/** Indexes of {@link Sections}. */
export const HEADER = 0;
export const DELIVERY_ANNOTATIONS = 1;
export const MESSAGE_ANNOTATIONS = 2;
export const PROPERTIES = 3;
export const APPLICATION_PROPERTIES = 4;
export const DATA = 5;
export const SEQUENCE = 6;
export const VALUE = 7;
export const FOOTER = 8;
