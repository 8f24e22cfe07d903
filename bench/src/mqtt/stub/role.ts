/** What the stub server does with a client's messages, once the connection stands. */
export interface StubRole {
  /** Messages of the phase are done when they are received (publish), acknowledged (receive) or echoed. */
  begin(count: number, mark: number): Promise<number>;
  /** Messages done since the start. */
  readonly total: number;
  onPublishes(count: number, ids: Uint16Array): void;
  onAck(firstByte: number, packetId: number): void;
  /** Called once per chunk, after all of its packets, with the chunk (which may be kept), or null if it held control packets. */
  afterChunk(chunk: Buffer | null): void;
}
