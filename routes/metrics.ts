/** What the server counts and times, for Prometheus. */
import { Counter, Gauge, Histogram, Registry } from "./prometheus.ts";
import type { DeviceInfo, Jobs, Serving, ServingEvent } from "../src/server.ts";

const SECONDS = [
  0.0005,
  0.001,
  0.002,
  0.005,
  0.01,
  0.02,
  0.05,
  0.1,
  0.25,
  0.5,
  1,
  2.5,
  5,
  10,
  30,
  60,
];
const SIZES = [1, 2, 4, 8, 16, 32, 64, 128];

/** What gauges are read from when they are asked for. */
export interface MetricSources {
  readonly jobs: Jobs;
  readonly serving: Serving;
  readonly inFlight: { readonly count: number };
  readonly streams: { readonly count: number };
  readonly bodies: { readonly held: number };
}

/** How the event loop of the serving thread is watched. */
const GAP_RESOLUTION_MS = 10;

export class Metrics {
  readonly registry = new Registry();
  readonly #registers = [this.registry];
  readonly #requests = new Counter({
    name: "latentd_http_requests_total",
    help: "Requests, by method, route and status",
    labelNames: ["method", "route", "status"],
    registers: this.#registers,
  });
  readonly #durations = new Histogram({
    name: "latentd_http_request_duration_seconds",
    help: "From a request to its answer (of streams: to their first byte)",
    labelNames: ["method", "route"],
    buckets: SECONDS,
    registers: this.#registers,
  });
  readonly #inferences = new Counter({
    name: "latentd_inference_requests_total",
    help: "Requests for inference, by class (mean, samples, job) and outcome",
    labelNames: ["class", "outcome"],
    registers: this.#registers,
  });
  readonly #inferenceSeconds = new Histogram({
    name: "latentd_inference_duration_seconds",
    help: "Requests for inference: waiting for the device, and on it",
    labelNames: ["class", "part"],
    buckets: SECONDS,
    registers: this.#registers,
  });
  readonly #launches = new Histogram({
    name: "latentd_inference_launch_duration_seconds",
    help: "Launches on the device, by class",
    labelNames: ["class"],
    buckets: SECONDS,
    registers: this.#registers,
  });
  readonly #batches = new Histogram({
    name: "latentd_inference_batch_trials",
    help: "Trials that shared a launch",
    buckets: SIZES,
    registers: this.#registers,
  });
  readonly #sharing = new Histogram({
    name: "latentd_inference_batch_requests",
    help: "Requests that shared a launch",
    buckets: SIZES,
    registers: this.#registers,
  });
  readonly #jobs = new Counter({
    name: "latentd_jobs_total",
    help: "Fixed points and generated trials, by outcome",
    labelNames: ["job", "outcome"],
    registers: this.#registers,
  });
  readonly #device = new Gauge({
    name: "latentd_device_info",
    help: "1 for the device that infers",
    labelNames: ["device", "adapter", "arithmetic", "reason"],
    registers: this.#registers,
  });
  readonly #losses = new Counter({
    name: "latentd_device_losses_total",
    help: "How often the device was lost",
    registers: this.#registers,
  });
  readonly #gap = new Gauge({
    name: "latentd_event_loop_gap_seconds",
    help: `Longest time since the last scrape that the serving thread answered nothing (beyond ` +
      `${GAP_RESOLUTION_MS} ms, at which it is looked at)`,
    registers: this.#registers,
  });
  #largestGap = 0;
  readonly #watch: ReturnType<typeof setInterval>;

  constructor() {
    let last = performance.now();
    this.#watch = setInterval(() => {
      const now = performance.now();
      this.#largestGap = Math.max(this.#largestGap, now - last - GAP_RESOLUTION_MS);
      last = now;
    }, GAP_RESOLUTION_MS);
    Deno.unrefTimer(Number(this.#watch));
  }

  /** Registers what is read when it is asked for. */
  attach({ jobs, serving, inFlight, streams, bodies }: MetricSources): void {
    const registers = this.#registers;
    type Values = readonly (readonly [Readonly<Record<string, string>>, number])[];
    const labelled = (
      name: string,
      help: string,
      labelNames: readonly string[],
      read: () => Values | Promise<Values>,
    ) =>
      new Gauge({
        name,
        help,
        labelNames,
        registers,
        async collect() {
          const values = await read();
          this.reset();
          for (const [labels, value] of values) this.set(labels, value);
        },
      });
    const plain = (name: string, help: string, read: () => number) =>
      labelled(name, help, [], () => [[{}, read()]]);
    const running = async () =>
      await Promise.all(jobs.running.map(async ({ run }) => {
        const { step, stepsPerSecond, deviceInfo } = await jobs.runs.get(run);
        return { labels: { run, device: deviceInfo?.name ?? "" }, step, rate: stepsPerSecond };
      }));

    plain(
      "latentd_http_requests_in_flight",
      "Requests that are being answered",
      () => inFlight.count,
    );
    plain("latentd_http_streams", "Streams of events that are open", () => streams.count);
    plain("latentd_http_body_bytes", "Bytes of bodies that are held", () => bodies.held);
    labelled(
      "latentd_inference_waiting",
      "Requests that wait for the device or are on it, by class",
      ["class"],
      () => Object.entries(serving.statistics().waiting).map(([name, n]) => [{ class: name }, n]),
    );
    plain(
      "latentd_inference_model_bytes",
      "Parameters and programs that the device keeps",
      () => serving.statistics().modelBytes,
    );
    plain(
      "latentd_device_ready",
      "1 while the device answers",
      () => serving.readiness().ready ? 1 : 0,
    );
    labelled("latentd_runs", "Runs, by state", ["state"], async () => {
      const { runs } = await jobs.counts();
      return Object.entries(runs).map(([state, n]) => [{ state }, n]);
    });
    labelled("latentd_stored", "Datasets and models", ["kind"], async () => {
      const { datasets, models } = await jobs.counts();
      return [[{ kind: "dataset" }, datasets], [{ kind: "model" }, models]];
    });
    labelled(
      "latentd_run_step",
      "Steps made by the runs that train",
      ["run", "device"],
      async () => (await running()).map(({ labels, step }) => [labels, step]),
    );
    labelled(
      "latentd_run_steps_per_second",
      "Steps per second of the runs that train",
      ["run", "device"],
      async () => (await running()).map(({ labels, rate }) => [labels, rate ?? 0]),
    );
    plain(
      "latentd_memory_bytes",
      "Resident memory of the server's process",
      () => Deno.memoryUsage().rss,
    );
  }

  /** A request that was answered. */
  request(method: string, route: string, status: number, seconds: number): void {
    this.#requests.inc({ method, route, status: String(status) });
    this.#durations.observe({ method, route }, seconds);
  }

  /** What the serving device tells. */
  serving(event: ServingEvent): void {
    switch (event.kind) {
      case "launch":
        this.#launches.observe({ class: event.class }, event.computeMs / 1000);
        this.#batches.observe(event.trials);
        this.#sharing.observe(event.requests);
        break;
      case "slice":
        this.#launches.observe({ class: "job" }, event.computeMs / 1000);
        break;
      case "request":
        this.#inferences.inc({ class: event.class, outcome: event.outcome });
        this.#inferenceSeconds.observe({ class: event.class, part: "queue" }, event.queueMs / 1000);
        this.#inferenceSeconds.observe(
          { class: event.class, part: "compute" },
          event.computeMs / 1000,
        );
        break;
      case "job":
        this.#jobs.inc({ job: event.job, outcome: event.outcome });
        break;
      case "device-opened":
        this.#setDevice(event.device);
        break;
      case "device-lost":
        this.#losses.inc();
        break;
    }
  }

  /** The page that Prometheus reads. */
  async page(): Promise<{ text: string; type: string }> {
    this.#gap.set(this.#largestGap / 1000);
    this.#largestGap = 0;
    return { text: await this.registry.metrics(), type: this.registry.contentType };
  }

  close(): void {
    clearInterval(this.#watch);
  }

  #setDevice({ name, adapter = "", arithmetic, reason }: DeviceInfo): void {
    this.#device.reset();
    this.#device.set({ device: name, adapter, arithmetic, reason }, 1);
  }
}
