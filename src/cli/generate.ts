/** `latentd generate`: spikes with known rates, from a fitted model or a simulator. */
import type { Command } from "commander";
import {
  type Dataset,
  generate,
  InputError,
  simulateDriven,
  simulateLorenz,
  simulateRotation,
  writeDataset,
} from "../mod.ts";
import { sizes } from "./format.ts";
import { readModelOrRun } from "./inputs.ts";
import {
  addCommonOptions,
  type CommonOptions,
  type Context,
  real,
  seedOption,
  whole,
} from "./options.ts";
import { Output } from "./output.ts";

interface Settings {
  readonly trials?: number;
  readonly bins?: number;
  readonly neurons?: number;
  readonly seed?: number;
  readonly binWidth?: number;
  readonly w?: number;
  readonly conditions?: number;
  readonly dt?: number;
  readonly speed?: number;
  readonly baseRate?: number;
  readonly gain?: number;
  readonly burnIn?: number;
  readonly pulses?: number;
  readonly pulse?: number;
  readonly damping?: number;
  readonly angle?: number;
}

interface GenerateFlags extends Settings, CommonOptions {
  readonly out?: string;
}

/** Options that a source understands, besides trials, bins and the seed. */
const OPTIONS: Readonly<
  Record<"rotation" | "lorenz" | "driven" | "model", readonly (keyof Settings)[]>
> = {
  rotation: ["neurons", "binWidth", "w"],
  lorenz: [
    "neurons",
    "binWidth",
    "conditions",
    "dt",
    "speed",
    "baseRate",
    "gain",
    "burnIn",
  ],
  driven: ["neurons", "binWidth", "baseRate", "gain", "pulses", "pulse", "damping", "angle"],
  model: [],
};

const HELP = `
SOURCE is "rotation" (the tutorial's data), "lorenz" (the Lorenz attractor of the LFADS papers),
"driven" (a damped rotation that unseen pulses push; they are kept as behaviour "inputs"), or a model:
a model file or a run's folder. A model runs forward from its priors of the initial condition
and of the inferred inputs. The file holds spikes, and the true rates and latents.`;

export function addGenerate(program: Command, context: Context): void {
  const command = program.command("generate <source>")
    .description("generate spikes with known rates: rotation, lorenz, driven, or a fitted model")
    .option(
      "--out <file.npz>",
      "where to (default: rotation.npz, lorenz.npz or generated.npz, if there is none yet)",
    )
    .option("--trials <number>", "trials (default: 200, lorenz 1300, driven 400)", whole(1))
    .option(
      "--bins <number>",
      "time bins of a trial (default: rotation 50, lorenz 100, driven 60, or the model's)",
      whole(1),
    )
    .option("--neurons <number>", "neurons (rotation: 100, lorenz: 30, driven: 40)", whole(1))
    .option("--bin-width <seconds>", "bin width (rotation: none, else 0.01)", real)
    .option("--w <number>", "rotation: sine of the angle turned in each bin (default: 0.2)", real)
    .option("--conditions <number>", "lorenz: starting states (default: 65)", whole(1))
    .option("--dt <number>", "lorenz: Euler step (default: 0.006)", real)
    .option("--speed <number>", "lorenz: the system's time per second (default: 6)", real)
    .option(
      "--base-rate <number>",
      "spikes per second at the mean state (default: lorenz 5, driven 10)",
      real,
    )
    .option("--gain <number>", "lorenz, driven: length of a neuron's readout (default: 1)", real)
    .option("--burn-in <number>", "lorenz: Euler steps before a trial (default: 1000)", whole())
    .option("--pulses <number>", "driven: pulses of a trial (default: 2)", whole())
    .option("--pulse <number>", "driven: size of a pulse, of either sign (default: 1.5)", real)
    .option("--damping <number>", "driven: what is left after a bin (default: 0.95)", real)
    .option("--angle <radians>", "driven: turned in a bin (default: 0.2)", real)
    .addOption(seedOption("decides everything that is drawn"));
  addCommonOptions(command)
    .addHelpText("after", HELP)
    .action(async (source: string, flags: GenerateFlags) => {
      const output = new Output(context.streams, flags.json ?? false);
      const data = await make(source, flags);
      const path = flags.out ?? `${data.name}.npz`;
      if (flags.out === undefined) await requireMissing(path);
      await writeDataset(path, data);
      output.warnings(data.warnings);
      output.result(`Wrote ${sizes(data)}, with the true rates and latents, to ${path}`);
      const { name, trials, T, N, binWidth, warnings } = data;
      output.json({
        out: path,
        name,
        trials,
        T,
        N,
        binWidth,
        latents: data.truth?.L ?? 0,
        seed: flags.seed ?? 0,
        warnings,
      });
    });
}

async function make(source: string, flags: GenerateFlags): Promise<Dataset> {
  const kind = source === "rotation" || source === "lorenz" || source === "driven"
    ? source
    : "model";
  for (const name of new Set(Object.values(OPTIONS).flat())) {
    if (flags[name] === undefined || OPTIONS[kind].includes(name)) continue;
    const flag = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    throw new InputError(
      `Cannot generate from ${
        JSON.stringify(source)
      }: expected options that a ${kind} has, found ` +
        `--${flag} ${flags[name]}.`,
    );
  }
  const { trials, bins: T, neurons: N, seed, binWidth, w } = flags;
  if (kind === "rotation") return simulateRotation({ trials, T, N, seed, binWidth, w });
  if (kind === "lorenz") {
    const { conditions, dt, speed, baseRate, gain, burnIn } = flags;
    return simulateLorenz({
      ...{ trials, T, N, seed, binWidth },
      ...{ conditions, dt, speed, baseRate, gain, burnIn },
    });
  }
  if (kind === "driven") {
    const { baseRate, gain, pulses, pulse, damping, angle } = flags;
    return simulateDriven({
      ...{ trials, T, N, seed, binWidth, baseRate, gain },
      ...{ pulses, pulse, damping, angle },
    });
  }
  if (!await exists(source)) {
    throw new InputError(
      `Cannot generate: expected "rotation", "lorenz", "driven", a model file or the folder of a run, found ` +
        `no such file or folder: ${JSON.stringify(source)}.`,
    );
  }
  return generate(await readModelOrRun(source), { trials: trials ?? 200, T, seed });
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function requireMissing(path: string): Promise<void> {
  if (!await exists(path)) return;
  throw new InputError(
    `Cannot write ${
      JSON.stringify(path)
    }: expected no such file yet, found one. Name it with --out ` +
      `to replace it, or choose another.`,
  );
}
