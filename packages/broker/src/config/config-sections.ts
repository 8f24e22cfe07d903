/** Keys that are known below a section: what stands below them is of no interest, has known keys itself, or is a list of mappings with known keys. */
export interface KnownKeys {
  readonly [name: string]: "any" | KnownKeys | readonly [KnownKeys];
}

const RATE: KnownKeys = { enabled: "any", rate: "any", burst: "any" };

const RETRY: KnownKeys = { max_attempts: "any", initial_interval: "any", max_interval: "any", multiplier: "any" };

const RAFT_GROUP: KnownKeys = {
  bind_addr: "any",
  data_dir: "any",
  peers: "any",
  replication_factor: "any",
  sync_mode: "any",
  min_in_sync_replicas: "any",
  ack_timeout: "any",
  heartbeat_timeout: "any",
  election_timeout: "any",
  snapshot_interval: "any",
  snapshot_threshold: "any",
};

/** FluxMQ's section `log`. */
export const LOG_KEYS: KnownKeys = { level: "any", format: "any" };

/** FluxMQ's section `cluster`, besides `enabled`. */
export const CLUSTER_KEYS: KnownKeys = {
  node_id: "any",
  etcd: {
    data_dir: "any",
    bind_addr: "any",
    client_addr: "any",
    initial_cluster: "any",
    bootstrap: "any",
    hybrid_retained_size_threshold: "any",
  },
  transport: {
    bind_addr: "any",
    peers: "any",
    route_batch_max_size: "any",
    route_batch_max_delay: "any",
    route_batch_flush_workers: "any",
    route_publish_timeout: "any",
    tls_enabled: "any",
    tls_cert_file: "any",
    tls_key_file: "any",
    tls_ca_file: "any",
  },
  raft: {
    ...RAFT_GROUP,
    enabled: "any",
    auto_provision_groups: "any",
    write_policy: "any",
    distribution_mode: "any",
    groups: "any",
  },
};

/** FluxMQ's section `webhook`, besides `enabled`. */
export const WEBHOOK_KEYS: KnownKeys = {
  queue_size: "any",
  drop_policy: "any",
  workers: "any",
  include_payload: "any",
  shutdown_timeout: "any",
  defaults: {
    timeout: "any",
    retry: RETRY,
    circuit_breaker: { failure_threshold: "any", reset_timeout: "any" },
  },
  endpoints: [
    {
      name: "any",
      type: "any",
      url: "any",
      events: "any",
      topic_filters: "any",
      headers: "any",
      timeout: "any",
      retry: RETRY,
    },
  ],
};

/** FluxMQ's section `ratelimit`, besides `enabled`. */
export const RATE_LIMIT_KEYS: KnownKeys = {
  connection: { ...RATE, cleanup_interval: "any" },
  message: RATE,
  subscribe: RATE,
};

/** FluxMQ's section `hooks`, besides `url`. */
export const HOOK_KEYS: KnownKeys = {
  transport: "any",
  timeout: "any",
  fail_mode: "any",
  protocols: "any",
  events: "any",
};

/** FluxMQ's section `auth.external`, besides `url`. */
export const EXTERNAL_AUTH_KEYS: KnownKeys = {
  transport: "any",
  timeout: "any",
  protocols: "any",
  identity_cache_size: "any",
  identity_cache_ttl: "any",
  tls: { cert_file: "any", key_file: "any", ca_file: "any", server_name: "any", min_version: "any" },
};

/** A queue's `replication`, besides `enabled`. */
export const REPLICATION_KEYS: KnownKeys = {
  group: "any",
  replication_factor: "any",
  mode: "any",
  min_in_sync_replicas: "any",
  ack_timeout: "any",
  heartbeat_timeout: "any",
  election_timeout: "any",
  snapshot_interval: "any",
  snapshot_threshold: "any",
};

/** What a listener without a protocol here can say besides its address. */
export const LISTENER_KEYS: KnownKeys = {
  cert_file: "any",
  key_file: "any",
  server_ca_file: "any",
  ca_file: "any",
  client_auth: "any",
  min_version: "any",
  cipher_suites: "any",
  prefer_server_cipher_suites: "any",
  ocsp: "any",
  crl: "any",
};
