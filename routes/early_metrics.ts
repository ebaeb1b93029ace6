/** The server's metrics before their library is loaded: a server listens sooner without, and counts all. */
import type { ServingEvent } from "../src/server.ts";
import type { Metrics, MetricSources } from "./metrics.ts";

/** Metrics; what happens before `load` is counted then. */
export class EarlyMetrics implements Pick<Metrics, "request" | "serving" | "page" | "close"> {
  #metrics: Metrics | null = null;
  #loading: Promise<Metrics> | null = null;
  #closed = false;
  readonly #waiting: ((metrics: Metrics) => void)[] = [];

  /** Loads what counts, and counts what waits. */
  load(): Promise<Metrics> {
    return this.#loading ??= this.#load();
  }

  async #load(): Promise<Metrics> {
    const { Metrics } = await import("./metrics.ts");
    const metrics = this.#metrics = new Metrics();
    if (this.#closed) metrics.close();
    for (const what of this.#waiting.splice(0)) what(metrics);
    return metrics;
  }

  #tell(what: (metrics: Metrics) => void): void {
    if (this.#metrics) what(this.#metrics);
    else this.#waiting.push(what);
  }

  /** See `Metrics`. */
  attach(sources: MetricSources): void {
    this.#tell((metrics) => metrics.attach(sources));
  }

  request(method: string, route: string, status: number, seconds: number): void {
    this.#tell((metrics) => metrics.request(method, route, status, seconds));
  }

  serving(event: ServingEvent): void {
    this.#tell((metrics) => metrics.serving(event));
  }

  async page(): Promise<{ text: string; type: string }> {
    return await (await this.load()).page();
  }

  close(): void {
    this.#closed = true;
    this.#metrics?.close();
  }
}
