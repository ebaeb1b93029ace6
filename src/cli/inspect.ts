/** `latentd inspect`: what is in a file of recordings, in words. */
import type { Command } from "commander";
import {
  type Dataset,
  type DatasetFacts,
  datasetFacts,
  type FileContents,
  inspectFile,
  type LayoutOptions,
  type RealFacts,
  realFacts,
  type RecordingFacts,
} from "../mod.ts";
import { addDataOptions, type DataFlags, layoutOptions, typedOptions } from "./data_options.ts";
import { bytes, number, sizes, table } from "./format.ts";
import { addCommonOptions, type CommonOptions, type Context } from "./options.ts";
import { Output } from "./output.ts";

interface InspectFlags extends CommonOptions, DataFlags {}

const HELP = `
Says what the file is, which of its arrays would be the spikes and why, what the counts are like, and what
about them is suspicious. A file that cannot be used as it is ends with the reason; a damaged one is an
error. Spike times are counted where a window and a bin width are given, so that their counts can be
looked at too.`;

export function addInspect(program: Command, context: Context): void {
  const command = program.command("inspect <file>")
    .description("say what is in a file: npz, npy, HDF5 (lfads-torch, MATLAB v7.3) or NWB");
  addCommonOptions(addDataOptions(command))
    .addHelpText("after", HELP)
    .action(async (path: string, flags: InspectFlags) => {
      const output = new Output(context.streams, flags.json ?? false);
      const options = layoutOptions(flags);
      const { contents, dataset, problem } = await inspectFile(path, options);
      const real = dataset?.counts_BTN instanceof Float32Array;
      const facts = dataset && !real ? datasetFacts(dataset) : null;
      const values = dataset && real ? realFacts(dataset) : null;
      const command = suggestion(path, options, contents, dataset);
      for (const line of describeFile(path, contents)) output.result(line);
      if (dataset && facts) { for (const line of describe(dataset, facts)) output.result(line); }
      if (dataset && values) {
        for (const line of describeReal(dataset, values)) output.result(line);
      }
      if (problem !== null) output.result(`\nNot usable as it is. ${problem}`);
      if (command !== null) output.result(`\n${command.what}:\n  ${command.line}`);
      output.json({
        file: path,
        contents,
        dataset: dataset && {
          name: dataset.name,
          warnings: dataset.warnings,
          neurons: dataset.neurons ?? null,
          split: dataset.split
            ? { train: [...dataset.split.train], evaluation: [...dataset.split.evaluation] }
            : null,
          behaviour: Object.keys(dataset.behaviour_BTD ?? {}),
          external: dataset.external_BTX?.shape ?? null,
          encodedBins: dataset.encodedBins ?? null,
          heldOut: dataset.heldOut ?? null,
        },
        facts,
        values,
        problem,
        suggestion: command?.line ?? null,
      });
    });
}

/** Rows of a table that are shown. */
const MAX_ROWS = 40;

/** `<f8` as `float64`. */
function dtypeWords(dtype: string): string {
  const [, kind, size] = /^[<>|=]?([biufU])(\d+)$/.exec(dtype) ?? [];
  if (kind === undefined) return dtype;
  if (kind === "U") return "text";
  if (kind === "b") return "bool";
  return `${{ i: "int", u: "uint", f: "float" }[kind]}${Number(size) * 8}`;
}

function describeFile(path: string, contents: FileContents): string[] {
  const { format, entries, understood, recording } = contents;
  const shown = entries.slice(0, MAX_ROWS);
  const rows = shown.map(({ name, shape, dtype }) => [
    name,
    shape.length === 0 ? "one" : shape.join(" × "),
    dtypeWords(dtype),
    understood?.roles[name] ?? "",
  ]);
  const more = entries.length - shown.length;
  return [
    `${path}: ${format}, ${bytes(contents.bytes)}.`,
    "",
    ...(rows.length === 0 ? ["It holds no arrays."] : [table(["array", "shape", "", ""], rows)]),
    ...(more > 0 ? [`and ${more} more`] : []),
    "",
    ...(understood
      ? [
        `Read as ${understood.layout}: ${JSON.stringify(understood.spikes)}, as ${understood.why}.`,
      ]
      : []),
    ...(recording ? describeRecording(recording) : []),
  ];
}

