import type { IncomingMessage, ServerResponse } from "node:http";
import type { TransportInfo } from "polymq/internal";
import { ENDPOINTS } from "./all-endpoints.ts";
import { ApiError, apiErrorOf } from "./api-error.ts";
import type { ApiReply, Endpoint } from "./endpoint.ts";
import { checkOrigin, checkToken } from "./http-access.ts";
import type { HttpContext } from "./http-context.ts";
import { PathTable } from "./path-table.ts";
import { readBytes, readJson } from "./request-body.ts";

const JSON_TYPE = "application/json; charset=utf-8";

/** Answers HTTP requests about the broker. It holds nothing between requests. */
export class HttpApi {
  readonly #context: HttpContext;
  readonly #paths = new PathTable(ENDPOINTS);

  constructor(context: HttpContext) {
    this.#context = context;
  }

  /** Answers a request, whatever it is; resolves when the answer is handed over, and never rejects. `refused` when that is an error of the caller's. */
  async handle(request: IncomingMessage, response: ServerResponse, peer: TransportInfo): Promise<"served" | "refused"> {
    const answer = await this.#answer(request, peer);
    write(request, response, answer);
    return answer.status >= 400 && answer.status < 500 ? "refused" : "served";
  }

  async #answer(request: IncomingMessage, peer: TransportInfo): Promise<Answer> {
    try {
      const { path: asked, query } = partsOf(request.url ?? "/");
      const call = { headers: request.headers, peer };
      checkOrigin(call, this.#context);
      const found = this.#paths.find(request.method ?? "GET", asked);
      if (found === null)
        throw new ApiError(404, "NOT_FOUND", `there is nothing at ${asked}; see /api/v1/openapi.json`);
      const { endpoint, path } = found;
      checkToken(call, endpoint.access, this.#context);
      const body = await this.#bodyOf(request, endpoint);
      return replied(endpoint, await endpoint.handle({ ...call, path, query, body }, this.#context));
    } catch (error) {
      return this.#failed(error);
    }
  }

  async #bodyOf(request: IncomingMessage, { body, takesBytes, access }: Endpoint): Promise<unknown> {
    const { bodyBytesMax } = this.#context.settings;
    if (takesBytes === true) return await readBytes(request, bodyBytesMax);
    return body === undefined ? undefined : await readJson(request, bodyBytesMax, access === "publisher");
  }

  #failed(error: unknown): Answer {
    const known = apiErrorOf(error);
    if (known === null) this.#context.metrics.internalErrors++;
    const { status, code, message, headers } = known ?? new ApiError(500, "INTERNAL", "the broker made a mistake");
    return { status, type: JSON_TYPE, headers, text: `${JSON.stringify({ error: { code, message } })}\n` };
  }
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

function replied({ responses }: Endpoint, { status, body }: ApiReply): Answer {
  const type = responses[status]?.mediaType;
  if (type !== undefined) return { status, type, headers: {}, text: String(body) };
  return { status, type: JSON_TYPE, headers: {}, text: body === undefined ? "" : `${JSON.stringify(body)}\n` };
}

function write(request: IncomingMessage, response: ServerResponse, { status, type, headers, text }: Answer): void {
  const content = Buffer.from(text);
  // A body that nobody read is in the way of the connection's next request.
  const ending = request.complete ? {} : { connection: "close" };
  const empty = content.length === 0;
  response.writeHead(status, {
    ...(empty ? {} : { "content-type": type }),
    ...(status === 204 ? {} : { "content-length": content.length }),
    "cache-control": "no-store",
    ...headers,
    ...ending,
  });
  response.end(request.method === "HEAD" ? undefined : content);
}

/** The path as it was sent, for encoded slashes are part of a name; and the query. */
function partsOf(url: string): { readonly path: string; readonly query: URLSearchParams } {
  const mark = url.indexOf("?");
  if (mark < 0) return { path: url, query: new URLSearchParams() };
  return { path: url.slice(0, mark), query: new URLSearchParams(url.slice(mark + 1)) };
}
