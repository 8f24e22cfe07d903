/** Does nothing: stands where a function is needed before there is one, or where a result is nobody's to take. */
export function noop(): void {}
