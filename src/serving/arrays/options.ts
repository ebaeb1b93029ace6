/** What is asked of an inference beside its spikes: in the query, or as fields of a JSON body. */
import { InputError } from "../../errors.ts";
import { show } from "./show.ts";
import { type InferRequest, MOST_SAMPLES, OUTPUT_NAMES, type OutputName } from "../service.ts";

/** Posterior samples of each trial where a request does not say; the command line's default. */
export const DEFAULT_SAMPLES = 64;

export type InferOptions = Pick<
  InferRequest,
  "samples" | "seed" | "firstTrial" | "binWidth" | "outputs"
>;

/** Names of the options, as requests have them. */
export const OPTION_NAMES = ["samples", "seed", "first_trial", "bin_width_s", "outputs"] as const;

export type OptionName = typeof OPTION_NAMES[number];

/** Options as they were given, before they are checked. */
export type GivenOptions = { readonly [K in OptionName]?: unknown };

/** @throws {InputError} naming the option, what was wanted and what was found */
export function checkOptions(given: GivenOptions): InferOptions {
  const fail = (name: OptionName, wanted: string): never => {
    throw new InputError(
      `Cannot infer: expected ${name} to be ${wanted}, found ${show(given[name])}.`,
    );
  };
  const whole = (name: OptionName, most: number, otherwise: number): number => {
    const value = given[name];
    if (value === undefined) return otherwise;
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0 && value <= most) {
      return value;
    }
    return fail(name, `a whole number from 0 to ${most}`);
  };
  const { bin_width_s: width, outputs } = given;
  const binWidth = width === undefined || width === null
    ? null
    : typeof width === "number" && width > 0 && Number.isFinite(width)
    ? width
    : fail("bin_width_s", "a number of seconds above 0");
  return {
    samples: whole("samples", MOST_SAMPLES, DEFAULT_SAMPLES),
    seed: whole("seed", Number.MAX_SAFE_INTEGER, 0),
    firstTrial: whole("first_trial", 0x7fffffff, 0),
    binWidth,
    ...(outputs === undefined ? {} : { outputs: checkOutputs(outputs, fail) }),
  };
}

function checkOutputs(
  outputs: unknown,
  fail: (name: OptionName, wanted: string) => never,
): OutputName[] {
  const known = (name: unknown): name is OutputName =>
    (OUTPUT_NAMES as readonly unknown[]).includes(name);
  if (
    Array.isArray(outputs) && outputs.length > 0 && outputs.every(known) &&
    new Set(outputs).size === outputs.length
  ) {
    return outputs;
  }
  return fail("outputs", `at least one of ${OUTPUT_NAMES.join(", ")}, each once`);
}

/**
 * The options of a query string, as they were given.
 *
 * @throws {InputError} for a name that is unknown or comes twice, or a number that is none
 */
export function queryOptions(query: URLSearchParams): GivenOptions {
  const given: { -readonly [K in OptionName]?: unknown } = {};
  for (const [name, text] of query) {
    const known = OPTION_NAMES.find((option) => option === name);
    if (known === undefined || given[known] !== undefined) {
      throw new InputError(
        `Cannot infer: expected the query to have ${OPTION_NAMES.join(", ")}, each at most once, ` +
          `found ${JSON.stringify(name.slice(0, 80))}${known === undefined ? "" : " twice"}.`,
      );
    }
    if (known === "outputs") given[known] = text.split(",");
    // whatever Number understands but people do not mean (blanks, 0x10) stays a string, and is refused
    else given[known] = /^-?[0-9]+(\.[0-9]+)?(e-?[0-9]+)?$/i.test(text) ? Number(text) : text;
  }
  return given;
}
