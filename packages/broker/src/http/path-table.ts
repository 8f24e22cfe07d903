import { ApiError } from "./api-error.ts";
import type { Endpoint } from "./endpoint.ts";

/** An endpoint that a request asks for. */
export interface Found {
  readonly endpoint: Endpoint;
  readonly path: Readonly<Record<string, string>>;
}

/** An endpoint with its path taken apart. */
interface Row {
  readonly segments: readonly string[];
  readonly endpoint: Endpoint;
}

/** Finds endpoints by method and path; a parameter is one segment, percent-encoded where it holds a slash, or with `...` one and all that follow. */
export class PathTable {
  readonly #byLength = new Map<number, Row[]>();
  /** Those whose last parameter takes all that follows. */
  readonly #open: Row[] = [];

  constructor(endpoints: readonly Endpoint[]) {
    for (const endpoint of endpoints) {
      const segments = endpoint.path.split("/");
      if (endpoint.path.endsWith(REST)) {
        this.#open.push({ segments, endpoint });
        continue;
      }
      const known = this.#byLength.get(segments.length) ?? [];
      known.push({ segments, endpoint });
      this.#byLength.set(segments.length, known);
    }
  }

  /**
   * Null for a path that is none of ours.
   * @throws {ApiError} 405 for a path that knows other methods only, 400 for one that is not percent-encoded properly
   */
  find(method: string, path: string): Found | null {
    const segments = path.split("/");
    const long = this.#open.filter((row) => row.segments.length <= segments.length);
    const rows = [...(this.#byLength.get(segments.length) ?? []), ...long];
    const matching = rows.filter((row) => matches(row.segments, segments));
    if (matching.length === 0) return null;
    const asked = method === "HEAD" ? "GET" : method;
    const row = matching.find(({ endpoint }) => endpoint.method === asked);
    if (row === undefined) {
      const allow = matching.map(({ endpoint }) => endpoint.method).join(", ");
      throw new ApiError(405, "METHOD_NOT_ALLOWED", `${path} takes ${allow}`, { allow });
    }
    return { endpoint: row.endpoint, path: parametersOf(row.segments, segments) };
  }
}

/** How a parameter ends that takes all that follows. */
const REST = "...}";

function matches(template: readonly string[], segments: readonly string[]): boolean {
  return template.every((part, index) => {
    const segment = segments[index] ?? "";
    return isParameter(part) ? segment !== "" : part === segment;
  });
}

function parametersOf(template: readonly string[], segments: readonly string[]): Record<string, string> {
  const parameters: [string, string][] = [];
  template.forEach((part, index) => {
    if (part.endsWith(REST))
      parameters.push([part.slice(1, -REST.length), segments.slice(index).map(decoded).join("/")]);
    else if (isParameter(part)) parameters.push([part.slice(1, -1), decoded(segments[index] ?? "")]);
  });
  return Object.fromEntries(parameters);
}

function isParameter(part: string): boolean {
  return part.startsWith("{");
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new ApiError(400, "INVALID_PATH", "the path is not percent-encoded properly");
  }
}
