import type { OptionReader } from "./base/option-reader.ts";
import type { Amqp091Settings } from "./sessions/amqp091/amqp-settings.ts";

const U16_MAX = 65_535;
const U32_MAX = 4_294_967_295;
const TIMER_MS_MAX = 2_147_483_647;
const BYTES_MAX = Number.MAX_SAFE_INTEGER;
const MIB = 1_048_576;

/** Checks the option `amqp091`. @throws {MessagingError} ERR_INVALID_OPTIONS */
export function amqp091Settings(reader: OptionReader): Amqp091Settings {
  const settings: Amqp091Settings = {
    tuning: Object.freeze({
      channelMax: reader.integer("channelMax", { least: 1, most: U16_MAX, otherwise: 2_047 }),
      frameMax: reader.integer("frameMax", { least: 8_192, most: U32_MAX, otherwise: 131_072 }),
      heartbeatSeconds: reader.integer("heartbeatSeconds", { least: 0, most: U16_MAX, otherwise: 60 }),
    }),
    maximumBodyBytes: reader.integer("maximumBodyBytes", { least: 1, most: U32_MAX, otherwise: 16 * MIB }),
    handshakeTimeoutMs: reader.integer("handshakeTimeoutMs", { least: 1, most: TIMER_MS_MAX, otherwise: 10_000 }),
    consumersMax: reader.integer("consumersMax", { least: 1, most: U32_MAX, otherwise: 10_000 }),
    unsettledMax: reader.integer("unsettledMax", { least: 1, most: U32_MAX, otherwise: 100_000 }),
    transactionMax: reader.integer("transactionMax", { least: 1, most: U32_MAX, otherwise: 10_000 }),
    transactionBytesMax: reader.integer("transactionBytesMax", { least: 1, most: BYTES_MAX, otherwise: 64 * MIB }),
  };
  reader.done();
  return Object.freeze(settings);
}

/** Checks the option `virtualHosts`. @throws {MessagingError} ERR_INVALID_OPTIONS */
export function virtualHosts(reader: OptionReader): readonly string[] {
  const names = reader.texts("virtualHosts") ?? Object.freeze([]);
  if (new Set(names).size !== names.length) throw reader.invalid("virtualHosts", "names one twice");
  if (names.some((name) => Buffer.byteLength(name) > HOST_BYTES_MAX)) {
    throw reader.invalid("virtualHosts", `has names above ${HOST_BYTES_MAX} bytes`);
  }
  return names;
}

/** What a short string holds (AMQP 0-9-1 §4.2.5.3). */
const HOST_BYTES_MAX = 255;
