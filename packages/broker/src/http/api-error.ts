import { isMessagingError } from "polymq/internal";

/** A request that is answered with an error; `code` is for programs, the message for people. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, code: string, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

/** The status of each code that the core answers with; what is not listed is an error of the broker's own. */
const STATUS_OF: ReadonlyMap<string, number> = new Map([
  ["ERR_INVALID_ARGUMENT", 400],
  ["ERR_INVALID_OPTIONS", 400],
  ["ERR_INVALID_TOPIC", 400],
  ["ERR_QUEUE_NOT_FOUND", 404],
  ["ERR_QUEUE_EXISTS", 409],
  ["ERR_QUEUE_IN_USE", 409],
  ["ERR_QUEUE_MODE_MISMATCH", 409],
  ["ERR_MESSAGE_TOO_LARGE", 413],
  ["ERR_QUEUE_FULL", 507],
  ["ERR_QUEUE_LIMIT", 507],
  ["ERR_STORE_FAILED", 503],
]);

/** Whatever was thrown as an answer; null for what only a mistake in the broker can throw. */
export function apiErrorOf(error: unknown): ApiError | null {
  if (error instanceof ApiError) return error;
  if (!isMessagingError(error)) return null;
  const status = STATUS_OF.get(error.code);
  return status === undefined ? null : new ApiError(status, error.code, error.message);
}
