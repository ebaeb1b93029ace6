/** The loss terms of a step or an evaluation. */
import { LOSSES } from "../compute/kernels.ts";

/** Loss terms, averaged per trial. */
export interface Losses {
  readonly total: number;
  readonly nll: number;
  /** KL before scaling */
  readonly klIc: number;
  readonly klInputs: number;
  readonly l2: number;
  /** before clipping; 0 in an evaluation */
  readonly gradNorm: number;
  /** what multiplies each KL in the total */
  readonly klIcScale: number;
  readonly klInputsScale: number;
  /** 0 in an evaluation */
  readonly learningRate: number;
}

/** The terms in the order in which files and sums keep them. */
export const TERMS = [
  "total",
  "nll",
  "klIc",
  "klInputs",
  "l2",
  "gradNorm",
  "klIcScale",
  "klInputsScale",
  "learningRate",
] as const;

/** The terms that an evaluation has of its own: no gradient, no step, and the scales of its step. */
export const EVALUATION_TERMS = ["total", "nll", "klIc", "klInputs", "l2"] as const;

/** Losses as numbers, in the order of `TERMS`. */
export function termsOf(losses: Losses): number[] {
  return TERMS.map((term) => losses[term]);
}

/** Losses from numbers in the order of `TERMS`. */
export function lossesFrom(numbers: ArrayLike<number>): Losses {
  const [total, nll, klIc, klInputs, l2, gradNorm, klIcScale, klInputsScale, learningRate] = Array
    .from(numbers);
  return { total, nll, klIc, klInputs, l2, gradNorm, klIcScale, klInputsScale, learningRate };
}

/** Losses from a device's `losses` buffer, and what was in force when they were made. */
export function lossesOf(
  buffer: ArrayLike<number>,
  { klIcScale, klInputsScale, learningRate }: Pick<
    Losses,
    "klIcScale" | "klInputsScale" | "learningRate"
  >,
): Losses {
  const at = (name: typeof LOSSES[number]) => buffer[LOSSES.indexOf(name)];
  return {
    total: at("total"),
    nll: at("nll"),
    klIc: at("klIc"),
    klInputs: at("klInputs"),
    l2: at("l2"),
    gradNorm: at("gradNorm"),
    klIcScale,
    klInputsScale,
    learningRate,
  };
}

/** The term that is not finite, or null where all are. */
export function brokenTerm(losses: Losses): string | null {
  if (Number.isFinite(losses.total + losses.gradNorm)) return null;
  const terms = ["nll", "klIc", "klInputs", "l2", "total", "gradNorm"] as const;
  return terms.find((name) => !Number.isFinite(losses[name])) ?? "total";
}

/** What decides which parameters are best: an evaluation's likelihood and KL, at full scale. */
export function scoreOf({ nll, klIc, klInputs }: Losses): number {
  return nll + klIc + klInputs;
}
