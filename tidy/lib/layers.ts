/** What a layer may import besides itself: values, and types only. */
export interface LayerRule {
  readonly values: readonly string[];
  readonly types?: readonly string[];
}

/** The layers of one package: the layer of a path below `src/`, and each layer's rule. */
export interface LayerTable {
  readonly layerOf: (path: string) => string | null;
  readonly rules: ReadonlyMap<string, LayerRule>;
}

const PROTOCOLS = ["mqtt", "amqp091", "amqp10"];
const FOUNDATION = ["base", "bytes"];
const BELOW_PROTOCOLS = [...FOUNDATION, "transport", "supervisor", "store"];

/** The layers of `packages/polymq/src`, lowest first (ARCHITECTURE.md, "Layers"). */
export const POLYMQ_LAYERS: LayerTable = { layerOf: polymqLayer, rules: new Map(polymqRules()) };

function polymqRules(): [string, LayerRule][] {
  const protocolLayers = PROTOCOLS.flatMap((name) => [`${name}/codec`, `${name}/engine`, `${name}/client`, name]);
  return [
    ["base", { values: [] }],
    ["bytes", { values: ["base"] }],
    ["transport", { values: FOUNDATION }],
    ["supervisor", { values: [...FOUNDATION, "transport"] }],
    ["store", { values: FOUNDATION }],
    ...PROTOCOLS.flatMap(protocolRules),
    ["testing", { values: [...BELOW_PROTOCOLS, ...protocolLayers] }],
    ["internal", { values: [...BELOW_PROTOCOLS, ...protocolLayers] }],
    ["unified", { values: [...BELOW_PROTOCOLS, ...protocolLayers] }],
    ["otel", { values: ["base"], types: ["unified"] }],
  ];
}

/** Inside a protocol: codec < engine < client < its entry points; no protocol ever sees another one. */
function protocolRules(name: string): [string, LayerRule][] {
  const [codec, engine, client] = [`${name}/codec`, `${name}/engine`, `${name}/client`];
  return [
    [codec, { values: FOUNDATION }],
    [engine, { values: [...FOUNDATION, codec], types: ["transport", "store"] }],
    [client, { values: [...BELOW_PROTOCOLS, codec, engine] }],
    [name, { values: [...BELOW_PROTOCOLS, codec, engine, client] }],
  ];
}

function polymqLayer(path: string): string | null {
  const [first = "", second] = path.split("/");
  if (second === undefined) return TOP_FILES.get(first) ?? null;
  if (!PROTOCOLS.includes(first)) return POLYMQ_FOLDERS.has(first) ? first : null;
  return ["codec", "engine", "client"].includes(second) ? `${first}/${second}` : first;
}

const POLYMQ_FOLDERS = new Set([...BELOW_PROTOCOLS, "testing", "unified", "otel"]);
const TOP_FILES = new Map([
  ["index.ts", "unified"],
  ["index.browser.ts", "unified"],
  ["internal.ts", "internal"],
]);

const BROKER_CORE = ["base", "storage", "core"];
const BROKER_SERVICES = [...BROKER_CORE, "auth", "metrics"];

/** The layers of `packages/broker/src`: storage < core < sessions < listeners < broker.ts. */
export const BROKER_LAYERS: LayerTable = {
  layerOf: brokerLayer,
  rules: new Map<string, LayerRule>([
    ["base", { values: [] }],
    ["storage", { values: ["base"] }],
    ["core", { values: ["base", "storage"] }],
    ["auth", { values: BROKER_CORE }],
    ["metrics", { values: BROKER_CORE }],
    ["sessions", { values: BROKER_SERVICES }],
    ["http", { values: [...BROKER_SERVICES, "sessions"] }],
    ["listeners", { values: [...BROKER_SERVICES, "sessions", "http"] }],
    ["top", { values: [...BROKER_SERVICES, "sessions", "http", "listeners"] }],
  ]),
};

function brokerLayer(path: string): string | null {
  const [first = "", second] = path.split("/");
  if (second === undefined || first === "testing" || first === "config") return "top";
  return BROKER_LAYERS.rules.has(first) ? first : null;
}
