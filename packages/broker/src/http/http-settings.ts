/** HTTP beside WebSocket, checked and complete. */
export interface HttpSettings {
  /** What a caller shows to be let in; null: one is made when the broker starts. */
  readonly token: string | null;
  /** `open`: nobody needs the token. */
  readonly access: "token" | "open";
  /** Whether callers on other machines are answered. */
  readonly remote: "refuse" | "allow";
  /** Bytes that the body of a request may have. */
  readonly bodyBytesMax: number;
}
