/** A value of a protocol's own types as JSON can show it: maps become objects, bytes base64, wrapped values what they wrap. */
export function plainValue(value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (typeof value !== "object" || value === null)
    return Number.isNaN(value) || value === Number.POSITIVE_INFINITY ? null : value;
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(plainValue);
  if ("entries" in value && typeof value.entries === "function") {
    const entries = [...(value.entries as () => Iterable<readonly [unknown, unknown]>)()];
    return Object.fromEntries(entries.map(([key, each]) => [String(plainValue(key)), plainValue(each)]));
  }
  // A value with its wire type.
  if ("value" in value) return plainValue(value.value);
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plainValue(each)]));
}
