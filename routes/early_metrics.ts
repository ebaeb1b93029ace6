/** The server's metrics before their library is loaded: a server listens sooner without, and counts all. */
import type { ServingEvent } from "../src/server.ts";
import { Early } from "./early.ts";
import type { Metrics, MetricSources } from "./metrics.ts";

/** Metrics; what happens before `load` is counted then. */
export class EarlyMetrics implements Pick<Metrics, "request" | "serving" | "page" | "close"> {
  #loading: Promise<Metrics> | null = null;
  readonly #early = new Early<Metrics>();

  /** Loads what counts, and counts what waits. */
  load(): Promise<Metrics> {
    return this.#loading ??= this.#load();
  }

  async #load(): Promise<Metrics> {
    const { Metrics } = await import("./metrics.ts");
    const metrics = new Metrics();
    this.#early.arrived(metrics);
    return metrics;
  }

  /** See `Metrics`. */
  attach(sources: MetricSources): void {
    this.#early.tell((metrics) => metrics.attach(sources));
  }

  request(method: string, route: string, status: number, seconds: number): void {
    this.#early.tell((metrics) => metrics.request(method, route, status, seconds));
  }

  serving(event: ServingEvent): void {
    this.#early.tell((metrics) => metrics.serving(event));
  }

  async page(): Promise<{ text: string; type: string }> {
    return await (await this.load()).page();
  }

  close(): void {
    this.#early.tell((metrics) => metrics.close());
  }
}
