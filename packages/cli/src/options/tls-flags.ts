import type { Option } from "commander";
import type { TlsOptions } from "polymq";
import { UsageError } from "../failure.ts";
import { collect, option } from "./parse.ts";

/** Flags about TLS of commands that connect. */
export interface TlsFlags {
  readonly tls?: boolean;
  readonly cafile?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly insecure?: boolean;
  readonly alpn?: readonly string[];
}

/** The options behind {@link TlsFlags}. */
export function tlsFlagOptions(): readonly Option[] {
  return [
    option("--tls", "use TLS, with the authorities that this machine trusts"),
    option("--cafile <file>", "use TLS, and trust these authorities instead (PEM)"),
    option("--cert <file>", "client certificate chain (PEM)"),
    option("--key <file>", "its private key (PEM)"),
    option("--alpn <protocol>", "use TLS, and offer this application protocol; repeatable", collect),
    option("--insecure", "use TLS, and take any certificate: for experiments only"),
  ];
}

/** True when a flag asks for TLS. */
export function wantsTls({ tls, cafile, cert, alpn, insecure }: TlsFlags): boolean {
  return tls === true || cafile !== undefined || cert !== undefined || alpn !== undefined || insecure === true;
}

/** TLS as the flags want it; null when they say nothing. @throws {UsageError}, and what reading a file threw */
export async function tlsOptions(
  { cafile, cert, key, alpn, insecure }: TlsFlags,
  readFile: (path: string) => Promise<Uint8Array>,
): Promise<TlsOptions | null> {
  if ((cert === undefined) !== (key === undefined)) throw new UsageError("--cert and --key belong together");
  if (cafile === undefined && cert === undefined && alpn === undefined && insecure !== true) return null;
  return {
    ...(cafile === undefined ? {} : { ca: await readFile(cafile) }),
    ...(cert === undefined || key === undefined ? {} : { cert: await readFile(cert), key: await readFile(key) }),
    ...(alpn === undefined ? {} : { alpnProtocols: alpn }),
    ...(insecure === true ? { rejectUnauthorized: false } : {}),
  };
}
