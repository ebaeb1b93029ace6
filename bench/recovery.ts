/** What a fit recovers of a simulated system: the rates of the Lorenz attractor, the pulses of a driven one. */
import {
  type Dataset,
  type Executor,
  fit,
  fitRidge,
  type HyperparametersInput,
  infer,
  parseHyperparameters,
  pearson,
  predictRidge,
  score,
  simulateDriven,
  simulateLorenz,
} from "../src/mod.ts";

/** A system, and what its fit changes of the defaults. */
interface System {
  readonly simulate: (seed: number) => Dataset;
  readonly given: HyperparametersInput;
}

/** The controller is off where nothing unseen drives the system. */
export const SYSTEMS: Readonly<Record<"lorenz" | "driven", System>> = {
  lorenz: {
    simulate: (seed) => simulateLorenz({ seed }),
    given: {
      ...{ inferredInputs: 0, generatorUnits: 64, factors: 8, batchSize: 64, keepRate: 0.95 },
      ...{ coordinatedDropout: 0, l2Readout: 0, l2EncoderInput: 0, startReadout: 1 },
      ...{ stepSize: 0.015, maxGradNorm: 200, steps: 8000, decayFactor: 0.9996 },
      ...{ klIcScale: 1, klEnd: 2000 },
    },
  },
  driven: { simulate: (seed) => simulateDriven({ N: 50, baseRate: 20, seed }), given: {} },
};

export const SYSTEM_NAMES = Object.keys(SYSTEMS) as (keyof typeof SYSTEMS)[];

export interface Recovery {
  readonly step: number;
  readonly seconds: number;
  /** of inferred to true rates, on trials that did not train */
  readonly rateR2: number;
  /** of the best linear reading of the inferred inputs with the true one, on the same trials */
  readonly inputCorrelation: number | null;
}

/** Fits a system and compares with its truth. */
export async function recover(
  name: keyof typeof SYSTEMS,
  executor: Executor,
  seed: number,
  say: (line: string) => void,
): Promise<Recovery> {
  const { simulate, given } = SYSTEMS[name];
  const data = simulate(seed);
  const run = fit(data, executor, { hyperparameters: parseHyperparameters(given), seed });
  const began = performance.now();
  let next = await run.next();
  while (!next.done) {
    if (next.value.kind === "evaluation") {
      const { step, evaluation } = next.value.entry;
      say(`step ${step}: nll ${evaluation.nll.toFixed(2)}`);
    }
    next = await run.next();
  }
  const seconds = (performance.now() - began) / 1000;
  const { model, split: { train, evaluation } } = next.value;
  const of = (trials: Uint32Array) => infer(executor, model, data, { samples: 32, seed, trials });
  const seen = await of(evaluation);
  const { rateR2 } = score(data, next.value.split, seen);
  if (rateR2 === null) throw new Error(`Cannot score ${name}: its simulator must keep the rates.`);
  const U = model.architecture.dims.U, truth = data.behaviour_BTD?.inputs;
  if (U === 0 || !truth) return { step: model.step, seconds, rateR2, inputCorrelation: null };
  const inputsOf = (trials: Uint32Array) =>
    Float64Array.from({ length: trials.length * data.T }, (_, i) => {
      return truth.data[trials[Math.floor(i / data.T)] * data.T + i % data.T];
    });
  const { inputMean_BTU } = await of(train);
  const [reading] = fitRidge({ x_XF: inputMean_BTU, F: U, y_XD: inputsOf(train), D: 1 }, [1e-3]);
  const read = predictRidge(seen.inputMean_BTU, U, reading);
  const inputCorrelation = pearson(read, inputsOf(evaluation));
  return { step: model.step, seconds, rateR2, inputCorrelation };
}
