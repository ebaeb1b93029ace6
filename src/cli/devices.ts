/** `latentd devices`: what this machine has to compute on, and whether it computes rightly. */
import type { Command } from "commander";
import { type DeviceReport, type DeviceSurvey, surveyDevices } from "../mod.ts";
import { bytes, number, table } from "./format.ts";
import {
  addCommonOptions,
  type CommonOptions,
  type Context,
  seedOption,
  whole,
} from "./options.ts";
import { Output } from "./output.ts";

interface DevicesFlags extends CommonOptions {
  readonly seed?: number;
  readonly shapes?: number;
}

const HELP = `
Opens every device and compares its gradients with the float64 reference on models of random shapes (the
reference's with finite differences), for some seconds at most. Exits with 0 when all agree, 1 when one
does not or cannot be opened.`;

export function addDevices(program: Command, context: Context): void {
  const command = program.command("devices")
    .description("list what there is to compute on, and check each device for some seconds")
    .option("--shapes <number>", "random models for each device (default: 12)", whole(1, 10_000))
    .addOption(seedOption("decides the random models"));
  addCommonOptions(command)
    .addHelpText("after", HELP)
    .action(async (flags: DevicesFlags) => {
      const output = new Output(context.streams, flags.json ?? false);
      const survey = await surveyDevices({
        seed: flags.seed,
        shapes: flags.shapes,
        onDevice: ({ name, adapter }) => output.note(`Checking ${label(name, adapter)} …`),
      });
      print(survey, output);
      output.json({ ...survey });
      context.exitCode = survey.passed ? 0 : 1;
    });
}

function label(device: string, adapter?: string | null): string {
  return adapter ? `${device} (${adapter})` : device;
}

function print({ devices, auto }: DeviceSurvey, output: Output): void {
  output.result(table(
    ["device", "runs on", "arithmetic", "self-check"],
    devices.map((found) => [
      found.device,
      found.adapter ?? threads(found),
      found.arithmetic ?? "",
      verdict(found),
    ]),
  ));
  for (const found of devices) {
    for (const line of details(found)) output.result(line);
  }
  output.result(`--device auto takes ${label(auto.device, auto.adapter)}: ${auto.why}.`);
}

function threads({ threads }: DeviceReport): string {
  return threads === null ? "" : `${threads} ${threads === 1 ? "thread" : "threads"}`;
}

function verdict({ check, failure }: DeviceReport): string {
  if (!check) return failure === null ? "" : "FAILED";
  const { passed, shapes, seconds, worst } = check;
  return `${passed ? "ok" : "WRONG"}: ${shapes} models in ${seconds.toFixed(1)} s, worst ` +
    `${number(worst.error, 2)} of ${number(worst.tolerance, 2)}`;
}

/** What a table has no room for. */
function details(found: DeviceReport): string[] {
  const { capabilities, features, failure, check } = found;
  const name = label(found.device, found.adapter);
  const lines: string[] = [];
  if (failure !== null) lines.push(`${name}: ${failure}`);
  if (check && !check.passed) {
    const { file, what, note } = check.worst;
    lines.push(`${name}: ${what} of ${file}${note ? `, ${note}` : ""}`);
  }
  if (capabilities) {
    const { workgroupSize, workgroupMemory, storageBinding, loopIterations, tile } = capabilities;
    const loops = Number.isFinite(loopIterations)
      ? `loops are cut after ${loopIterations} iterations`
      : "loops are not cut";
    lines.push(
      `${name}, ${found.kind}: workgroups of ${workgroupSize} with ${bytes(workgroupMemory)}, ` +
        `bindings of ${
          bytes(storageBinding)
        }, ${loops}, ${tile} trials in a workgroup of a sweep; ` +
        `features ${features.join(", ") || "none"}`,
    );
  }
  return lines;
}
