/** `latentd import`: a model of lfads-torch or jax-lfads. */
import { type Command, Option } from "commander";
import {
  importModel,
  type ImportOptions,
  InputError,
  modelToBytes,
  namesTable,
  readFileOrExplain,
  RECONSTRUCTIONS,
  SOURCES,
  writeFileAtomic,
} from "../mod.ts";
import { addCommonOptions, type CommonOptions, type Context, real, whole } from "./options.ts";
import { Output } from "./output.ts";

interface ImportFlags extends CommonOptions {
  readonly out?: string;
  readonly table?: boolean;
  readonly from?: ImportOptions["from"];
  readonly bins?: number;
  readonly binWidth?: number;
  readonly encodedBins?: number;
  readonly icEncSeqLen?: number;
  readonly ciLag?: number;
  readonly cellClip?: number;
  readonly icPostVarMin?: number;
  readonly reconstruction?: ImportOptions["reconstruction"];
  readonly session?: number;
  readonly nonlinearity?: ImportOptions["nonlinearity"];
  readonly varMin?: number;
}

const HELP = `
FILE holds the state dictionary of an lfads-torch model, as safetensors or .npz, or a parameter dictionary of
jax-lfads, as .npz, safetensors or JSON. A checkpoint of lfads-torch is a pickle; in Python:

  state = torch.load("epoch=999.ckpt", map_location="cpu", weights_only=False)["state_dict"]
  safetensors.torch.save_file(state, "model.safetensors")

What is no array has to be said, where it is not lfads-torch's default. Every command that takes a run's folder
takes the file that is written.`;

export function addImport(program: Command, context: Context): void {
  const command = program.command("import [file]")
    .description("make a model of latentd from one of lfads-torch or jax-lfads")
    .option("--out <file>", "where to, as model.safetensors")
    .option("--table", "print how names map, as Markdown, and do nothing else")
    .addOption(
      new Option("--from <program>", "default: as the names tell").choices([...SOURCES]),
    )
    .option("--bins <number>", "bins of a trial (recon_seq_len of lfads-torch)", whole(1))
    .option("--bin-width <seconds>", "for rates in Hz", real);
  const heading = "lfads-torch:";
  const torch = (flag: string, what: string, parse: (text: string) => unknown) =>
    command.addOption(new Option(flag, what).argParser(parse).helpGroup(heading));
  torch("--encoded-bins <number>", "encod_seq_len (default: all bins)", whole(1));
  torch("--ic-enc-seq-len <number>", "anything but 0 is refused (default: 0)", whole());
  torch("--ci-lag <number>", "bins (default: 1)", whole());
  torch("--cell-clip <number>", "states are clipped to ± this there (default: 5)", real);
  torch("--ic-post-var-min <number>", "floor of variances (default: 0.0001)", real);
  command.addOption(
    new Option("--reconstruction <name>", "the data's distribution (default: poisson)")
      .choices([...RECONSTRUCTIONS]).helpGroup(heading),
  );
  torch("--session <number>", "from 0, where there are several", whole());
  command.addOption(
    new Option("--nonlinearity <name>", "of a vanilla generator (default: tanh)")
      .choices(["tanh", "relu", "identity"]).helpGroup("jax-lfads:"),
  );
  command.addOption(
    new Option("--var-min <number>", "floor of variances (default: 0.001)").argParser(real)
      .helpGroup("jax-lfads:"),
  );
  addCommonOptions(command)
    .addHelpText("after", HELP)
    .action(async (path: string | undefined, flags: ImportFlags) => {
      const output = new Output(context.streams, flags.json ?? false);
      const { out, table, json: _json, verbose: _verbose, ...options } = flags;
      if (table) {
        output.result(SOURCES.map(namesTable).join("\n\n"));
        return;
      }
      if (path === undefined || out === undefined) {
        throw new InputError(
          `Cannot import: expected a file and --out FILE, or --table, found ${
            path === undefined ? "no file" : "no --out"
          }.`,
        );
      }
      const what = JSON.stringify(path);
      const { model, source, warnings } = importModel(await readFileOrExplain(path), what, options);
      // as float64: what is composed or folded is no float32
      const bytes = modelToBytes(model, true);
      await writeFileAtomic(out, bytes);
      output.warnings(warnings);
      const { T, N, E, G, F, U } = model.architecture.dims;
      output.result(
        `Wrote ${out}: a model of ${source}, ${T} bins, ${N} neurons, ${E} encoder units, ${G} generator ` +
          `units, ${F} factors, ${U} inferred inputs.`,
      );
      output.json({
        out,
        source,
        T,
        N,
        heldOut: model.heldOut ?? [],
        hyperparameters: model.hyperparameters,
        warnings,
      });
    });
}
