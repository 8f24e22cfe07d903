export type { Clock, Timer } from "../base/clock.ts";
export { systemClock } from "../base/system-clock.ts";
export { type TextCodec, webText } from "../bytes/text.ts";
export { type Endpoint, parseEndpoint } from "./endpoint.ts";
export { isLocalAddress, parseLocalEndpoint } from "./local-endpoint.ts";
export { type MemoryPair, type MemoryPairOptions, type MemoryTransport, memoryPair } from "./memory.ts";
export { peerInfo } from "./node/peer-info.ts";
export { nodePlatform } from "./node/platform.ts";
export { type WrapOptions, wrapSocket } from "./node/socket-transport.ts";
export { dialTcp, type Listener, type ListenOptions, listenTcp } from "./node/tcp.ts";
export { nodeText } from "./node/text.ts";
export { dialTls, listenTls, type TlsListenOptions } from "./node/tls.ts";
export { dialWebSocket, type WrapWebSocketOptions, wrapWebSocket } from "./node/websocket.ts";
export {
  type AcceptedWebSocket,
  type AcceptWebSocketOptions,
  acceptWebSocket,
  type WebSocketAcceptor,
} from "./node/websocket-server.ts";
export { ChunkPool, Outbox, type OutboxOptions } from "./outbox.ts";
export type {
  DialHook,
  DialKind,
  DialOptions,
  Platform,
  TlsMaterial,
  TlsOptions,
  WebSocketDialOptions,
  WebSocketLike,
} from "./platform.ts";
export type { Transport, TransportHandler, TransportInfo } from "./transport.ts";
export { webPlatform } from "./web/platform.ts";
export { dialWebWebSocket } from "./web/websocket.ts";
