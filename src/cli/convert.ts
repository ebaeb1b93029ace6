/** `latentd convert`: a recording in another format. */
import { extname } from "node:path";
import { type Command, Option } from "commander";
import {
  type Dataset,
  DATASET_FORMATS,
  type DatasetFormat,
  DROPPABLE,
  type Droppable,
  encodeDataset,
  InputError,
  readDataset,
  trialSplit,
  writeFileAtomic,
} from "../mod.ts";
import { addDataOptions, type DataFlags, layoutOptions } from "./data_options.ts";
import { bytes, sizes } from "./format.ts";
import { addCommonOptions, type CommonOptions, type Context, real, seedOption } from "./options.ts";
import { Output } from "./output.ts";

interface ConvertFlags extends CommonOptions, DataFlags {
  readonly to?: string;
  readonly drop?: readonly string[];
  readonly evalFraction?: number;
  readonly seed?: number;
}

const EVAL_FRACTION = 0.2;

const FORMATS = Object.keys(DATASET_FORMATS) as DatasetFormat[];

const HELP = `
Formats, by --to or by the ending of OUT (.npz, .npy, .h5 or .hdf5, .nwb):
${FORMATS.map((format) => `  ${format.padEnd(12)} ${DATASET_FORMATS[format]}`).join("\n")}

npz and hdf5 hold every part of a recording and give it back. Other formats refuse parts that they cannot
hold, by name; --drop leaves those out. lfads-torch's files need a split: the recording's own, or one drawn
with --eval-fraction and --seed. Counts do not say when in its bin a spike was: an NWB file's are made up,
evenly spaced, and give the same counts when they are counted in the same bins.`;

export function addConvert(program: Command, context: Context): void {
  const command = program.command("convert <in> <out>")
    .description("write a recording in another format")
    .addOption(
      new Option("--to <format>", "the format (default: by OUT's ending)").choices(FORMATS),
    )
    .option(
      "--drop <parts>",
      `leave out parts, separated by commas: ${DROPPABLE.join(", ")}`,
      (text: string) => text.split(",").map((part) => part.trim()),
    )
    .option(
      "--eval-fraction <share>",
      `lfads-torch: trials to validate on, without a split of its own (default: ${EVAL_FRACTION})`,
      real,
    )
    .addOption(seedOption("lfads-torch: decides the split that is drawn"));
  addCommonOptions(addDataOptions(command))
    .addHelpText("after", HELP)
    .action(async (from: string, to: string, flags: ConvertFlags) => {
      const output = new Output(context.streams, flags.json ?? false);
      const format = formatOf(to, flags);
      const drop = droppable(flags.drop ?? []);
      const data = await readDataset(from, {
        ...layoutOptions(flags),
        minTrials: 1,
      });
      output.warnings(data.warnings);
      const split = format === "lfads-torch" ? drawn(data, flags, output) : undefined;
      const encoded = await encodeDataset(data, format, { drop, split });
      await writeFileAtomic(to, encoded);
      output.result(`Wrote ${to}: ${sizes(data)}, ${format}, ${bytes(encoded.length)}.`);
      output.json({
        out: to,
        format,
        bytes: encoded.length,
        trials: data.trials,
        T: data.T,
        N: data.N,
        binWidth: data.binWidth,
        dropped: drop,
        warnings: data.warnings,
      });
    });
}

function formatOf(to: string, { to: asked }: ConvertFlags): DatasetFormat {
  const known = FORMATS.find((format) => format === asked);
  if (known !== undefined) return known;
  switch (extname(to).toLowerCase()) {
    case ".npz":
      return "npz";
    case ".npy":
      return "npy";
    case ".h5":
    case ".hdf5":
      return "hdf5";
    case ".nwb":
      return "nwb";
  }
  throw new InputError(
    `Cannot write ${
      JSON.stringify(to)
    }: expected a name that ends in .npz, .npy, .h5, .hdf5 or .nwb, ` +
      `or --to FORMAT, found ${JSON.stringify(extname(to))}.`,
  );
}

function droppable(parts: readonly string[]): Droppable[] {
  return parts.map((part) => {
    const known = DROPPABLE.find((name) => name === part);
    if (known !== undefined) return known;
    throw new InputError(
      `Cannot leave out ${JSON.stringify(part)}: expected ${
        DROPPABLE.join(", ")
      }, found another part.`,
    );
  });
}

/** The dataset's own split, or one that is drawn and said. */
function drawn(data: Dataset, flags: ConvertFlags, output: Output) {
  const { evalFraction = EVAL_FRACTION, seed = 0 } = flags;
  const split = trialSplit(data, evalFraction, seed);
  if (!data.split) {
    output.note(
      `Drew a split with seed ${seed}: ${split.train.length} trials train, ` +
        `${split.evaluation.length} validate.`,
    );
  }
  return split;
}
