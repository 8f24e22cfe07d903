import { MessagingError } from "polymq";
import type { Environment } from "../environment.ts";

/** An object of an answer; what it holds is read field by field. */
export type Row = Readonly<Record<string, unknown>>;

/** An answer of the broker's HTTP side that says no. */
export class AdminError extends Error {
  override readonly name: string = "AdminError";
  /** The broker's word for it, such as `ERR_QUEUE_NOT_FOUND`. */
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** One part of a URL's path, or of a query. */
export type Query = Readonly<Record<string, string | number | undefined>>;

/** Longest wait for an answer. */
const TIMEOUT_MS = 30_000;

/** Most that one answer may have: the broker's own limit for messages, in base64, with room for the rest. */
const ANSWER_BYTES_MAX = 67_108_864;

/** The broker's HTTP side. Its calls throw {@link AdminError}, and ERR_CONNECT_FAILED when nobody answers. */
export class AdminClient {
  readonly #base: string;
  readonly #token: string | undefined;
  readonly #fetch: Environment["fetch"];
  readonly #signal: AbortSignal;

  constructor(
    where: { readonly url: string; readonly token: string | undefined },
    env: Environment,
    signal: AbortSignal,
  ) {
    this.#base = where.url.replace(/\/+$/, "");
    this.#token = where.token;
    this.#fetch = env.fetch;
    this.#signal = signal;
  }

  /** One object. */
  async get(path: readonly string[], query: Query = {}): Promise<Row> {
    return await this.#call("GET", path, { query });
  }

  /** All items of a list that is given in parts; `most` of them at most. */
  async list(path: readonly string[], query: Query = {}, most: number = Number.POSITIVE_INFINITY): Promise<Row[]> {
    const items: Row[] = [];
    let token: unknown;
    do {
      const page = await this.get(path, { ...query, ...(typeof token === "string" ? { page_token: token } : {}) });
      items.push(...itemsOf(page));
      token = page["nextPageToken"];
    } while (typeof token === "string" && items.length < most);
    return items.slice(0, most);
  }

  async post(path: readonly string[], query: Query = {}, body?: Row): Promise<Row> {
    return await this.#call("POST", path, { query, body });
  }

  async delete(path: readonly string[], query: Query = {}): Promise<Row> {
    return await this.#call("DELETE", path, { query });
  }

  async #call(
    method: string,
    path: readonly string[],
    { query, body }: { readonly query: Query; readonly body?: Row | undefined },
  ): Promise<Row> {
    const url = `${this.#base}/api/v1/${path.map(encodeURIComponent).join("/")}${queryText(query)}`;
    const response = await this.#send(url, {
      method,
      headers: {
        ...(this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.any([this.#signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    const answer = parsed(await textOf(response));
    if (response.ok) return answer;
    const { code, message } = rowOf(answer["error"]);
    if (response.status === 401) {
      throw new AdminError("UNAUTHORIZED", "the broker wants its token: --http-token, or POLYMQ_HTTP_TOKEN");
    }
    throw new AdminError(
      typeof code === "string" ? code : `HTTP_${response.status}`,
      String(message ?? "no reason given"),
    );
  }

  async #send(url: string, init: RequestInit): Promise<Response> {
    try {
      return await this.#fetch(url, init);
    } catch (error) {
      const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
      const said = cause instanceof Error ? cause.message : String(cause);
      throw new MessagingError("ERR_CONNECT_FAILED", `no answer from ${this.#base}: ${said}`, { cause });
    }
  }
}

/** The items of an answer. */
export function itemsOf(answer: Row): readonly Row[] {
  const { items } = answer;
  return Array.isArray(items) ? items.map(rowOf) : [];
}

/** An object of an answer, or an empty one. */
export function rowOf(value: unknown): Row {
  return typeof value === "object" && value !== null ? (value as Row) : {};
}

function queryText(query: Query): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) search.set(name, String(value));
  return search.size === 0 ? "" : `?${search.toString()}`;
}

async function textOf({ body }: Response): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of body ?? []) {
    bytes += piece.length;
    if (bytes > ANSWER_BYTES_MAX)
      throw new AdminError("ANSWER_TOO_LARGE", `the answer has more than ${ANSWER_BYTES_MAX} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString("utf8");
}

function parsed(text: string): Row {
  try {
    return rowOf(JSON.parse(text));
  } catch {
    // Somebody else answers at this address, and is told by its status.
    return {};
  }
}
