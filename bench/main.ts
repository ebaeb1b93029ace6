/**
 * The bench: `deno task bench train --shape M`, `infer`, `fixed-points`; without a command a table of
 * all. PYTHON names an interpreter with JAX or PyTorch; what it lacks is skipped.
 */
import { Command, InvalidArgumentError, Option } from "commander";
import { type Executor, InputError, openDevice, RECIPES, webgpuAdapter } from "../src/mod.ts";
import { fixedPointsTask } from "./fixed_points.ts";
import { benchGpu } from "./gpu.ts";
import { inferTask } from "./infer.ts";
import { machine } from "./machine.ts";
import { ALL_PEERS, measure, type Outcome } from "./measure.ts";
import type { PeerDevice, PeerName } from "./peers.ts";
import { benchRecipes } from "./recipes.ts";
import { recover, SYSTEM_NAMES, SYSTEMS } from "./recovery.ts";
import { record, recordText } from "./record.ts";
import { type Shape, type ShapeName, SHAPES } from "./shapes.ts";
import { benchServe, type ServeOptions, tableOf } from "./serve.ts";
import { benchStarts } from "./starts.ts";
import type { Task } from "./task.ts";
import { trainTask } from "./train.ts";
import { agreeWithReference, Disagreement } from "./verify.ts";

interface Options {
  readonly shape?: ShapeName;
  readonly device: typeof DEVICES[number];
  readonly threads: number;
  /** false: none */
  readonly peers: PeerName[] | false;
  readonly rounds: number;
  readonly seconds: number;
  readonly samples?: number;
  readonly candidates?: number;
  readonly iterations?: number;
  readonly json?: true;
  readonly record?: true;
}

interface ServeCommand extends ServeOptions {
  readonly shape: ShapeName;
  readonly json?: true;
  readonly record?: true;
}

const DEVICES = ["wasm", "webgpu", "reference"] as const;

/** The device of a bench; `--threads` is for wasm and the peers. */
function open({ device, threads }: Options): Promise<Executor> {
  return openDevice({ device, threads: device === "wasm" ? threads : undefined });
}

/** Peers compute on the same GPU; where ours is a processor, on the processor. */
async function peersOn({ device }: Options): Promise<PeerDevice> {
  if (device !== "webgpu") return "cpu";
  return (await webgpuAdapter())?.info.isFallbackAdapter ? "cpu" : "gpu";
}

const say = (line: string) => console.error(`  ${line}`);

type Make = (shape: Shape, executor: Executor) => Task;

const TASKS: Readonly<Record<string, { make: Make; description: string }>> = {
  train: { make: trainTask, description: "one train step" },
  infer: {
    make: inferTask,
    description: "posterior sample-and-average, or the posterior mean with --samples 0",
  },
  "fixed-points": { make: fixedPointsTask, description: "Adam on fixed-point candidates" },
};

const milliseconds = (ms: number) => ms.toPrecision(3).padStart(9);

/** One task at one shape; prints a table row, or one JSON object as the last line. */
async function bench(name: string, shape: Shape, options: Options): Promise<void> {
  const executor = await open(options);
  try {
    console.error(`${name} ${shape.name} (${shape.title})`);
    const { make } = TASKS[name];
    await agreeWithReference(make, shape, executor, say);
    const task = make(shape, executor);
    try {
      const { peers, ...rest } = options;
      const others = { peers: peers || [], peersOn: await peersOn(options) };
      const outcome = await measure(task, { ...rest, ...others, say });
      print(name, shape, task, outcome, options);
      if (options.record) await record(name, shape, task, outcome);
    } finally {
      task.close();
    }
  } finally {
    executor.close();
  }
}

