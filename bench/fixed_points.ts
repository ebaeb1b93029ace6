/** Adam on K fixed-point candidates of the generator, a fixed number of iterations. */
import {
  type Executor,
  NONLINEARITY_CODES,
  PlanBuilder,
  type Program,
  scalars,
  tensor,
} from "../src/mod.ts";
import { byName, config, modelCase, parameterTensors } from "./model_case.ts";
import { normals } from "./random.ts";
import type { Shape } from "./shapes.ts";
import { float32Tolerance, type Task, type Verified } from "./task.ts";

/** Adam on the candidates, as `findFixedPoints` does it. */
const ADAM = { adamB1: 0.9, adamB2: 0.999, adamEps: 1e-5, stepSize: 0.2, decayFactor: 0.9999 };

/**
 * What is compared number by number. Where a gradient is below eps, Adam's quotient multiplies its
 * rounding by stepSize / eps: 20 000 as timed, and nothing could be told from the points. With this
 * eps it is 20, so that ten iterations, moments and decay included, can be compared.
 */
const VERIFIED = { iterations: 10, adamEps: 0.01 };

export function fixedPointsTask(shape: Shape, executor: Executor): Task {
  const c = modelCase(shape);
  const { model, layout, moved_P } = c;
  const { U, G } = model.dims;
  const K = shape.candidates;
  const gru = model.cell === "gru";
  const points_KG = normals("candidates", K * G);
  const zeros = new Float32Array(K * G);

  async function load(adamEps: number): Promise<Program> {
    const p = byName(layout, moved_P);
    const plan = new PlanBuilder();
    const contents = new Map<string, Float64Array>();
    const buffer = (name: string, values: Float64Array) => {
      contents.set(name, values);
      return plan.buffer(name, values.length);
    };
    const input = gru ? "generator.wInput_U3G" : "generator.wInput_UG";
    plan.record("descend").dispatch("fixed_points", {
      wGenInput: U > 0 ? buffer("wGenInput", p[input]) : null,
      wGenRecurrent: buffer(
        "wGenRecurrent",
        p[gru ? "generator.wGates_G2G" : "generator.wRecurrent_GG"],
      ),
      wGenCandidate_GG: gru ? buffer("wGenCandidate_GG", p["generator.wCandidate_GG"]) : null,
      bGen: buffer("bGen", p[gru ? "generator.b_3G" : "generator.b_G"]),
      input_U: U > 0 ? buffer("input_U", new Float64Array(U)) : null,
      points_KG: plan.buffer("points_KG", K * G),
      m_KG: plan.buffer("m_KG", K * G),
      v_KG: plan.buffer("v_KG", K * G),
      speeds_K: plan.buffer("speeds_K", K),
    }, {
      U,
      G,
      cell: gru ? 1 : 0,
      nonlinearity: NONLINEARITY_CODES[model.nonlinearity],
      b1: ADAM.adamB1,
      b2: ADAM.adamB2,
      eps: adamEps,
      stepSize: ADAM.stepSize,
      decay: ADAM.decayFactor,
    });
    const program = await executor.load(plan);
    for (const [name, values] of contents) program.write(name, values);
    return program;
  }

  async function descend(program: Program, iterations: number): Promise<number> {
    program.write("points_KG", points_KG);
    program.write("m_KG", zeros);
    program.write("v_KG", zeros);
    const start = performance.now();
    await program.run("descend", scalars({ B: K, count: 1, iterations }));
    // a GPU's run is over when something that it wrote has arrived
    await program.read("speeds_K");
    return performance.now() - start;
  }

  async function verify(): Promise<Verified> {
    const program = await load(VERIFIED.adamEps);
    try {
      await descend(program, VERIFIED.iterations);
      const speeds = await program.read("speeds_K");
      const meanSpeed = speeds.reduce((sum, q) => sum + q, 0) / K;
      return { losses: { meanSpeed }, arrays: { points: await program.read("points_KG"), speeds } };
    } finally {
      program.free();
    }
  }

  let program: Program | null = null;
  async function run(steps: number): Promise<number[]> {
    program ??= await load(ADAM.adamEps);
    const figures: number[] = [];
    for (let i = 0; i < steps; i++) figures.push(await descend(program, shape.iterations));
    return figures;
  }

  const tensors = {
    ...parameterTensors(layout, moved_P),
    points_KG: tensor([K, G], points_KG),
    input_U: tensor([U], new Float32Array(U)),
  };
  const shared = { ...config(c), ...ADAM, task: "fixed_points" };
  return {
    name: "fixed-points",
    device: executor.info,
    unit: `${shape.iterations} iterations on ${K} candidates`,
    timed: { tensors, config: { ...shared, iterations: shape.iterations } },
    explicit: { tensors, config: { ...shared, ...VERIFIED } },
    tolerance: float32Tolerance(VERIFIED.iterations, G) * ADAM.stepSize / VERIFIED.adamEps,
    verify,
    run,
    close: () => program?.free(),
  };
}
