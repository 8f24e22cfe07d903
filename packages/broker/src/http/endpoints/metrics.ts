import type { HubInspection } from "../../core/inspection.ts";
import type { QueueInspection } from "../../core/queues/queue-inspection.ts";
import type { Endpoint } from "../endpoint.ts";
import type { HttpContext } from "../http-context.ts";
import { BROKER_METRICS, CORE_METRICS, type MetricRow, metricName, QUEUE_METRICS } from "../metric-table.ts";
import { PrometheusText } from "../prometheus.ts";
import { TEXT } from "../schemas.ts";

/** Queues that have samples of their own; the others are counted in the totals only. */
const QUEUES_MAX = 1_000;

/** `GET /metrics`: everything that is counted, for Prometheus. */
export const METRICS_ENDPOINTS: readonly Endpoint[] = [
  {
    id: "getMetrics",
    method: "GET",
    path: "/metrics",
    summary: "All counters, for Prometheus",
    tag: "health",
    access: "token",
    responses: {
      200: {
        description: "Prometheus' text format",
        mediaType: "text/plain; version=0.0.4; charset=utf-8",
        schema: TEXT,
      },
    },
    handle: (_call, context) => ({ status: 200, body: metricsText(context) }),
  },
];

function metricsText(context: HttpContext): string {
  const { hub, metrics, version, startedAtMs } = context;
  const text = new PrometheusText();
  const inspection = hub.inspect();
  text.begin("polymq_info", "gauge", "The broker and what its acknowledgements promise");
  text.sample("polymq_info", { version, durability: inspection.durability }, 1);
  text.single("polymq_uptime_seconds", "gauge", "Time since the broker started", (hub.epochMs() - startedAtMs) / 1000);
  addAll(text, "polymq", BROKER_METRICS, metrics.snapshot());
  addAll(text, "polymq", CORE_METRICS, inspection.statistics);
  addLevels(text, inspection, context);
  addQueues(text, inspection.queues);
  return text.toString();
}

function addAll(
  text: PrometheusText,
  prefix: string,
  rows: Readonly<Record<string, MetricRow>>,
  values: Readonly<Record<string, number>>,
): void {
  for (const [name, row] of Object.entries(rows)) {
    text.single(metricName(prefix, name, row), row[0], row[1], values[name] ?? 0);
  }
}

function addLevels(text: PrometheusText, inspection: HubInspection, { hub }: HttpContext): void {
  const { alarms } = hub.topology;
  const levels: readonly (readonly [name: string, help: string, value: number])[] = [
    ["sessions", "Sessions, with and without a connection", inspection.sessionCount],
    ["sessions_attached", "Sessions with a connection", inspection.attachedCount],
    ["subscriptions", "Subscriptions, members of shared ones included", inspection.subscriptionCount],
    ["shared_subscriptions", "Members of shared subscriptions", inspection.sharedSubscriptionCount],
    ["retained_messages", "Retained messages", inspection.retainedCount],
    ["retained_bytes", "Bytes of retained messages", inspection.retainedBytes],
    ["queues", "Queues", inspection.queues.length],
    ["queue_memory_bytes", "Bytes of queued messages in memory", hub.queues.bytesInMemory],
    ["alarm_memory", "1 while memory is short", Number(alarms.reasons.includes("memory"))],
    ["alarm_disk", "1 while the disk is short", Number(alarms.reasons.includes("disk"))],
  ];
  for (const [name, help, value] of levels) text.single(`polymq_${name}`, "gauge", help, value);
  text.single("polymq_commits_total", "counter", "Batches written to the store", inspection.commits);
  const { rss } = process.memoryUsage();
  text.single("process_resident_memory_bytes", "gauge", "Resident memory of the process", rss);
  const { user, system } = process.cpuUsage();
  text.single("process_cpu_seconds_total", "counter", "CPU time of the process", (user + system) / 1e6);
}

function addQueues(text: PrometheusText, queues: readonly QueueInspection[]): void {
  const shown = queues.slice(0, QUEUES_MAX);
  const levels: readonly (readonly [name: string, help: string, of: (queue: QueueInspection) => number])[] = [
    ["depth", "Messages that not every work group has settled", (queue) => queue.depth],
    ["bytes", "Bytes of the messages that are kept", (queue) => queue.bytes],
    ["delayed", "Messages that are to be delivered later", (queue) => queue.delayed],
    ["consumers", "Consumers in all groups", consumersOf],
    ["pending", "Messages that consumers work on now", pendingOf],
  ];
  for (const [name, help, levelOf] of levels) {
    text.begin(`polymq_queue_${name}`, "gauge", help);
    for (const queue of shown) text.sample(`polymq_queue_${name}`, { queue: queue.name }, levelOf(queue));
  }
  for (const [name, row] of Object.entries(QUEUE_METRICS)) {
    const metric = metricName("polymq_queue", name, row);
    text.begin(metric, row[0], row[1]);
    for (const queue of shown) {
      text.sample(metric, { queue: queue.name }, queue.statistics[name as keyof typeof QUEUE_METRICS]);
    }
  }
}

function consumersOf(queue: QueueInspection): number {
  return queue.groups.reduce((sum, group) => sum + group.members.length, 0);
}

function pendingOf(queue: QueueInspection): number {
  return queue.groups.reduce((sum, group) => sum + group.pending, 0);
}