function print(name: string, shape: Shape, task: Task, outcome: Outcome, options: Options): void {
  if (options.json) {
    const { device, threads, ms, median } = outcome.ours;
    console.log(JSON.stringify({
      task: name,
      shape: shape.name,
      ours: { device, threads, ms, median },
      peers: outcome.peers.map(({ name, ms, median }) => ({ name, ms, median })),
      ratio: outcome.ratio,
    }));
    return;
  }
  console.log(`${name} ${shape.name}: ms for ${task.unit}, minimum and median`);
  for (const { name, ms, median } of [{ name: "ours", ...outcome.ours }, ...outcome.peers]) {
    const ratio = name === "ours" ? "" : `   ${(ms / outcome.ours.ms).toFixed(2)} × ours`;
    console.log(`  ${name.padEnd(6)}${milliseconds(ms)}${milliseconds(median)}${ratio}`);
  }
}

function whole(least: number, most: number) {
  return (text: string) => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`expected a whole number from ${least} to ${most}.`);
  };
}

function seconds(text: string): number {
  const value = Number(text);
  if (value > 0 && value <= 600) return value;
  throw new InvalidArgumentError("expected seconds above 0, at most 600.");
}

function addOptions(command: Command): Command {
  return command
    .addOption(new Option("--shape <name>", "only this shape").choices(Object.keys(SHAPES)))
    .addOption(
      new Option("--device <name>", "what we compute on").choices(DEVICES).default("wasm"),
    )
    .option(
      "--threads <n>",
      "threads of everyone",
      whole(1, 32),
      Math.min(32, navigator.hardwareConcurrency),
    )
    .addOption(
      new Option("--peers <names...>", "compare with these").choices(ALL_PEERS).default(ALL_PEERS),
    )
    .option("--no-peers", "compare with nobody but the reference")
    .option("--rounds <n>", "turns of everyone", whole(1, 1000), 5)
    .option("--seconds <s>", "about how long a turn lasts", seconds, 1)
    .option("--json", "the last line is one JSON object")
    .option("--record", "append the figures to bench/RESULTS.md");
}

const program = addOptions(new Command("bench"))
  .description("Verify, then time against JAX and PyTorch")
  .enablePositionalOptions();
/** The shapes that are asked for, with as much to do as is asked for. */
function shapesOf({ shape: name, samples, candidates, iterations }: Options): Shape[] {
  return (name ? [SHAPES[name]] : Object.values(SHAPES)).map((shape) => ({
    ...shape,
    samples: samples ?? shape.samples,
    candidates: candidates ?? shape.candidates,
    iterations: iterations ?? shape.iterations,
  }));
}
program.action(async (options: Options) => {
  for (const name of Object.keys(TASKS)) {
    for (const shape of shapesOf(options)) await bench(name, shape, options);
  }
});
for (const [name, { description }] of Object.entries(TASKS)) {
  const command = addOptions(program.command(name).description(description));
  if (name === "infer") {
    command.option("--samples <n>", "posterior samples; 0 is the mean", whole(0, 65_536));
  }
  if (name === "fixed-points") {
    command.option("--candidates <n>", "points that descend", whole(1, 1_000_000))
      .option("--iterations <n>", "of Adam on each", whole(1, 1_000_000));
  }
  command.action(async (options: Options) => {
    for (const shape of shapesOf(options)) await bench(name, shape, options);
  });
}
addOptions(program.command("gpu"))
  .description("the dispatches of a train step on a GPU, by its clock, against its limits")
  .action(async (options: Options) => {
    const executor = await open({ ...options, device: "webgpu" });
    try {
      for (const shape of shapesOf(options)) {
        const title = `dispatches of a train step, ${shape.name}`;
        await agreeWithReference(trainTask, shape, executor, say);
        const table = await benchGpu(shape, executor);
        console.log(`${title}\n${table}`);
        const where = await machine(executor.info);
        if (options.record) await recordText(title, `${shape.title}. ${where}.\n\n${table}`);
      }
    } finally {
      executor.close();
    }
  });
