import type { PassThrough } from "node:stream";

/** All bytes that were written and not read yet, in hex: newer versions of Node give one chunk with each `read()`. */
export function unread(stream: PassThrough): string {
  const chunks: Buffer[] = [];
  for (let chunk = stream.read() as Buffer | null; chunk !== null; chunk = stream.read() as Buffer | null) {
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("hex");
}
