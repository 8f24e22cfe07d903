/** A sample's labels. */
export type Labels = Readonly<Record<string, string>>;

/** Writes metrics in Prometheus' text format, version 0.0.4. */
export class PrometheusText {
  readonly #lines: string[] = [];

  /** One metric with one sample. */
  single(name: string, type: "counter" | "gauge", help: string, value: number): void {
    this.begin(name, type, help);
    this.sample(name, {}, value);
  }

  /** Begins a metric, whose samples follow. */
  begin(name: string, type: "counter" | "gauge", help: string): void {
    this.#lines.push(`# HELP ${name} ${escaped(help)}`, `# TYPE ${name} ${type}`);
  }

  sample(name: string, labels: Labels, value: number): void {
    const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text).replaceAll('"', '\\"')}"`);
    this.#lines.push(`${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${value}`);
  }

  toString(): string {
    return `${this.#lines.join("\n")}\n`;
  }
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}
