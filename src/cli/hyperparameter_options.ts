/** Hyperparameters from a file, from `--set`, and from flags that the schema itself gives. */
import { type Command, Option } from "commander";
import { z } from "zod";
import { hyperparametersSchema, InputError, readFileOrExplain } from "../mod.ts";
import { asNumber } from "./options.ts";

/** What the schema says about one hyperparameter, in JSON Schema's words. */
const propertySchema = z.object({
  type: z.enum(["string", "number", "integer"]),
  description: z.string(),
  default: z.union([z.string(), z.number()]),
  enum: z.array(z.string()).optional(),
  minimum: z.number().optional(),
  exclusiveMinimum: z.number().optional(),
  maximum: z.number().optional(),
  exclusiveMaximum: z.number().optional(),
});

type Property = z.infer<typeof propertySchema>;

const PROPERTIES: Readonly<Record<string, Property>> = z.record(z.string(), propertySchema)
  .parse(z.toJSONSchema(hyperparametersSchema, { io: "input" }).properties);

/** `--step-size` of `stepSize`. */
function flag(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** "from 1 to 4096", "above 0, at most 10". */
function bounds(property: Property): string {
  const { minimum, exclusiveMinimum, maximum, exclusiveMaximum } = property;
  if (minimum !== undefined && maximum !== undefined) return `from ${minimum} to ${maximum}`;
  return [
    minimum === undefined ? null : `at least ${minimum}`,
    exclusiveMinimum === undefined ? null : `above ${exclusiveMinimum}`,
    maximum === undefined ? null : `at most ${maximum}`,
    exclusiveMaximum === undefined ? null : `below ${exclusiveMaximum}`,
  ].filter((part) => part !== null).join(", ");
}

/** Headings of the help, and the hyperparameters under each; the others stand under the last. */
export const HYPERPARAMETER_GROUPS: Readonly<Record<string, readonly string[]>> = {
  "Model:": [
    ...[
      "cell",
      "nonlinearity",
      "generatorUnits",
      "factors",
      "encoderUnits",
      "initialConditionDims",
    ],
    ...["controllerUnits", "inferredInputs", "controllerEncoderUnits", "controllerLag"],
    ...["firstFactors", "externalInputs"],
  ],
  "What the data are, and what the encoders see of them:": [
    ...["observation", "observationFloor", "encodedBins", "initialConditionBins", "heldOutNeurons"],
    ...["coordinatedDropout", "sampleValidation"],
  ],
  "Regularisation:": [
    ...["keepRate", "generatorKeepRate", "varMin", "icPriorVar", "inputPriorTau"],
    ...["inputPriorNoiseVar", "klMin", "klMax", "klStart", "klEnd", "klIcScale", "klInputsScale"],
    ...[
      "l2",
      "l2Generator",
      "l2Controller",
      "l2Encoder",
      "l2Readout",
      "l2EncoderInput",
      "l2Start",
      "l2End",
      "weightDecay",
    ],
  ],
  "Start:": [
    "generatorStart",
    "startIdentity",
    "startNoise",
    "readoutStart",
    "startReadout",
    "sessionStart",
  ],
  "Steps:": [],
};

function groupOf(name: string): string {
  const groups = Object.entries(HYPERPARAMETER_GROUPS);
  const found = groups.find(([, names]) => names.includes(name)) ?? groups[groups.length - 1];
  return found[0];
}

/** Adds `--hyperparameters`, `--set` and one flag for every hyperparameter. */
export function addHyperparameterOptions(command: Command): Command {
  const heading = "Hyperparameters (later ones win: the file, --set, flags):";
  const set = new Option("--set <name=value>", "one hyperparameter by its name; may be repeated")
    .argParser((text: string, before: string[] | undefined) => [...before ?? [], text]);
  command
    .addOption(
      new Option("--hyperparameters <file>", "a JSON file with hyperparameters by their names")
        .helpGroup(heading),
    )
    .addOption(set.helpGroup(heading));
  const headings = Object.keys(HYPERPARAMETER_GROUPS);
  const inGroups = Object.entries(PROPERTIES).sort(([a], [b]) =>
    headings.indexOf(groupOf(a)) - headings.indexOf(groupOf(b))
  );
  for (const [name, property] of inGroups) {
    const value = property.enum ? property.enum.join("|") : "number";
    const known = [property.enum ? "" : bounds(property), `default: ${property.default}`];
    command.addOption(
      new Option(
        `${flag(name)} <${value}>`,
        `${property.description} (${known.filter((part) => part !== "").join("; ")})`,
      ).helpGroup(groupOf(name)),
    );
  }
  return command;
}

/** A value as the schema wants it; what is no number stays a text, for the schema to refuse. */
function typed(name: string, text: string): string | number {
  if (PROPERTIES[name]?.type === "string") return text;
  const value = asNumber(text);
  return Number.isNaN(value) ? text : value;
}

/**
 * Hyperparameters as the user gave them, unchecked.
 *
 * @throws {InputError} when the file is no JSON object, or `--set` has no "="
 */
export async function givenHyperparameters(
  options: Readonly<Record<string, unknown>>,
): Promise<Record<string, unknown>> {
  const { hyperparameters: file, set } = options;
  const given: Record<string, unknown> = typeof file === "string" ? await readJsonObject(file) : {};
  for (const text of Array.isArray(set) ? set : []) {
    const at = text.indexOf("=");
    if (at < 1) {
      throw new InputError(
        `Cannot use --set: expected name=value, such as generatorUnits=100, found ${
          JSON.stringify(text)
        }.`,
      );
    }
    given[text.slice(0, at)] = typed(text.slice(0, at), text.slice(at + 1));
  }
  for (const name of Object.keys(PROPERTIES)) {
    const value = options[name];
    if (typeof value === "string") given[name] = typed(name, value);
  }
  return given;
}

async function readJsonObject(path: string): Promise<Record<string, unknown>> {
  const text = new TextDecoder().decode(await readFileOrExplain(path));
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new InputError(
      `Cannot read the hyperparameters ${JSON.stringify(path)}: expected JSON, found none: ${why}.`,
    );
  }
  if (typeof found !== "object" || found === null || Array.isArray(found)) {
    throw new InputError(
      `Cannot read the hyperparameters ${
        JSON.stringify(path)
      }: expected a JSON object of names and ` +
        `values, found ${Array.isArray(found) ? "a list" : JSON.stringify(found)}.`,
    );
  }
  return { ...found };
}
