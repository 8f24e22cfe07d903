import { isMessagingError } from "polymq";
import { element, prepend, timeOfDay } from "./elements.ts";

const LINES_MAX = 100;

/** The list of what happened to the page's connections. */
export class EventLog {
  readonly #list: HTMLElement;

  constructor(list: HTMLElement) {
    this.#list = list;
  }

  /** What happened, and to whom. */
  tell(who: string, what: string): void {
    prepend(this.#list, element("li", "", timeOfDay(), what, element("span", "empty", who)), LINES_MAX);
  }

  /** As `tell`, for what went wrong; a typed error says its code. */
  fail(who: string, error: unknown): void {
    this.tell(who, isMessagingError(error) ? `${error.code}: ${error.message}` : String(error));
  }
}
