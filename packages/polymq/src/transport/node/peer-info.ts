import type { TransportInfo } from "../transport.ts";

/** What a TCP or TLS socket may tell of the other side; a plain stream tells nothing. */
interface PeerSocket {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  readonly encrypted?: boolean;
  readonly authorized?: boolean;
  getPeerCertificate?(): { readonly subject?: { readonly CN?: string | string[] } };
}

/** {@link TransportInfo} of a stream. A certificate's name counts only when the certificate was verified. */
export function peerInfo(stream: object | null, kind?: TransportInfo["kind"]): TransportInfo {
  const socket: PeerSocket = stream ?? {};
  const secure = socket.encrypted === true;
  const commonName = socket.authorized === true ? socket.getPeerCertificate?.().subject?.CN : undefined;
  return {
    kind: kind ?? (secure ? "tls" : "tcp"),
    remoteAddress: socket.remoteAddress ?? "",
    remotePort: socket.remotePort ?? 0,
    secure,
    peerCommonName: typeof commonName === "string" ? commonName : (commonName?.[0] ?? ""),
  };
}
