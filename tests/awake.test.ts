/** A thread that stays awake between requests. */
import assert from "node:assert/strict";
import { cpuUsage } from "node:process";
import { Awake } from "../src/serving/awake.ts";

/** Milliseconds of processor that this process takes meanwhile. */
async function processorFor(ms: number): Promise<number> {
  const before = cpuUsage();
  await new Promise((resolve) => setTimeout(resolve, ms));
  const { user, system } = cpuUsage(before);
  return (user + system) / 1000;
}

Deno.test("a thread stays awake as long as it is told, hears what comes, and then sleeps", async () => {
  const awake = new Awake();
  const asleep = await processorFor(100);
  awake.stay(200);
  // told again, it does not look twice
  awake.stay(200);
  const { port1, port2 } = new MessageChannel();
  const heard = new Promise((resolve) => port1.onmessage = resolve);
  port2.postMessage("a request");
  await heard;
  port1.close();
  const busy = await processorFor(100);
  await new Promise((resolve) => setTimeout(resolve, 200));
  const later = await processorFor(100);
  // a turn of the event loop is processor time; sleep is none: a quarter of the time keeps them apart
  // also on a machine that has little of it for this process
  assert(busy > 25, `awake, it took ${busy} ms of 100`);
  assert(asleep < 25 && later < 25, `asleep, it took ${asleep} and ${later} ms of 100`);
});

Deno.test("a thread that is told to stay awake for no time sleeps", async () => {
  new Awake().stay(0);
  const took = await processorFor(100);
  assert(took < 25, `${took} ms of 100`);
});
