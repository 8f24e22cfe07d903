import { MessagingError } from "../../base/errors.ts";
import { FRAME_BYTES_MIN } from "../codec/frame.ts";

/** What `connection.tune` settles. */
export interface Tuning {
  /** Highest channel number, 1 to 65,535. */
  readonly channelMax: number;
  /** Bytes of the largest frame, at least 4,096. */
  readonly frameMax: number;
  /** 0: no heartbeats. */
  readonly heartbeatSeconds: number;
}

/** What RabbitMQ proposes, and a bound that we always have. */
export const TUNING_DEFAULT: Tuning = { channelMax: 2_047, frameMax: 131_072, heartbeatSeconds: 60 };

/** The most that the protocol can number. */
const CHANNEL_MAX = 65_535;

/** The arguments of `connection.tune` and `connection.tune-ok`, where 0 means no limit, or no heartbeats. */
export interface TuneArguments {
  readonly channelMax: number;
  readonly frameMax: number;
  readonly heartbeat: number;
}

/**
 * A client's answer to the server's proposal (AMQP 0-9-1 §1.4.2.6): the lower limit of both, where 0 is none. Heartbeats that we do
 * not want are off; else the shorter interval, or ours when the server wants none.
 * @throws {MessagingError} ERR_NEGOTIATION_FAILED for a frame-max below what every peer must take
 */
export function answerTune(theirs: TuneArguments, ours: Tuning): Tuning {
  if (theirs.frameMax !== 0 && theirs.frameMax < FRAME_BYTES_MIN) {
    throw refused(`frame-max ${theirs.frameMax} is below ${FRAME_BYTES_MIN}`);
  }
  return {
    channelMax: lower(theirs.channelMax, ours.channelMax),
    frameMax: lower(theirs.frameMax, ours.frameMax),
    heartbeatSeconds: ours.heartbeatSeconds === 0 ? 0 : lower(theirs.heartbeat, ours.heartbeatSeconds),
  };
}

/**
 * What a server holds to once a client has answered its proposal: the client may lower limits and choose any heartbeat.
 * @throws {MessagingError} ERR_NEGOTIATION_FAILED (530) for a limit that was raised, or a frame-max below 4,096
 */
export function checkTuneOk(theirs: TuneArguments, ours: Tuning): Tuning {
  if (theirs.channelMax > ours.channelMax || (theirs.channelMax === 0 && ours.channelMax < CHANNEL_MAX)) {
    throw refused(
      `negotiated channel_max = ${limit(theirs.channelMax)} is higher than the maximum allowed value (${ours.channelMax})`,
    );
  }
  if (theirs.frameMax > ours.frameMax || theirs.frameMax === 0) {
    throw refused(
      `negotiated frame_max = ${limit(theirs.frameMax)} is higher than the maximum allowed value (${ours.frameMax})`,
    );
  }
  if (theirs.frameMax < FRAME_BYTES_MIN) {
    throw refused(
      `negotiated frame_max = ${theirs.frameMax} is lower than the minimum allowed value (${FRAME_BYTES_MIN})`,
    );
  }
  return {
    channelMax: theirs.channelMax === 0 ? CHANNEL_MAX : theirs.channelMax,
    frameMax: theirs.frameMax,
    heartbeatSeconds: theirs.heartbeat,
  };
}

/**
 * Checks the limits that we propose.
 * @throws {MessagingError} ERR_INVALID_OPTIONS outside 1 to 65,535 channels, 4,096 to 2^32 - 1 bytes, 0 to 65,535 seconds
 */
export function checkTuning(tuning: Tuning): void {
  const { channelMax, frameMax, heartbeatSeconds } = tuning;
  checkRange("channelMax", channelMax, 1, CHANNEL_MAX);
  checkRange("frameMax", frameMax, FRAME_BYTES_MIN, 0xffff_ffff);
  checkRange("heartbeatSeconds", heartbeatSeconds, 0, 0xffff);
}

function checkRange(name: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new MessagingError("ERR_INVALID_OPTIONS", `${name} must be an integer from ${least} to ${most}`);
}

function lower(theirs: number, ours: number): number {
  return theirs === 0 ? ours : Math.min(theirs, ours);
}

function limit(value: number): string {
  return value === 0 ? "0 (no limit)" : String(value);
}

function refused(what: string): MessagingError {
  return new MessagingError("ERR_NEGOTIATION_FAILED", what);
}
