import type { Hub } from "../core/hub.ts";
import type { ApiReply } from "./endpoint.ts";

/** Answers once what was done is stored as configured. @throws {MessagingError} ERR_STORE_FAILED */
export async function durably(hub: Hub, body: unknown): Promise<ApiReply> {
  await hub.committer.flush();
  return { status: 200, body };
}
