const UNIT_MS: ReadonlyMap<string, number> = new Map([
  ["ns", 1e-6],
  ["us", 1e-3],
  ["µs", 1e-3],
  ["ms", 1],
  ["s", 1_000],
  ["m", 60_000],
  ["h", 3_600_000],
]);

const UNIT_BYTES: ReadonlyMap<string, number> = new Map([
  ["", 1],
  ["b", 1],
  ["kb", 1_000],
  ["mb", 1_000_000],
  ["gb", 1_000_000_000],
  ["kib", 1_024],
  ["mib", 1_048_576],
  ["gib", 1_073_741_824],
]);

/** A duration as Go writes it (`1h30m`, `250ms`, `0`) in whole milliseconds, rounded up; null when it is none. */
export function parseDuration(text: string): number | null {
  if (text === "0") return 0;
  if (!/^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/.test(text)) return null;
  let sum = 0;
  for (const [, number = "", unit = ""] of text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)) {
    sum += Number(number) * (UNIT_MS.get(unit) ?? 0);
  }
  const ms = Math.ceil(Number(sum.toFixed(6)));
  return Number.isSafeInteger(ms) ? ms : null;
}

/** Bytes as a whole number or with a unit (`10MB` are 10,000,000, `10MiB` 10,485,760); null when it is none. */
export function parseBytes(text: string): number | null {
  const [, number = "", unit = ""] = /^(\d+(?:\.\d+)?) ?([a-z]*)$/i.exec(text) ?? [];
  const factor = UNIT_BYTES.get(unit.toLowerCase());
  if (number === "" || factor === undefined) return null;
  const bytes = Number(number) * factor;
  return Number.isSafeInteger(bytes) ? bytes : null;
}

/** Host and port of a Go listening address (`:1883`, `127.0.0.1:1883`, `[::1]:1883`); null when it is none. */
export function parseAddress(text: string): { readonly host: string; readonly port: number } | null {
  const [, ipv6, host = "", digits = ""] = /^(?:\[([0-9a-f:.]+)\]|([^:[\]]*)):(\d{1,5})$/i.exec(text) ?? [];
  const port = Number(digits);
  if (digits === "" || port > 65_535) return null;
  // Without a host, Go listens on every address.
  return { host: ipv6 ?? (host === "" ? "0.0.0.0" : host), port };
}
