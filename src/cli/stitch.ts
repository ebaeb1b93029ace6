/** `latentd stitch`: several sessions as one recording, for one model of all. */
import type { Command } from "commander";
import {
  datasetToBytes,
  InputError,
  readDataset,
  stitchSessions,
  writeFileAtomic,
} from "../mod.ts";
import { addDataOptions, type DataFlags, layoutOptions } from "./data_options.ts";
import { bytes, sizes } from "./format.ts";
import { addCommonOptions, type CommonOptions, type Context } from "./options.ts";
import { Output } from "./output.ts";

interface StitchFlags extends CommonOptions, DataFlags {
  readonly out?: string;
}

const HELP = `
Every session keeps its own neurons: they are blocks of columns, and a trial misses the neurons of all
sessions but its own. A model of the whole has weights of its own for each session into its encoders and
out of its factors, and one generator for all. They start from the principal components that the
sessions' responses to common conditions share (--session-start). A session is named after its file.`;

export function addStitch(program: Command, context: Context): void {
  const command = program.command("stitch <sessions...>")
    .description("put several sessions into one recording")
    .option("--out <file>", "the .npz file to write");
  addCommonOptions(addDataOptions(command))
    .addHelpText("after", HELP)
    .action(async (paths: string[], flags: StitchFlags) => {
      const output = new Output(context.streams, flags.json ?? false);
      const { out } = flags;
      if (out === undefined || !out.toLowerCase().endsWith(".npz")) {
        throw new InputError(
          `Cannot put sessions together: expected --out with a name that ends in .npz, found ` +
            `${out === undefined ? "none" : JSON.stringify(out)}.`,
        );
      }
      const options = { ...layoutOptions(flags), minTrials: 1 } as const;
      const sessions = [];
      for (const path of paths) sessions.push(await readDataset(path, options));
      const data = stitchSessions(sessions);
      output.warnings(data.warnings);
      const file = datasetToBytes(data);
      await writeFileAtomic(out, file);
      output.result(
        `Wrote ${out}: ${sessions.length} sessions, ${sizes(data)}, ${bytes(file.length)}.`,
      );
      output.json({
        out,
        sessions: data.sessions!.names,
        neurons: data.sessions!.neurons,
        trials: data.trials,
        T: data.T,
        N: data.N,
        bytes: file.length,
        warnings: data.warnings,
      });
    });
}
