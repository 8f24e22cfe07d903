import type { IncomingMessage } from "node:http";
import { ApiError } from "./api-error.ts";

/**
 * Reads a JSON body. The media type has to be said: pages of other origins cannot send this one without asking first.
 * @param anyType who shows credentials and is no page need not say the media type, as with FluxMQ's bridge
 * @throws {ApiError} 415, 413, 400
 */
export async function readJson(request: IncomingMessage, bytesMax: number, anyType: boolean): Promise<unknown> {
  const { "content-type": type = "", authorization, origin } = request.headers;
  const [mediaType = ""] = type.split(";", 1);
  const isTrusted = anyType && authorization !== undefined && origin === undefined;
  if (!isTrusted && mediaType.trim().toLowerCase() !== "application/json") {
    throw new ApiError(415, "UNSUPPORTED_MEDIA_TYPE", "the body has to be application/json");
  }
  const text = new TextDecoder("utf-8", { fatal: true });
  const bytes = await readBytes(request, bytesMax);
  try {
    return JSON.parse(text.decode(bytes)) as unknown;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ApiError(400, "INVALID_BODY", `the body is not JSON: ${why}`);
  }
}

/** Reads a body of any type. @throws {ApiError} 413, 400 */
export async function readBytes(request: IncomingMessage, bytesMax: number): Promise<Uint8Array> {
  const tooLarge = (): ApiError => new ApiError(413, "BODY_TOO_LARGE", `the body may have ${bytesMax} bytes`);
  // What is said in advance is refused before it comes.
  if (Number(request.headers["content-length"] ?? 0) > bytesMax) throw tooLarge();
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > bytesMax) throw tooLarge();
      chunks.push(chunk);
    }
  } catch (error) {
    // Who goes in the middle gets no answer, and nobody made a mistake.
    throw error instanceof ApiError ? error : new ApiError(400, "INVALID_BODY", "the body ended too early");
  }
  return Buffer.concat(chunks, length);
}