addOptions(program.command("recovery"))
  .description(
    "what a fit recovers of simulated systems: rates of Lorenz's, pulses of a driven one",
  )
  .addOption(new Option("--system <name>", "only this one").choices(Object.keys(SYSTEMS)))
  .option("--seed <n>", "of the data and the fit", whole(0, 1e9), 0)
  .action(async (options: Options & { system?: keyof typeof SYSTEMS; seed: number }) => {
    const executor = await open(options);
    try {
      for (const name of SYSTEM_NAMES.filter((name) => (options.system ?? name) === name)) {
        const found = await recover(name, executor, options.seed, say);
        const { step, seconds, rateR2, inputCorrelation } = found;
        const inputs = inputCorrelation === null
          ? ""
          : `, inferred inputs' correlation with the true one ${inputCorrelation.toFixed(3)}`;
        const text = `R² to the true rates ${rateR2.toFixed(3)}${inputs}; best at step ${step}, ` +
          `${seconds.toFixed(0)} s`;
        console.log(options.json ? JSON.stringify({ name, ...found }) : `${name}: ${text}`);
        const where = await machine(executor.info);
        if (options.record) {
          await recordText(`recovery ${name}, seed ${options.seed}`, `${text}. ${where}.`);
        }
      }
    } finally {
      executor.close();
    }
  });
addOptions(program.command("starts"))
  .description("a train step of many starts side by side, beside a step of one")
  .option("--starts <n>", "starts", whole(2, 256), 16)
  .action(async (options: Options & { readonly starts: number }) => {
    const executor = await open(options);
    try {
      for (const shape of shapesOf(options)) {
        await agreeWithReference(trainTask, shape, executor, say);
        const times = await benchStarts(shape, executor, options.starts, options.seconds);
        const [one, many] = times;
        const text = `${shape.title}. ${await machine(executor.info)}: ` +
          `${one.ms.toPrecision(3)} ms for one start, ${many.ms.toPrecision(3)} ms for ` +
          `${many.starts}: ${(many.ms / one.ms).toFixed(2)} times one`;
        console.log(text);
        if (options.record) await recordText(`starts ${shape.name}`, `${text}.\n`);
      }
    } finally {
      executor.close();
    }
  });
program.command("serve")
  .description("the server under load on loopback: latency, throughput, memory, start")
  .addOption(
    new Option("--shape <name>", "of the model").choices(Object.keys(SHAPES)).default("M"),
  )
  .option("--threads <n>", "threads of the server's device", whole(1, 32), 2)
  .option("--rounds <n>", "turns of everything", whole(1, 100), 5)
  .option("--seconds <s>", "how long a turn at a fixed rate lasts", seconds, 5)
  .option("--requests <n>", "requests while memory is watched", whole(100, 1_000_000), 10_000)
  .option("--json", "the last line is one JSON object")
  .option("--record", "append the figures to bench/RESULTS.md")
  .action(async (options: Omit<ServeCommand, "say">) => {
    const shape = SHAPES[options.shape];
    const given = { ...options, say: (line: string) => console.error(`  ${line}`) };
    const rows = await benchServe(shape, given);
    const table = tableOf(shape, rows, given);
    console.log(options.json ? JSON.stringify({ task: "serve", shape: shape.name, rows }) : table);
    if (options.record) await recordText(`serve ${shape.name}`, table);
  });
program.command("recipes")
  .description("how well each recipe fits the tutorial's data: one JSON line for each")
  .option("--seeds <n>", "seeds 0 … n - 1", whole(1, 1000), 20)
  .addOption(new Option("--recipe <name>", "only this one").choices(RECIPES))
  .option("--threads <n>", "threads", whole(1, 32))
  .action(benchRecipes);

try {
  await program.parseAsync(Deno.args, { from: "user" });
} catch (error) {
  if (!(error instanceof InputError || error instanceof Disagreement)) throw error;
  console.error(error.message);
  Deno.exitCode = error instanceof InputError ? 2 : 1;
}
