import type { OptionReader } from "./base/option-reader.ts";
import type { Amqp10Settings } from "./sessions/amqp10/amqp10-settings.ts";

const U16_MAX = 65_535;
const U32_MAX = 4_294_967_295;
const TIMER_MS_MAX = 2_147_483_647;
const BYTES_MAX = Number.MAX_SAFE_INTEGER;
const MIB = 1_048_576;
/** Half of it is told to clients, in a field of 32 bits. */
const IDLE_MS_MAX = TIMER_MS_MAX;

/** Checks the option `amqp10`. @throws {MessagingError} ERR_INVALID_OPTIONS */
export function amqp10Settings(reader: OptionReader): Amqp10Settings {
  const settings: Amqp10Settings = {
    maxFrameSize: reader.integer("maxFrameSize", { least: 512, most: 16 * MIB, otherwise: 65_536 }),
    channelMax: reader.integer("sessionsMax", { least: 1, most: U16_MAX + 1, otherwise: 256 }) - 1,
    handleMax: reader.integer("linksPerSessionMax", { least: 1, most: U16_MAX + 1, otherwise: 4_096 }) - 1,
    linksMax: reader.integer("linksMax", { least: 1, most: U32_MAX, otherwise: 10_000 }),
    idleTimeoutMs: reader.integer("idleTimeoutMs", { least: 0, most: IDLE_MS_MAX, otherwise: 60_000 }),
    handshakeTimeoutMs: reader.integer("handshakeTimeoutMs", { least: 1, most: TIMER_MS_MAX, otherwise: 10_000 }),
    sasl: reader.oneOf("sasl", ["optional", "required"], "optional"),
    maximumMessageSize: reader.integer("maximumMessageSize", { least: 1, most: U32_MAX, otherwise: 16 * MIB }),
    linkCredit: reader.integer("linkCredit", { least: 1, most: 65_536, otherwise: 1_000 }),
    unsettledMax: reader.integer("unsettledMax", { least: 1, most: U32_MAX, otherwise: 100_000 }),
    transactionsMax: reader.integer("transactionsMax", { least: 1, most: U16_MAX, otherwise: 100 }),
    transactionMax: reader.integer("transactionMax", { least: 1, most: U32_MAX, otherwise: 10_000 }),
    transactionBytesMax: reader.integer("transactionBytesMax", { least: 1, most: BYTES_MAX, otherwise: 64 * MIB }),
    transactionTimeoutMs: reader.integer("transactionTimeoutMs", { least: 1, most: TIMER_MS_MAX, otherwise: 60_000 }),
  };
  reader.done();
  return Object.freeze(settings);
}
