/** Ends an exhaustive `switch`: the compiler refuses a call with anything but `never`. */
export function unreachable(value: never): never {
  throw new TypeError(`unreachable: ${String(value)}`);
}
