/** Every shader that the executor asks for: models of all kinds, planned for adapters of all kinds. */
import { NONLINEARITY_CODES } from "../src/compute/kernels.ts";
import { type Plan, PlanBuilder } from "../src/compute/recording.ts";
import { type Capabilities, COMMON_CAPABILITIES } from "../src/compute/webgpu/capabilities.ts";
import { shaderModule } from "../src/compute/webgpu/module.ts";
import type { Stage } from "../src/compute/webgpu/stages.ts";
import { planStages } from "../src/compute/webgpu/trace.ts";
import type { Dims } from "../src/dims.ts";
import { posteriorPlan } from "../src/model/posterior_plan.ts";
import { trainingPlan } from "../src/model/training_plan.ts";
import type { PlanSizes } from "../src/model/choreography.ts";
import { architecture, stepOptions } from "../src/model/hyperparameters.ts";
import type { Architecture } from "../src/model/layout.ts";
import { SHAPES } from "../src/study/shapes.ts";

const options = stepOptions(SHAPES.S.hyperparameters);

function smallModels(): Architecture[] {
  const sizes: Dims[] = [
    { T: 1, N: 1, E: 1, C: 0, U: 0, G: 1, F: 1 },
    { T: 3, N: 9, E: 20, C: 0, U: 0, G: 5, F: 3 },
    { T: 3, N: 9, E: 5, C: 4, U: 1, G: 20, F: 17 },
    { T: 3, N: 70, E: 3, C: 70, U: 5, G: 3, F: 2 },
  ];
  const nonlinearities = ["tanh", "relu", "identity"] as const;
  return sizes.flatMap((dims) => [
    ...nonlinearities.map((nonlinearity) => ({ dims, cell: "vanilla" as const, nonlinearity })),
    { dims, cell: "gru" as const, nonlinearity: "tanh" as const },
  ]);
}

function descent({ dims: { U, G }, cell, nonlinearity }: Architecture, K: number): Plan {
  const plan = new PlanBuilder();
  const gru = cell === "gru";
  plan.record("descend").dispatch("fixed_points", {
    wGenInput: U > 0 ? plan.buffer("wGenInput", (gru ? 3 : 1) * U * G) : null,
    wGenRecurrent: plan.buffer("wGenRecurrent", (gru ? 2 : 1) * G * G),
    wGenCandidate_GG: gru ? plan.buffer("wGenCandidate_GG", G * G) : null,
    bGen: plan.buffer("bGen", (gru ? 3 : 1) * G),
    input_U: U > 0 ? plan.buffer("input_U", U) : null,
    points_KG: plan.buffer("points_KG", K * G),
    m_KG: plan.buffer("m_KG", K * G),
    v_KG: plan.buffer("v_KG", K * G),
    speeds_K: plan.buffer("speeds_K", K),
  }, {
    U,
    G,
    cell: gru ? 1 : 0,
    nonlinearity: NONLINEARITY_CODES[nonlinearity],
    b1: 0.9,
    b2: 0.999,
    eps: 1e-5,
    stepSize: 0.2,
    decay: 0.9999,
  });
  return plan;
}

/** Plans of everything that latentd runs. */
export function allPlans(): Plan[] {
  const models = [
    ...smallModels(),
    ...Object.values(SHAPES).map(({ hyperparameters, T, N }) =>
      architecture(hyperparameters, T, N)
    ),
  ];
  return models.flatMap((model) => {
    const sizes = { B: 3, S: 1, trials: 4, counts: "u8", density: 0.5 } as const;
    return [
      trainingPlan(model, options, sizes),
      trainingPlan(model, options, { ...sizes, counts: "u16", density: 0.1, explicitNoise: true }),
      posteriorPlan(model, options, { ...sizes, S: 2 }),
      descent(model, 5),
    ];
  });
}

/** Plans of what a plain model does not have: each option, and pairs that share a line of a shader. */
function optionPlans(): Plan[] {
  const controller = { T: 3, N: 9, E: 5, C: 4, U: 1, G: 6, F: 3 };
  const none = { ...controller, C: 0, U: 0 };
  const more: Omit<Architecture, "dims" | "cell" | "nonlinearity"> = {
    firstFactors: "generator",
    controllerLag: 1,
    encodedBins: 2,
  };
  const models: Architecture[] = (["gru", "vanilla"] as const).flatMap((cell) => [
    { dims: { ...controller, V: 3, X: 2, I: 2 }, cell, nonlinearity: "tanh", ...more },
    { dims: { ...none, X: 2, I: 9 }, cell, nonlinearity: "tanh", ...more },
  ]);
  const dims = none, cell = "vanilla" as const, nonlinearity = "tanh" as const;
  const seen: readonly Partial<PlanSizes>[] = [
    { counts: "u16", gaps: true },
    { counts: "real", gaps: true, encoded: true, accumulate: true, explicitNoise: true },
    { counts: "real" },
  ];
  const observed = (["gaussian", "gamma", "zero-inflated-gamma"] as const).map((observation) => ({
    ...{ dims, cell, nonlinearity, observation },
  }));
  const size = { B: 3, S: 1, trials: 4, counts: "u8", density: 0.5 } as const;
  const dropped = { ...options, coordinatedDropout: 0.25 };
  return [
    ...models.flatMap((model) => [
      trainingPlan(model, options, { ...size, accumulate: true }),
      posteriorPlan(model, options, { ...size, S: 2 }),
    ]),
    ...seen.flatMap((sizes) =>
      [options, dropped].map((options) =>
        trainingPlan({ dims, cell, nonlinearity }, options, { ...size, ...sizes })
      )
    ),
    ...observed.flatMap((model) => [
      trainingPlan(model, options, { ...size, counts: "real" }),
      trainingPlan(model, dropped, { ...size, counts: "real", gaps: true, encoded: true }),
      posteriorPlan(model, options, { ...size, counts: "real", S: 2 }),
    ]),
  ];
}

/** Adapters with little and with much workgroup memory, and every tile. */
export const ADAPTERS: readonly Capabilities[] = [16_384, 32_768, 49_152].flatMap((
  workgroupMemory,
) => ([1, 2, 4] as const).map((tile) => ({ ...COMMON_CAPABILITIES, workgroupMemory, tile })));

/** The stages of all plans, one for each different shader. */
export function allStages(adapters: readonly Capabilities[] = ADAPTERS): Stage[] {
  const found = new Map<string, Stage>();
  const add = (plan: Plan, capabilities: Capabilities) => {
    for (const stage of [...planStages(plan, capabilities).stages.values()].flat()) {
      found.set(shaderModule(stage.fusion, stage.variant), stage);
    }
  };
  for (const plan of allPlans()) for (const adapter of adapters) add(plan, adapter);
  // what an option adds knows of an adapter its tile alone, in the sweeps
  for (const plan of optionPlans()) add(plan, COMMON_CAPABILITIES);
  for (const tile of [1, 2] as const) add(optionPlans()[0], { ...COMMON_CAPABILITIES, tile });
  return [...found.values()];
}
