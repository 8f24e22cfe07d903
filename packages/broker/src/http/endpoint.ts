import type { TransportInfo } from "polymq/internal";
import type { HttpContext } from "./http-context.ts";

/** A JSON Schema (2020-12), as OpenAPI 3.1 uses it. */
export interface Schema {
  readonly [keyword: string]: unknown;
}

/** A parameter in the path or the query. */
export interface Parameter {
  readonly name: string;
  readonly in: "path" | "query";
  readonly description: string;
  readonly schema: Schema;
}

/** What an answer of one status is. */
export interface ResponseRule {
  readonly description: string;
  /** Default `application/json`. */
  readonly mediaType?: string;
  readonly schema?: Schema;
}

/**
 * Who may call: `open` everybody who can reach the port, `token` whoever shows the token, `publisher` also clients with the credentials that
 * they would use with any other protocol.
 */
export type EndpointAccess = "open" | "token" | "publisher";

/** A request that was understood so far. */
export interface ApiCall {
  /** Values of the path's parameters, decoded. */
  readonly path: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** The body, when the endpoint takes one. */
  readonly body: unknown;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly peer: TransportInfo;
}

/** An answer: JSON, or text of the endpoint's media type. */
export interface ApiReply {
  readonly status: number;
  readonly body?: unknown;
}

/** One operation: what it is to the world, and what it does. The OpenAPI document is made of these. */
export interface Endpoint {
  /** Unique; the document's `operationId`. */
  readonly id: string;
  readonly method: "GET" | "POST" | "DELETE";
  /** With parameters in braces, one per segment: `/api/v1/queues/{queue}`; a last one with `...` takes all segments that follow. */
  readonly path: string;
  readonly summary: string;
  readonly tag: string;
  readonly access: EndpointAccess;
  readonly parameters?: readonly Parameter[];
  /** The body's schema; without it no body is read. */
  readonly body?: Schema;
  /** True: the body is bytes of any type, and `body` of the call a `Uint8Array`. Default false: JSON. */
  readonly takesBytes?: boolean;
  readonly responses: Readonly<Record<number, ResponseRule>>;
  /** @throws {ApiError} and what `apiErrorOf` knows */
  handle(call: ApiCall, context: HttpContext): ApiReply | Promise<ApiReply>;
}
