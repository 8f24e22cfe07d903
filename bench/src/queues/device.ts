import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";

/** Long enough that its end is not reached in a measurement; written beforehand, so that no write has to grow the file. */
const FILE_BYTES = 16_777_216;
const BLOCK_BYTES = 4096;

/** Undefined where a write cannot be told to sync: there, a call that syncs follows. */
const SYNCS_ON_WRITE = constants.O_DSYNC as number | undefined;

/** A file to which each message is one write and one sync of the device. */
export class DeviceLog {
  readonly #file: FileHandle;
  readonly #record: Buffer;
  readonly #step: number;
  #at = 0;

  private constructor(file: FileHandle, size: number) {
    this.#file = file;
    this.#record = Buffer.alloc(size, 2);
    this.#step = Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES;
  }

  static async create(path: string, size: number): Promise<DeviceLog> {
    const whole = await open(path, "w");
    try {
      await whole.write(Buffer.alloc(FILE_BYTES, 1));
      await whole.sync();
    } finally {
      await whole.close();
    }
    return new DeviceLog(await open(path, constants.O_RDWR | (SYNCS_ON_WRITE ?? 0)), size);
  }

  /** Resolves once so many bytes as a message has are synced. */
  async append(): Promise<void> {
    await this.#file.write(this.#record, 0, this.#record.length, this.#at);
    if (SYNCS_ON_WRITE === undefined) await this.#file.datasync();
    this.#at = (this.#at + this.#step) % FILE_BYTES;
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}