function describeRecording(recording: RecordingFacts): string[] {
  const { units, spikes, span, trials, trialSeconds, events, areas, series } = recording;
  const columns = (of: RecordingFacts["trialColumns"]) =>
    of.map(({ name, distinct, values }) =>
      distinct > values.length
        ? `${name} (${distinct} values)`
        : `${name} (${values.map(([value, rows]) => `${value || '""'}: ${rows}`).join(", ")})`
    ).join("; ");
  return [
    `${count(units, "unit")} with ${count(spikes, "spike")}` +
    (span ? ` from ${number(span[0])} to ${number(span[1])} s` : "") +
    `, ${count(trials, "trial")}` +
    (trialSeconds
      ? trialSeconds[1] - trialSeconds[0] < 1e-9
        ? ` of ${number(trialSeconds[0])} s`
        : ` of ${number(trialSeconds[0])} to ${number(trialSeconds[1])} s`
      : "") +
    ".",
    ...(events.length > 0
      ? [
        `Windows can be aligned to ${
          events.map((event) =>
            event.trials === trials ? event.name : `${event.name} (${event.trials} trials)`
          ).join(", ")
        }.`,
      ]
      : []),
    ...(recording.trialColumns.length > 0
      ? [`Known of trials: ${columns(recording.trialColumns)}.`]
      : []),
    ...(recording.unitColumns.length > 0
      ? [`Known of units: ${columns(recording.unitColumns)}.`]
      : []),
    ...(areas.length > 0 ? [`--area looks at ${areas.join(", ")}.`] : []),
    ...(series.length > 0 ? [`Time series for --behaviour: ${series.join(", ")}.`] : []),
  ];
}

function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? "" : "s"}`;
}

/** Milliseconds without the dust of binary fractions. */
function ms(seconds: number): string {
  return String(Number((seconds * 1000).toPrecision(9)));
}

function describe(dataset: Dataset, facts: DatasetFacts): string[] {
  const { binWidth, mean, quantiles, largest, silent, alike, comparedBins, missing } = facts;
  const hz = (perBin: number) => number(binWidth === null ? perBin : perBin / binWidth, 3);
  const unit = binWidth === null ? "spikes per bin" : "Hz";
  const width = binWidth === null
    ? ", bin width not known (--bin-width gives it)"
    : `, bins of ${ms(binWidth)} ms, ${ms(binWidth * facts.T)} ms a trial`;
  const [least, p5, p25, median, p75, p95, most] = quantiles.map(hz);
  const names = dataset.neurons;
  const neuron = (n: number) => names && names[n] !== String(n) ? `${n} (${names[n]})` : String(n);
  return [
    "",
    `${sizes(facts)}${width}; ${count(facts.spikes, "spike")}` +
    (missing > 0 ? `; ${count(missing, "bin")} of single neurons not observed` : "") + ".",
    `Rates: ${
      hz(mean)
    } ${unit} on average. Of single neurons: least ${least}, 5 % ${p5}, 25 % ${p25}, ` +
    `median ${median}, 75 % ${p75}, 95 % ${p95}, most ${most} ${unit}.`,
    `Largest count: ${largest.count} at [trial, bin, neuron] = [${largest.trial}, ${largest.bin}, ` +
    `${largest.neuron}]` +
    (binWidth === null ? "." : `, ${number(largest.count / binWidth, 3)} Hz in that bin.`),
    silent.length === 0
      ? "Silent neurons: none."
      : `Silent neurons (counted from 0): ${some(silent.map(neuron))}.`,
    comparedBins === null
      ? "Neurons that are alike: not looked for, as there are too many."
      : alike.length === 0
      ? `Neurons that are alike: none${sampled(facts)}.`
      : `Neurons that are alike${sampled(facts)}: ${
        some(
          alike.map(({ neurons: [a, b], correlation }) =>
            `${neuron(a)} and ${neuron(b)} (${correlation.toFixed(3)})`
          ),
        )
      }.`,
    facts.emptyTrials.length === 0
      ? "Trials without spikes: none."
      : `Trials without spikes (counted from 0): ${some(facts.emptyTrials.map(String))}.`,
    ...conditionTable(facts),
    ...whatFitMakes(dataset),
    ...dataset.warnings.map((warning) => `Note: ${warning}`),
    ...(facts.suspicions.length === 0
      ? ["Nothing suspicious was found."]
      : facts.suspicions.map((suspicion) => `Suspicious: ${suspicion}`)),
  ];
}

function describeReal(dataset: Dataset, facts: RealFacts): string[] {
  const { least, most, mean, deviation, zeros, missing, constant, observations } = facts;
  const { binWidth, T } = dataset;
  const width = binWidth === null
    ? ", bin width not known (--bin-width gives it)"
    : `, bins of ${ms(binWidth)} ms, ${ms(binWidth * T)} ms a trial`;
  return [
    "",
    `${sizes(dataset)}${width}; real numbers, not counts` +
    (missing > 0 ? `; ${count(missing, "bin")} of single neurons not observed` : "") + ".",
    `Values: from ${number(least)} to ${number(most)}, ${number(mean)} on average, deviation ${
      number(deviation)
    }; ${number(100 * zeros, 3)} % are 0.`,
    constant.length === 0
      ? "Neurons that never change: none."
      : `Neurons that never change (counted from 0): ${some(constant.map(String))}.`,
    `Poisson is for counts; these numbers fit the observation ${observations.join(" or ")}.`,
    ...whatFitMakes(dataset),
    ...dataset.warnings.map((warning) => `Note: ${warning}`),
  ];
}

/** What of a file decides options of a fit, and what else one could ask for. */
function whatFitMakes(dataset: Dataset): string[] {
  const { T, N, split, encodedBins = T, heldOut = [], external_BTX, behaviour_BTD } = dataset;
  const { missing_BTN, lengths_B, trials } = dataset;
  const names = Object.keys(behaviour_BTD ?? {});
  return [
    ...(split
      ? [
        `The file's own split is used by fit: ${split.train.length} trials train, ` +
        `${split.evaluation.length} evaluate.`,
      ]
      : []),
    ...(heldOut.length > 0
      ? [
        `Held out: fit hides ${
          count(heldOut.length, "neuron")
        } from the encoders, as the file says, and ` +
        `predicts ${heldOut.length === 1 ? "it" : "them"} (co-smoothing).`,
      ]
      : N > 4
      ? [
        "Held out: no neurons; --held-out-neurons 0.25 hides some from the encoders (co-smoothing).",
      ]
      : []),
    ...(encodedBins < T
      ? [
        `Forward bins: the encoders see ${encodedBins} of ${T} bins, as the file says, and fit predicts ` +
        `the others.`,
      ]
      : []),
    ...(external_BTX
      ? [
        `External inputs: ${
          external_BTX.shape[2]
        } drive the generator (--external-inputs 0 leaves them ` +
        `out).`,
      ]
      : []),
    ...(lengths_B
      ? [
        `Trials of different lengths: ${lengths_B.reduce((a, b) => Math.min(a, b))} to ${
          lengths_B.reduce((a, b) => Math.max(a, b))
        } of ${T} bins in ${trials} trials; what is after an end has no part in fit and scores (--crop ` +
        `cuts all to the shortest).`,
      ]
      : []),
    ...(missing_BTN
      ? ["Missing bins: they have no part in fit and scores, and infer predicts them."]
      : []),
    ...(names.length > 0
      ? [`Behaviour: ${names.join(", ")}. It is kept, and fit does not use it.`]
      : []),
  ];
}

