import type { ReportData } from "./data.ts";

/**
 * One HTML page about a fit: self-contained (inline SVG and CSS), without scripts, light or dark as
 * the reader prefers, fit to print. The same data give the same page.
 *
 * What draws it is loaded by the first call, so that importing the library stays quick.
 *
 * Throws an `InputError` where an array does not have the length its letters promise.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import {
 *   createReferenceExecutor,
 *   fit,
 *   parseHyperparameters,
 *   renderReport,
 *   reportData,
 *   simulateRotation,
 *   study,
 * } from "latentd";
 *
 * const data = simulateRotation({ trials: 10, T: 5, N: 3 });
 * const device = createReferenceExecutor();
 * const small = { encoderUnits: 2, generatorUnits: 2, factors: 2, steps: 2 };
 * const hyperparameters = parseHyperparameters(small);
 * const run = fit(data, device, { hyperparameters, seed: 0 });
 * let next = await run.next();
 * while (!next.done) next = await run.next();
 * const { model, split } = next.value;
 * const whole = await study(device, data, model, split, { samples: 2 });
 *
 * const about = { title: "Test", created: "2026-01-01T00:00:00Z" };
 * const page = await renderReport(reportData(whole, about));
 * assert(page.startsWith("<!doctype html>"));
 * ```
 */
export async function renderReport(data: ReportData): Promise<string> {
  const { reportPage } = await import("./page.ts");
  return reportPage(data);
}
