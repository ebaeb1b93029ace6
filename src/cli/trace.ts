/** `latentd trace`: what a training step dispatches on a GPU, planned without one. */
import { type Command, Option } from "commander";
import {
  architecture,
  type Dims,
  parameterLayout,
  parseHyperparameters,
  scalars,
  type ShapeName,
  SHAPES,
  stepOptions,
  type Trace,
  type TracedStage,
  traceRecording,
  trainingPlan,
} from "../mod.ts";
import { bytes, number, table } from "./format.ts";
import { addHyperparameterOptions, givenHyperparameters } from "./hyperparameter_options.ts";
import { addCommonOptions, type CommonOptions, type Context, whole } from "./options.ts";
import { Output } from "./output.ts";

interface TraceFlags extends CommonOptions {
  readonly shape: ShapeName;
  readonly bins?: number;
  readonly neurons?: number;
  readonly starts: number;
  readonly loopIterations?: number;
}

const HELP = `
${Object.values(SHAPES).map(({ name, title }) => `${name}: ${title}`).join("\n")}

--bins, --neurons and every hyperparameter change the shape. Bytes are what the algorithm has to move:
each number that a kernel reads or writes counts once, each weight once. A step reads nothing back.`;

export function addTrace(program: Command, context: Context): void {
  const command = program.command("trace")
    .description(
      "the dispatches of one training step on a GPU, with their work and traffic; needs none",
    )
    .addOption(
      new Option("--shape <name>", "a model of a known size").choices(Object.keys(SHAPES))
        .default("S"),
    )
    .option("--bins <number>", "time bins of a trial (default: the shape's)", whole(1))
    .option("--neurons <number>", "neurons (default: the shape's)", whole(1))
    .option("--starts <number>", "fits side by side", whole(1), 1)
    .option(
      "--loop-iterations <number>",
      "for an adapter that ends loops after so many, as llvmpipe does after 65535: they are cut",
      whole(1),
    );
  addCommonOptions(addHyperparameterOptions(command))
    .addHelpText("after", HELP)
    .action(async (flags: TraceFlags) => {
      await trace(flags, new Output(context.streams, flags.json ?? false));
    });
}

async function trace(flags: TraceFlags, output: Output): Promise<void> {
  const shape = SHAPES[flags.shape];
  const given = await givenHyperparameters({ ...flags });
  const hyperparameters = parseHyperparameters({ ...shape.hyperparameters, ...given });
  const { bins: T = shape.T, neurons: N = shape.N, starts, loopIterations } = flags;
  const model = architecture(hyperparameters, T, N);
  const B = hyperparameters.batchSize;
  // no data are at hand: their density decides nothing that a GPU does
  const sizes = { B, S: 1, trials: B, counts: "u8", density: 1 } as const;
  const plan = trainingPlan(model, stepOptions(hyperparameters), sizes);
  const traced = traceRecording(plan, "step", scalars({ B }), { fits: starts, loopIterations });
  print(traced, { B, ...model.dims }, starts, output);
  const { stages, ...totals } = traced;
  output.json({
    shape: shape.name,
    cell: model.cell,
    dims: { B, ...model.dims },
    parameters: parameterLayout(model).length,
    starts,
    loopIterations: loopIterations ?? null,
    stages: stages.map((stage) => ({ ...stage, flopsPerByte: intensity(stage) })),
    ...totals,
    flopsPerByte: intensity(traced),
    readBacks: 0,
  });
}

function print(
  { stages, dispatches, flops, bytes: moved, memory }: Trace,
  dims: Dims & { readonly B: number },
  starts: number,
  output: Output,
): void {
  const sizes = Object.entries(dims).map(([letter, size]) => `${letter} ${size}`).join(", ");
  output.result(`One training step of ${sizes}${starts > 1 ? `; ${starts} starts` : ""}`);
  const row = (stage: TracedStage, i: number) => [
    String(i + 1),
    stage.kernels.join(stage.how === "sideBySide" ? " | " : " + "),
    String(stage.dispatches),
    stage.workgroups.filter((count, axis) => axis === 0 || count > 1).join("×"),
    String(stage.workgroupSize),
    bytes(stage.workgroupMemory),
    number(stage.flops / 1e6),
    number(stage.bytes / 1e6),
    number(intensity(stage), 3),
  ];
  output.result(table(
    ["", "kernels", "dispatches", "workgroups", "of", "sharing", "MFLOP", "MB", "FLOP/B"],
    stages.map(row),
  ));
  output.result(
    `${dispatches} dispatches, none of them for a time step; ${number(flops / 1e6)} MFLOP, ` +
      `${number(moved / 1e6)} MB, ${
        number(intensity({ flops, bytes: moved }), 3)
      } FLOP per byte; ` +
      `${bytes(memory)} on the device. Nothing is read back.`,
  );
}

function intensity({ flops, bytes }: { readonly flops: number; readonly bytes: number }): number {
  return bytes > 0 ? flops / bytes : 0;
}
