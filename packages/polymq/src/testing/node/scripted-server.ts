import { type Deferred, deferred } from "../../base/deferred.ts";
import { Deque } from "../../base/deque.ts";
import type { FrameMeasure } from "../../bytes/splitter.ts";
import { wrapSocket } from "../../transport/node/socket-transport.ts";
import { listenTcp } from "../../transport/node/tcp.ts";
import { ScriptedPeer } from "../scripted-peer.ts";

/** A TCP server on 127.0.0.1 whose connections are played by scripts. */
export interface ScriptedServer {
  readonly port: number;
  /** The next connection, in order of arrival; rejects when the server is closed before one comes. */
  accept(): Promise<ScriptedPeer>;
  /** Stops listening and destroys every connection. */
  close(): Promise<void>;
}

/** Starts a {@link ScriptedServer} on any free port. */
export async function scriptedServer(measure: FrameMeasure): Promise<ScriptedServer> {
  const arrived = new Deque<ScriptedPeer>();
  const waiting = new Deque<Deferred<ScriptedPeer>>();
  const live = new Set<ScriptedPeer>();
  const listener = await listenTcp({ host: "127.0.0.1", port: 0 }, (socket) => {
    const peer = new ScriptedPeer(measure);
    peer.use(wrapSocket(socket, peer));
    live.add(peer);
    void peer.closed.then(() => live.delete(peer));
    const first = waiting.shift();
    if (first === undefined) arrived.push(peer);
    else first.resolve(peer);
  });
  return {
    port: listener.port,
    accept: () => {
      const peer = arrived.shift();
      if (peer !== undefined) return Promise.resolve(peer);
      const next = deferred<ScriptedPeer>();
      waiting.push(next);
      return next.promise;
    },
    close: async () => {
      await listener.close();
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        next.reject(new Error("the scripted server was closed"));
      }
      const ends = [...live].map((peer) => peer.closed);
      for (const peer of live) peer.destroy();
      await Promise.all(ends);
    },
  };
}
