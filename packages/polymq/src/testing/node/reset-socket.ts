import type { Socket } from "node:net";

/** The mark that makes Node close a socket with a reset; `resetAndDestroy` sets it, too, but sends an orderly end first. */
interface Resettable {
  resetAndClosing?: boolean;
}

/** Ends a TCP connection with a reset and nothing before it, as a crashed machine or a firewall does; unsent bytes are lost. */
export function resetSocket(socket: Socket): void {
  // While the end of the stream is on its way out the system refuses a reset, and Node would then never close the socket.
  const isEnding = socket.writableEnded && !socket.writableFinished;
  if (!socket.destroyed && !isEnding) (socket as Resettable).resetAndClosing = true;
  socket.destroy();
}
