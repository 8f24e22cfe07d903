/** The page's element with an id. @throws {Error} when the page has none of this kind */
export function byId<E extends HTMLElement>(id: string, kind: new () => E): E {
  const found = document.getElementById(id);
  if (found instanceof kind) return found;
  throw new Error(`the page has no ${kind.name} with the id ${id}`);
}

/** A new element with a class (or "") and what is in it. Text stays text: what came over the network is never read as HTML. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className: string,
  ...inside: readonly (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  if (className !== "") made.className = className;
  made.append(...inside);
  return made;
}

/** Shows a state in a badge: as its text, and for its colour. */
export function showState(badge: HTMLElement, state: string): void {
  badge.dataset["state"] = state;
  badge.textContent = state;
}

/** Puts a line first in a list and takes the last away once there are more than `max`; a line that says "nothing yet" goes. */
export function prepend(list: HTMLElement, line: HTMLElement, max: number): void {
  list.querySelector(":scope > .empty")?.remove();
  list.prepend(line);
  while (list.childElementCount > max) list.lastElementChild?.remove();
}

/** The time of day, as a line of a list begins. */
export function timeOfDay(): HTMLTimeElement {
  return element("time", "", new Date().toLocaleTimeString("en-GB"));
}

/** Calls `submit` instead of loading the page anew; what goes wrong is told to `fail`. */
export function onSubmit(
  form: HTMLFormElement,
  submit: (fields: FormData) => Promise<unknown>,
  fail: (error: unknown) => void,
): void {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit(new FormData(form, event.submitter)).catch(fail);
  });
}
