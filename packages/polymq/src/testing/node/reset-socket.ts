import type { Socket } from "node:net";

/** The mark that makes Node close a socket with a reset; `resetAndDestroy` sets it, too, but sends an orderly end first. */
interface Resettable {
  resetAndClosing?: boolean;
}

/** Ends a TCP connection with a reset and nothing before it, as a crashed machine or a firewall does; unsent bytes are lost. */
export function resetSocket(socket: Socket): void {
  if (!socket.destroyed) (socket as Resettable).resetAndClosing = true;
  socket.destroy();
}
