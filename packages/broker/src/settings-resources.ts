import type { OptionReader } from "./base/option-reader.ts";

/** Below and above which publishers are told to wait. */
export interface ResourceSettings {
  /** Infinity: no limit. */
  readonly memoryBytesMax: number;
  readonly diskFreeBytesMin: number;
}

const MIB = 1_048_576;

/** Checks the option `resources`. @throws {MessagingError} ERR_INVALID_OPTIONS */
export function resourceSettings(reader: OptionReader): ResourceSettings {
  const memory = reader.integer("memoryBytesMax", { least: 0, most: Number.MAX_SAFE_INTEGER, otherwise: 0 });
  const settings = {
    memoryBytesMax: memory === 0 ? Number.POSITIVE_INFINITY : memory,
    diskFreeBytesMin: reader.integer("diskFreeBytesMin", {
      least: 0,
      most: Number.MAX_SAFE_INTEGER,
      otherwise: 50 * MIB,
    }),
  };
  reader.done();
  return Object.freeze(settings);
}
