import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { type Broker, startBroker } from "@polymq/broker";
import { build } from "esbuild";

const PAGE = fileURLToPath(new URL("../page/", import.meta.url));

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  json: "application/json",
};

/** Where a site listens and keeps things. */
export interface SiteOptions {
  /** Of the page; 0 takes any free port. */
  readonly port: number;
  /** Of the broker; 0 takes any free port, and keeps it from then on. */
  readonly brokerPort: number;
  /** What the broker keeps survives its restart there. */
  readonly dataDir: string;
}

/** The page on one port of this machine, and on another one the embedded broker that it talks to. */
export class Site implements AsyncDisposable {
  readonly #server: Server;
  readonly #files: ReadonlyMap<string, string>;
  readonly #dataDir: string;
  #brokerPort: number;
  #broker: Broker | null = null;

  private constructor(files: ReadonlyMap<string, string>, { brokerPort, dataDir }: SiteOptions) {
    this.#files = files;
    this.#brokerPort = brokerPort;
    this.#dataDir = dataDir;
    this.#server = createServer((request, response) => this.#answer(request.url ?? "/", response));
  }

  /** Bundles the page and serves it; resolves when page and broker can be used. */
  static async start(options: SiteOptions): Promise<Site> {
    const site = new Site(await bundlePage(), options);
    site.#server.listen(options.port, "127.0.0.1");
    await once(site.#server, "listening");
    try {
      await site.startBroker();
    } catch (error) {
      await site.close();
      throw error;
    }
    return site;
  }

  /** The page's address. */
  get url(): string {
    return `http://127.0.0.1:${this.#port}/`;
  }

  /** The broker's address for other programs; over WebSocket it is the same port. */
  get brokerUrl(): string {
    return `mqtt://127.0.0.1:${this.#brokerPort}`;
  }

  get #port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Starts the broker where it was before. */
  async startBroker(): Promise<void> {
    // No other page gets in: browsers say where a page is from.
    const origins = [`http://127.0.0.1:${this.#port}`, `http://localhost:${this.#port}`];
    this.#broker = await startBroker({ port: this.#brokerPort, dataDir: this.#dataDir, webSocket: { origins } });
    this.#brokerPort = this.#broker.port;
  }

  async stopBroker(): Promise<void> {
    await this.#broker?.close();
    this.#broker = null;
  }

  async close(): Promise<void> {
    await this.stopBroker();
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #answer(url: string, response: ServerResponse): void {
    const [path = "/"] = url.split("?");
    const name = path === "/" ? "index.html" : path.slice(1);
    const broker = JSON.stringify({ url: `ws://127.0.0.1:${this.#brokerPort}` });
    const text = name === "broker.json" ? broker : this.#files.get(name);
    const type = TYPES[name.slice(name.lastIndexOf(".") + 1)] ?? "text/plain";
    response.writeHead(text === undefined ? 404 : 200, { "content-type": type, "cache-control": "no-store" });
    response.end(text ?? "not found\n");
  }
}

/** The page's files by name. What a protocol needs is a file of its own, which the page loads when it uses the protocol. */
async function bundlePage(): Promise<ReadonlyMap<string, string>> {
  const result = await build({
    entryPoints: [`${PAGE}main.ts`, `${PAGE}page.css`],
    outdir: PAGE,
    bundle: true,
    splitting: true,
    minify: true,
    write: false,
    platform: "browser",
    format: "esm",
    target: "es2022",
    logLevel: "silent",
  });
  const built = result.outputFiles.map((file) => [basename(file.path), file.text] as const);
  return new Map([...built, ["index.html", await readFile(`${PAGE}index.html`, "utf8")]]);
}
