import {
  type BasicProperties,
  type Content,
  type Method,
  type MethodOf,
  PropertiesDecoder,
  PropertiesEncoder,
  RouteDecoder,
  RouteEncoder,
  type SaslMechanism,
  type SyncMethodName,
} from "polymq/amqp091/codec";
import {
  CLIENT_CAPABILITIES,
  type ClientChannel,
  ClientEngine,
  type ClientHandler,
  type EngineTypes,
  TUNING_DEFAULT,
} from "polymq/amqp091/engine";
import { ChunkPool, nodePlatform, Outbox, parseEndpoint, type Transport } from "polymq/transport";

/** A message as it was received. */
export interface Received {
  readonly deliveryTag: number;
  readonly routingKey: string;
  readonly properties: BasicProperties;
  readonly body: Uint8Array;
}

interface Types extends EngineTypes {
  readonly owner: null;
  readonly consumer: null;
  readonly route: null;
  readonly request: (reply: Method) => void;
  readonly message: string;
}

/** An engine on a TCP connection, as short as it can be: what it is told it keeps, and `until` waits for it. */
export class EngineLink {
  readonly received: Received[] = [];
  readonly confirmed: string[] = [];
  /** Everything else, a line each. */
  readonly lines: string[] = [];
  readonly #platform = nodePlatform();
  readonly #routes = new RouteEncoder(this.#platform.text);
  readonly #properties = new PropertiesEncoder(this.#platform.text);
  readonly #decoder = new PropertiesDecoder(this.#platform.text);
  readonly #outbox: Outbox;
  readonly #engine: ClientEngine<Types>;
  readonly #waiting: { readonly met: () => boolean; readonly done: () => void }[] = [];
  #transport: Transport | null = null;

  constructor(mechanism: SaslMechanism, virtualHost = "/") {
    const text = this.#platform.text;
    this.#outbox = new Outbox({
      pool: new ChunkPool(),
      text,
      armFlush: () => void setImmediate(() => this.#flush()),
      highWaterBytes: 10_000_000,
    });
    this.#engine = new ClientEngine<Types>({
      outbox: this.#outbox,
      routes: new RouteDecoder(text),
      tuning: TUNING_DEFAULT,
      bodyBytesMax: 10_000_000,
      assemblyBytesMax: 20_000_000,
      handshakeTimeoutMs: 10_000,
      closeTimeoutMs: 10_000,
      nowMs: 0,
      handler: this.#handler(),
      mechanisms: [mechanism],
      clientProperties: { product: "polymq", capabilities: CLIENT_CAPABILITIES },
      virtualHost,
    });
  }

  /** Connects and writes the protocol header. */
  async dial(port: number): Promise<void> {
    const endpoint = parseEndpoint(`127.0.0.1:${port}`, "amqp", { amqp: port });
    this.#transport = await this.#platform.dial(
      endpoint,
      { kind: "tcp", connectTimeoutMs: 10_000 },
      {
        onBytes: (chunk) => {
          this.#engine.onBytes(chunk, 0);
          this.#look();
        },
        onDrain: () => this.#outbox.drained(),
        onClosed: () => this.#tell("transport closed"),
      },
    );
    this.#outbox.open(this.#transport);
    this.#engine.start();
  }

  openChannel(): ClientChannel<Types> {
    return this.#engine.openChannel(null);
  }

  request(channel: ClientChannel<Types>, method: MethodOf<SyncMethodName>): Promise<Method> {
    return new Promise((resolve) => this.#engine.request(channel, method, resolve));
  }

  publish(
    channel: ClientChannel<Types>,
    routingKey: string,
    body: Uint8Array,
    options: { readonly flags?: number; readonly properties?: BasicProperties; readonly message?: string } = {},
  ): void {
    const block = this.#properties.encode(options.properties ?? null);
    const route = this.#routes.encode("", routingKey);
    this.#engine.publish(channel, route, options.flags ?? 0, block, body, options.message ?? "");
  }

  ack(channel: ClientChannel<Types>, deliveryTag: number): boolean {
    return this.#engine.ack(channel, deliveryTag, false);
  }

  close(): void {
    this.#engine.close();
  }

  /** Resolves once `met` is true. */
  until(met: () => boolean): Promise<void> {
    return new Promise((done) => {
      this.#waiting.push({ met, done });
      this.#look();
    });
  }

  /** Resolves once a line that starts so was told. */
  untilTold(start: string): Promise<void> {
    return this.until(() => this.lines.some((line) => line.startsWith(start)));
  }

  [Symbol.dispose](): void {
    this.#engine.end();
    this.#transport?.destroy();
  }

  #flush(): void {
    this.#engine.beforeFlush();
    this.#outbox.flush();
  }

  #tell(line: string): void {
    this.lines.push(line);
    this.#look();
  }

  #look(): void {
    for (const waiting of this.#waiting.splice(0)) {
      if (waiting.met()) waiting.done();
      else this.#waiting.push(waiting);
    }
  }

  #keep(content: Content<null, null>): void {
    this.received.push({
      deliveryTag: content.deliveryTag,
      routingKey: content.route.routingKey,
      properties: this.#decoder.decode(content.properties, content.propertiesStart, content.propertiesEnd),
      body: content.bodyView().slice(),
    });
  }

  #handler(): ClientHandler<Types> {
    return {
      onOpen: (facts) => this.#tell(`open ${facts.mechanism} ${facts.tuning.frameMax}`),
      onRefused: (reason, during) => this.#tell(`refused in ${during}: ${reason.replyCode}`),
      onChannelOpen: (channel) => this.#tell(`channel ${channel.id} open`),
      onReply: (_channel, request, reply) => request(reply),
      onSecretUpdated: () => this.#tell("secret updated"),
      onDeliver: (channel, content) => {
        this.#engine.expectAck(channel, content.deliveryTag);
        this.#keep(content);
      },
      onGetOk: () => this.#tell("got a message"),
      onReturn: (_channel, content) => this.#tell(`returned ${content.replyCode} ${content.replyText}`),
      onConfirm: (_channel, message, _tag, accepted) => this.confirmed.push(accepted ? message : `refused ${message}`),
      onCancel: (_channel, consumerTag) => this.#tell(`cancelled ${consumerTag}`),
      onBlocked: (reason) => this.#tell(`blocked ${reason}`),
      onChannelClosed: (channel, reason) => this.#tell(`channel ${channel.id} closed: ${reason?.replyCode ?? "asked"}`),
      onFlow: () => this.#tell("flow"),
      onClosed: (reason) => this.#tell(`closed: ${reason?.replyCode ?? "asked"}`),
      onFailed: (error) => this.#tell(`failed: ${error.code} ${error.message}`),
    };
  }
}