function sampled({ comparedBins, trials, T }: DatasetFacts): string {
  return comparedBins !== null && comparedBins < trials * T
    ? ` (looked at every ${Math.ceil(trials * T / comparedBins)}th bin)`
    : "";
}

function some(list: readonly string[], most = 12): string {
  const more = list.length - most;
  return `${list.slice(0, most).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

function conditionTable({ conditions, binWidth }: DatasetFacts): string[] {
  if (conditions.length === 0) return ["Conditions: not known."];
  const shown = conditions.slice(0, MAX_ROWS);
  const unit = binWidth === null ? "spikes per bin" : "Hz";
  const rows = shown.map(({ value, name, trials, mean }) => [
    name ?? String(value),
    String(trials),
    number(binWidth === null ? mean : mean / binWidth, 3),
  ]);
  const more = conditions.length - shown.length;
  return [
    table(["condition", "trials", unit], rows),
    ...(more > 0 ? [`and ${more} more`] : []),
  ];
}

/** What to run next: a fit, or a look at the counts of a recording. */
function suggestion(
  path: string,
  options: LayoutOptions,
  { recording }: FileContents,
  dataset: Dataset | null,
): { what: string; line: string } | null {
  const file = /^[\w./-]+$/.test(path) ? path : `'${path}'`;
  if (dataset && dataset.trials >= 2) {
    const typed = typedOptions(options);
    const small = dataset.N < 40 ? ` --factors ${Math.max(2, Math.floor(dataset.N / 2))}` : "";
    return {
      what: "Fit it with",
      line: `latentd fit ${file}${typed && ` ${typed}`} --out runs/${
        dataset.name.replaceAll(/[^\w.-]/g, "_")
      } --starts 4${small}${observationOf(dataset)}`,
    };
  }
  if (recording && recording.events.length > 0 && !dataset) {
    const events = recording.events.map(({ name }) => name);
    const event = events.find((name) => !/^(start_time|stop_time|trial_st)/.test(name)) ??
      events[0];
    return {
      what: "Look at the counts around an event with",
      line: `latentd inspect ${file} --align ${event} --window -0.2:0.5 --bin-width 0.02`,
    };
  }
  return null;
}

/** The flag that real numbers need. */
function observationOf(dataset: Dataset): string {
  if (!(dataset.counts_BTN instanceof Float32Array)) return "";
  return ` --observation ${realFacts(dataset).observations[0]}`;
}
