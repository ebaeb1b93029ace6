/** Spans with names that say something, where OTEL_DENO asks for them. */
import type { ServingEvent } from "../src/server.ts";

export interface Tracing {
  /** Names the span of the request that is being answered. */
  request(method: string, route: string, id: string): void;
  /** What the serving device did. */
  serving(event: ServingEvent): void;
}

const NONE: Tracing = { request: () => {}, serving: () => {} };

export async function createTracing(on: boolean): Promise<Tracing> {
  if (!on) return NONE;
  const { trace } = await import("@opentelemetry/api");
  const tracer = trace.getTracer("latentd");
  const past = (name: string, ms: number, attributes: Record<string, string | number>) => {
    const end = Date.now();
    tracer.startSpan(name, { startTime: end - ms, attributes, root: true }).end(end);
  };
  return {
    request(method, route, id) {
      const span = trace.getActiveSpan();
      span?.updateName(`${method} ${route}`);
      span?.setAttributes({ "http.route": route, "latentd.request": id });
    },
    serving(event) {
      switch (event.kind) {
        case "launch":
          return past(`launch ${event.class}`, event.computeMs, {
            "latentd.model": event.model,
            "latentd.trials": event.trials,
            "latentd.requests": event.requests,
            "latentd.samples": event.samples,
          });
        case "job":
          return past(event.job, event.totalMs, {
            "latentd.model": event.model,
            "latentd.outcome": event.outcome,
          });
        case "device-opened":
          return past("open the device", event.openMs, { "latentd.device": event.device.name });
      }
    },
  };
}
