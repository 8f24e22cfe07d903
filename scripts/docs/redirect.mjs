/**
 * Loaded before a code block's program (`node --import`): connections to the hosts that documents name go to the embedded
 * broker of the check, whose ports stand in POLYMQ_DOCS_PORT and POLYMQ_DOCS_TLS_PORT, and servers that ask for a
 * well-known port get a free one. A connection to anywhere else beyond this machine fails. `printed(text)` becomes a
 * global: a promise for a line of console.log that holds the text. With POLYMQ_DOCS_STOP_AFTER_MS the process gets SIGINT so
 * long after its first connection or listening port.
 */
import { Server, Socket } from "node:net";
import tls from "node:tls";
import { format } from "node:util";

const TLS_PORTS = new Set([443, 5671, 8443, 8883, 8884]);
const PLAIN_PORTS = new Set([80, 1883, 1884, 5672, 8080, 8083]);
const LOOPBACK = new Set(["127.0.0.1", "::1", "localhost"]);
const EXAMPLE_HOST = /\.example(\.com|\.org)?$/;
const STOP_AFTER_MS = Number(process.env.POLYMQ_DOCS_STOP_AFTER_MS ?? 0);
const PRINT_DEADLINE_MS = 15_000;

/** What this process itself listens on: the well-known port -> the free one. */
const own = new Map();

const { connect } = Socket.prototype;
Socket.prototype.connect = function connectRedirected(...args) {
  // Node hands over its own list of [options, callback] or what the caller gave.
  const first = args[0];
  this.once("connect", stopSoon);
  if (Array.isArray(first)) first[0] = redirected(first[0]);
  else if (typeof first === "object" && first !== null) args[0] = redirected(first);
  return Reflect.apply(connect, this, args);
};

const { listen } = Server.prototype;
Server.prototype.listen = function listenAnywhere(...args) {
  const options = args[0];
  this.once("listening", stopSoon);
  const wanted = typeof options === "object" && options !== null ? Number(options.port) : 0;
  if (!isWellKnown(wanted)) return Reflect.apply(listen, this, args);
  this.once("listening", () => own.set(wanted, this.address().port));
  return Reflect.apply(listen, this, [{ ...options, port: 0 }, ...args.slice(1)]);
};

// The check's certificate is for localhost; documents say broker.example.
const { checkServerIdentity } = tls;
tls.checkServerIdentity = (host, certificate) =>
  checkServerIdentity(EXAMPLE_HOST.test(host) ? "localhost" : host, certificate);

let stopping = STOP_AFTER_MS === 0;
function stopSoon() {
  if (stopping) return;
  stopping = true;
  setTimeout(() => process.kill(process.pid, "SIGINT"), STOP_AFTER_MS).unref();
}

function redirected(options) {
  if (options.path !== undefined && options.path !== null && options.port === undefined) return options;
  const host = options.host ?? "localhost";
  const port = Number(options.port);
  if (isWellKnown(port)) return { ...options, host: "127.0.0.1", port: own.get(port) ?? checkPort(port) };
  if (!LOOPBACK.has(host)) throw new Error(`${host}:${port} is no address that the documents' check knows`);
  return options;
}

function isWellKnown(port) {
  return PLAIN_PORTS.has(port) || TLS_PORTS.has(port);
}

function checkPort(port) {
  return Number(TLS_PORTS.has(port) ? process.env.POLYMQ_DOCS_TLS_PORT : process.env.POLYMQ_DOCS_PORT);
}

const lines = [];
const waiting = new Set();
const { log } = console;
console.log = (...args) => {
  lines.push(format(...args));
  for (const wake of waiting) wake();
  log(...args);
};

globalThis.printed = (text) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => finish(() => reject(new Error(`never printed: ${text}`))), PRINT_DEADLINE_MS);
    const finish = (settle) => {
      clearTimeout(timer);
      waiting.delete(look);
      settle();
    };
    const look = () => {
      if (lines.some((line) => line.includes(text))) finish(resolve);
    };
    waiting.add(look);
    look();
  });
