/// <reference lib="deno.worker" />
/** The device's worker, which ends or hangs when it is told to. */
import "../src/serving/device_worker.ts";

self.addEventListener("message", (event) => {
  const { data } = event as MessageEvent;
  if (data === "end") throw new Error("told to end");
  if (data === "hang") {
    const until = performance.now() + 1500;
    while (performance.now() < until);
  }
});
