import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

const PAGE = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>polymq</title><script type="module" src="/page.js"></script>`;

/** Serves an empty page and its scripts. */
export class PageServer implements AsyncDisposable {
  /** Scripts asked for so far, by file name. */
  readonly asked: string[] = [];
  /** Those that are to be answered with 503. */
  readonly refused: Set<string> = new Set();
  readonly #server: Server;
  readonly #scripts: ReadonlyMap<string, string>;

  private constructor(scripts: ReadonlyMap<string, string>) {
    this.#scripts = scripts;
    this.#server = createServer((request, response) => this.#answer(request.url ?? "", response));
  }

  static async start(scripts: ReadonlyMap<string, string>): Promise<PageServer> {
    const started = new PageServer(scripts);
    const server = started.#server;
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return started;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  #answer(url: string, response: ServerResponse): void {
    const name = url.slice(1);
    const script = this.#scripts.get(name);
    if (script !== undefined) this.asked.push(name);
    response.statusCode = this.refused.has(name) ? 503 : 200;
    response.setHeader("content-type", `text/${script === undefined ? "html" : "javascript"}; charset=utf-8`);
    response.end(script ?? PAGE);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}
