/**
 * Counters, gauges and histograms, and Prometheus' text format for them
 * (exposition format 0.0.4).
 *
 * The library that is usual for it brings a package along over which `deno
 * compile` breaks, for summaries, which nobody here needs.
 *
 * @module
 */

/** The values of a metric's labels, by name. */
export type Labels = Readonly<Record<string, string>>;

/** What every metric has. */
interface MetricDescription {
  /** Its name, with the prefix. */
  name: string;
  /** One sentence. */
  help: string;
}

/** Some metrics. */
export class Registry {
  /** The type of what `text()` returns. */
  readonly contentType = "text/plain; version=0.0.4; charset=utf-8";
  readonly #metrics: Metric[] = [];

  /** Adds one, and returns it. */
  add<M extends Metric>(metric: M): M {
    this.#metrics.push(metric);
    return metric;
  }

  /** All of them, as they are now. */
  text(): string {
    return this.#metrics.map((metric) => metric.text()).join("\n");
  }
}

/** One metric. */
abstract class Metric {
  readonly #description: MetricDescription;
  readonly #type: string;

  constructor(type: string, description: MetricDescription) {
    this.#type = type;
    this.#description = description;
  }

  /** Its lines. */
  text(): string {
    const { name, help } = this.#description;
    const lines = this.samples().map(([suffix, labels, value]) =>
      `${name}${suffix}${labelText(labels)} ${value}`
    );
    const escaped = help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
    return [
      `# HELP ${name} ${escaped}`,
      `# TYPE ${name} ${this.#type}`,
      ...lines,
      "",
    ].join("\n");
  }

  /** What comes behind the name, the labels, and the value of each sample. */
  protected abstract samples(): [string, Labels, number][];
}

/** What only rises. */
export class Counter extends Metric {
  readonly #values = new Map<string, { labels: Labels; value: number }>();

  /**
   * All at 0.
   *
   * @param options.series the labels of each; one without, if left out
   */
  constructor(options: MetricDescription & { series?: readonly Labels[] }) {
    super("counter", options);
    for (const labels of options.series ?? [{}]) this.#at(labels);
  }

  /** Counts one more. */
  inc(labels: Labels = {}): void {
    this.#at(labels).value++;
  }

  /** See `Metric`. */
  protected override samples(): [string, Labels, number][] {
    return [...this.#values.values()].map((
      { labels, value },
    ) => ["", labels, value]);
  }

  #at(labels: Labels): { value: number } {
    const key = labelText(labels);
    let found = this.#values.get(key);
    if (!found) this.#values.set(key, found = { labels, value: 0 });
    return found;
  }
}

/** What is read when somebody asks. */
export class Gauge extends Metric {
  readonly #read: () => [Labels, number][];

  /**
   * One that is read.
   *
   * @param options.read the labels and the value of each series
   */
  constructor(options: MetricDescription & { read(): [Labels, number][] }) {
    super("gauge", options);
    this.#read = options.read;
  }

  /** See `Metric`. */
  protected override samples(): [string, Labels, number][] {
    return this.#read().map(([labels, value]) => ["", labels, value]);
  }
}

/** How often something was at most as large as each of some bounds. */
export class Histogram extends Metric {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #count = 0;
  #sum = 0;

  /**
   * With nothing observed.
   *
   * @param options.bounds rising; infinity is added
   */
  constructor(options: MetricDescription & { bounds: readonly number[] }) {
    super("histogram", options);
    this.#bounds = options.bounds;
    this.#counts = options.bounds.map(() => 0);
  }

  /** Takes note of a value. */
  observe(value: number): void {
    this.#count++;
    this.#sum += value;
    for (const [i, bound] of this.#bounds.entries()) {
      if (value <= bound) this.#counts[i]!++;
    }
  }

  /** See `Metric`. */
  protected override samples(): [string, Labels, number][] {
    return [
      ...this.#bounds.map((bound, i): [string, Labels, number] => [
        "_bucket",
        { le: String(bound) },
        this.#counts[i]!,
      ]),
      ["_bucket", { le: "+Inf" }, this.#count],
      ["_sum", {}, this.#sum],
      ["_count", {}, this.#count],
    ];
  }
}

/** Labels in braces; nothing where there are none. */
function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => {
    const escaped = value.replaceAll("\\", "\\\\").replaceAll('"', '\\"')
      .replaceAll("\n", "\\n");
    return `${name}="${escaped}"`;
  });
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}
