/**
 * What a recording dispatches on a GPU, planned without one: workgroups, work and traffic. Nothing is
 * read back inside a recording, and nothing is dispatched for each time step.
 */
import type { Scalars } from "../kernels.ts";
import type { Plan } from "../recording.ts";
import { type Capabilities, COMMON_CAPABILITIES } from "./capabilities.ts";
import { cuts, stageCost, stageGroups } from "./dispatches.ts";
import type { How } from "./kernel.ts";
import { Layout } from "./layout.ts";
import { Planner, type Stage } from "./stages.ts";

/** One dispatch, or several in a row where an adapter ends long loops. */
export interface TracedStage {
  /** the kernels that it runs, e.g. `["prepare", "encoder_input"]` */
  readonly kernels: readonly string[];
  readonly how: How;
  /** workgroups in x, and in z: one for each fit */
  readonly workgroups: readonly [number, number];
  /** invocations of a workgroup */
  readonly workgroupSize: number;
  /** bytes that a workgroup's invocations share */
  readonly workgroupMemory: number;
  /** 1, or the parts into which a loop is cut */
  readonly dispatches: number;
  /** floating-point operations, of all fits */
  readonly flops: number;
  /** bytes that the algorithm reads and writes, of all fits; weights count once */
  readonly bytes: number;
}

/** A recording as a GPU runs it. */
export interface Trace {
  readonly stages: readonly TracedStage[];
  /** all dispatches: those of cut loops count each */
  readonly dispatches: number;
  readonly flops: number;
  readonly bytes: number;
  /** bytes that the plan keeps on the device, with scratch and transposed copies */
  readonly memory: number;
}

/** What to plan for. */
export interface TraceOptions extends Partial<Capabilities> {
  /** 1 by default */
  readonly fits?: number;
}

/** A plan's recordings as stages, and the elements that they keep on the device. */
export function planStages(
  plan: Plan,
  capabilities: Capabilities,
): { stages: Map<string, readonly Stage[]>; words: (fits: number) => number } {
  const layout = new Layout(plan, plan.buffers.some(({ perRun }) => perRun));
  const planner = new Planner(layout, capabilities);
  const stages = new Map<string, readonly Stage[]>();
  for (const [name, dispatches] of Object.entries(plan.recordings)) {
    stages.set(name, planner.stages(name, dispatches));
  }
  const { sharedReals, sharedWords, reals, words } = layout;
  const shared = sharedReals.length + sharedWords.length;
  return {
    stages,
    words: (fits) => shared + planner.tables.length + fits * (reals.length + words.length),
  };
}

/**
 * Plans a recording and counts.
 *
 * @param given what is not as on any WebGPU adapter, and the number of fits side by side
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { architecture, scalars, SHAPES, stepOptions, traceRecording, trainingPlan } from "latentd";
 *
 * const { T, N, hyperparameters } = SHAPES.S;
 * const B = hyperparameters.batchSize;
 * const plan = trainingPlan(architecture(hyperparameters, T, N), stepOptions(hyperparameters), {
 *   B,
 *   S: 1,
 *   trials: B,
 *   counts: "u8",
 *   density: 0.5,
 * });
 * const { dispatches } = traceRecording(plan, "step", scalars({ B }));
 * assert.ok(dispatches <= 8);
 * ```
 */
export function traceRecording(
  plan: Plan,
  recording: string,
  scalars: Scalars,
  given: TraceOptions = {},
): Trace {
  const { fits = 1, ...adapter } = given;
  const capabilities = { ...COMMON_CAPABILITIES, ...defined(adapter) };
  const { stages, words } = planStages(plan, capabilities);
  const own = stages.get(recording);
  if (!own) throw new Error(`Cannot trace "${recording}": the plan has no such recording.`);
  const traced = own.map((stage) => traceStage(stage, scalars, capabilities, fits))
    .filter(({ workgroups: [x] }) => x > 0);
  const sum = (pick: (stage: TracedStage) => number) =>
    traced.reduce((total, stage) => total + pick(stage), 0);
  return {
    stages: traced,
    dispatches: sum(({ dispatches }) => dispatches),
    flops: sum(({ flops }) => flops),
    bytes: sum(({ bytes }) => bytes),
    memory: 4 * words(fits),
  };
}

/** Without what is undefined. */
function defined<X extends object>(given: X): Partial<X> {
  const entries = Object.entries(given).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as Partial<X>;
}

function traceStage(
  stage: Stage,
  scalars: Scalars,
  capabilities: Capabilities,
  fits: number,
): TracedStage {
  const { fusion: { kernels, how }, variant } = stage;
  const { flops, bytes } = stageCost(stage, scalars);
  return {
    kernels,
    how,
    workgroups: [stageGroups(stage, scalars), fits],
    workgroupSize: variant.workgroup,
    workgroupMemory: variant.workgroupMemory,
    dispatches: cuts(stage, scalars, capabilities).length,
    flops: flops * fits,
    bytes: bytes * fits,
  };
}
