/** What is counted before the metrics' library is loaded. */
import assert from "node:assert/strict";
import { EarlyMetrics } from "../routes/early_metrics.ts";

Deno.test("what happens before metrics are loaded is counted all the same", async () => {
  const metrics = new EarlyMetrics();
  metrics.request("GET", "/healthz", 200, 0.001);
  metrics.serving({ kind: "device-lost", reason: "a test" });
  const [first] = await Promise.all([metrics.load(), metrics.load()]);
  metrics.request("GET", "/healthz", 200, 0.001);
  const { text } = await metrics.page();
  metrics.close();
  const value = (name: string) => new RegExp(`^${name}\\S* (\\S+)$`, "m").exec(text)?.[1];
  assert.equal(value("latentd_http_requests_total"), "2");
  assert.equal(value("latentd_device_losses_total"), "1");
  assert.equal(first, await metrics.load());
});

Deno.test("metrics that are closed before they are loaded leave no timer", async () => {
  const metrics = new EarlyMetrics();
  metrics.close();
  await metrics.load();
});
