/** `latentd report`: the self-contained page about a run. */
import { join } from "node:path";
import type { Command } from "commander";
import {
  countsSha256,
  InputError,
  readModel,
  readRunRecord,
  readRunState,
  RUN_FILES,
} from "../mod.ts";
import { readData } from "./inputs.ts";
import {
  addComputeOptions,
  type ComputeOptions,
  type Context,
  openDeviceAloud,
  whole,
} from "./options.ts";
import { Output } from "./output.ts";
import { makeReport, printScores } from "./study.ts";

interface ReportFlags extends ComputeOptions {
  readonly out?: string;
  readonly samples?: number;
}

export function addReport(program: Command, context: Context): void {
  const command = program.command("report <run> [data]")
    .description("infer, score, find fixed points and write one HTML page about a run")
    .option("--out <file.html>", `where to (default: ${RUN_FILES.report} in the run's folder)`)
    .option("--samples <number>", "posterior samples of each trial (default: 64)", whole(1));
  addComputeOptions(command)
    .action(async (run: string, dataPath: string | undefined, flags: ReportFlags) => {
      const output = new Output(context.streams, flags.json ?? false);
      const record = await readRunRecord(run);
      const { history, recoveries } = await readRunState(run, record);
      const model = await readModel(join(run, RUN_FILES.model));
      const path = dataPath ?? record.dataset.path;
      const data = await readData(path, 2, record.dataset.read);
      if (await countsSha256(data) !== record.dataset.sha256) {
        throw new InputError(
          `Cannot report on ${
            JSON.stringify(run)
          }: expected the counts that it was fitted to, found ` +
            `others in ${JSON.stringify(path)}.`,
        );
      }
      const executor = await openDeviceAloud(flags, output);
      try {
        const done = await makeReport(executor, {
          data,
          model,
          split: {
            train: Uint32Array.from(record.split.train),
            evaluation: Uint32Array.from(record.split.evaluation),
          },
          history,
          recoveries,
          ended: record.ended,
          title: `LFADS fit to ${data.name}`,
          path: flags.out ?? join(run, RUN_FILES.report),
          samples: flags.samples,
        });
        printScores(done, output);
        output.json({
          report: done.path,
          run,
          device: executor.info,
          scores: done.study.scores,
          fixedPoints: done.study.fixedPoints.points.length,
        });
      } finally {
        executor.close();
      }
    });
}
