/** `latentd parameters`: what a model has learned, for other programs. */
import { extname } from "node:path";
import { type Command, Option } from "commander";
import {
  encodeParameters,
  InputError,
  PARAMETER_FORMATS,
  type ParameterFormat,
  writeFileAtomic,
} from "../mod.ts";
import { bytes } from "./format.ts";
import { readModelBytes } from "./inputs.ts";
import { addCommonOptions, type CommonOptions, type Context } from "./options.ts";
import { Output } from "./output.ts";

interface ParametersFlags extends CommonOptions {
  readonly out: string;
  readonly to?: string;
}

const FORMATS = Object.keys(PARAMETER_FORMATS) as ParameterFormat[];

const HELP = `
Formats, by --to or by FILE's ending:
${FORMATS.map((format) => `  ${format.padEnd(12)} ${PARAMETER_FORMATS[format]}`).join("\n")}`;

export function addParameters(program: Command, context: Context): void {
  const command = program.command("parameters <model>")
    .description("write the parameters of a model file or a run's folder")
    .requiredOption("--out <file>", "where to")
    .addOption(
      new Option("--to <format>", "the format (default: by FILE's ending)").choices(FORMATS),
    );
  addCommonOptions(command)
    .addHelpText("after", HELP)
    .action(async (path: string, flags: ParametersFlags) => {
      const output = new Output(context.streams, flags.json ?? false);
      const format = formatOf(flags);
      const encoded = encodeParameters(await readModelBytes(path), format, JSON.stringify(path));
      await writeFileAtomic(flags.out, encoded);
      output.result(`Wrote ${flags.out}: ${format}, ${bytes(encoded.length)}.`);
      output.json({ out: flags.out, format, bytes: encoded.length });
    });
}

function formatOf({ out, to }: ParametersFlags): ParameterFormat {
  const ending = extname(out).toLowerCase();
  const known = FORMATS.find((format) => format === to || (!to && `.${format}` === ending));
  if (known !== undefined) return known;
  throw new InputError(
    `Cannot write ${JSON.stringify(out)}: expected a name that ends in ${
      FORMATS.map((format) => `.${format}`).join(", ")
    }, or --to FORMAT, found ${JSON.stringify(ending)}.`,
  );
}
