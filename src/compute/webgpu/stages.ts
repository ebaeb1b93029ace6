/**
 * From a recording to what a GPU dispatches: kernels are fused where one can follow another without
 * waiting for the whole device, and completed by what only a GPU needs (transposed weights, partial
 * sums). No GPU is touched here.
 */
import { scalars } from "../executor.ts";
import { ELEMENT_CODES, KERNELS, LOSSES } from "../kernels.ts";
import type { BufferSpec, Dispatch, GradientJob, Ref } from "../recording.ts";
import { ABSENT, type Extras, gpuSignature, TRANSPOSED } from "./arguments.ts";
import type { Capabilities } from "./capabilities.ts";
import type { GpuKernel, How, Numbers, Variant } from "./kernel.ts";
import { gradientTable } from "./kernels/weight_gradients.ts";
import { SHADERS } from "./kernels/index.ts";
import type { Layout } from "./layout.ts";
import type { Fusion } from "./module.ts";

/** One kernel of a stage with its arguments. */
export interface Part {
  readonly kernel: GpuKernel;
  readonly numbers: Numbers;
  /** where each buffer starts in its arena */
  readonly starts: Readonly<Record<string, number>>;
  readonly extras: Extras;
}

/** One dispatch on the GPU (or several, where its loop is cut). */
export interface Stage {
  readonly fusion: Fusion;
  readonly variant: Variant;
  readonly parts: readonly Part[];
}

/** Stages of all recordings of a plan, and the tables that they read. */
export class Planner {
  /** tables: they stand behind the shared words */
  readonly tables: number[] = [];
  readonly #copies = new Map<string, number>();
  #scratch?: { start: number; length: number };

  constructor(private readonly layout: Layout, private readonly capabilities: Capabilities) {}

  stages(recording: string, dispatches: readonly Dispatch[]): Stage[] {
    const transposes = this.#transposes(dispatches);
    const stages: Stage[] = [];
    const alone = (part: Part) =>
      stages.push(this.#stage({ kernels: [part.kernel], how: "alone" }, [part]));
    const prepared = dispatches.some(({ kernel }) => kernel === "prepare");
    // a tile of trials is one of rows only where each trial has one sample: where losses are computed
    const oneSample = dispatches.some(({ kernel }) =>
      kernel === "readout" || kernel === "observation"
    );
    if (transposes.entries > 0 && !prepared) alone(this.#internal("transpose", transposes));
    let splits: Extras = {};
    for (let i = 0; i < dispatches.length; i++) {
      const dispatch = dispatches[i], next = dispatches.at(i + 1);
      const part = this.#part(recording, dispatch);
      const fuse = (how: How, first: Part) => {
        const second = this.#part(recording, next!);
        const kernels = [first.kernel, second.kernel] as const;
        stages.push(this.#stage({ kernels, how }, [first, second]));
        i++;
      };
      switch (dispatch.kernel) {
        case "prepare": {
          const first = { ...part, extras: { ...part.extras, ...transposes } };
          if (next?.kernel === "encoder_input") {
            // the encoder's input waits for nothing that `prepare` makes
            const entries = 1 + transposes.entries;
            fuse("sideBySide", { ...first, extras: { ...first.extras, entries } });
          } else alone({ ...first, extras: { ...first.extras, entries: 1 + transposes.entries } });
          break;
        }
        case "encoder":
          if (oneSample && next?.kernel === "decoder" && this.#fits(dispatch, next)) {
            fuse("inTurn", part);
          } else alone(part);
          break;
        case "decoder_backward":
          if (next?.kernel === "encoder_backward" && this.#fits(dispatch, next)) {
            fuse("inTurn", part);
          } else alone(part);
          break;
        case "weight_gradients": {
          const { extras, out, work } = this.#gradients(dispatch.jobs ?? []);
          const numbers = { ...part.numbers, ...work };
          alone({ ...part, numbers, extras: { ...part.extras, ...extras } });
          if (next?.kernel === "reduce" && next.buffers.grads_P) splits = extras;
          else {
            alone({
              kernel: "fold",
              numbers: { P: out.length },
              starts: { grads_P: this.#start(out) },
              extras,
            });
          }
          break;
        }
        case "reduce": {
          alone({ ...part, extras: { ...part.extras, ...splits } });
          splits = {};
          const finish = { ...part, kernel: "finish" as const };
          if (next?.kernel === "adam") fuse("inTurn", finish);
          else alone(finish);
          break;
        }
        case "accumulate": {
          const extras = { ...part.extras, scratch: this.#totalOf(dispatch.buffers.sums!) };
          alone(part);
          alone({ ...part, kernel: "total", extras });
          break;
        }
        case "adam": {
          const scratch = this.layout.running.get(dispatch.buffers.losses!.buffer);
          if (scratch === undefined) alone(part);
          else {
            const numbers = { ...part.numbers, sums: 1 };
            alone({ ...part, numbers, extras: { ...part.extras, scratch } });
          }
          break;
        }
        default:
          alone(part);
      }
    }
    return stages;
  }

  /** The variant that all kernels of a stage can share. */
  #stage(fusion: Fusion, parts: readonly Part[]): Stage {
    const variants = parts.map(({ kernel, numbers }) =>
      SHADERS[kernel].variant(numbers, this.capabilities)
    );
    const together = fusion.how === "inTurn";
    const variant: Variant = {
      workgroup: Math.max(...variants.map(({ workgroup }) => workgroup)),
      tile: Math.min(...variants.map(({ tile }) => tile)) as Variant["tile"],
      constants: Object.assign({}, ...variants.map(({ constants }) => constants)),
      workgroupMemory: variants.reduce((sum, v) => sum + v.workgroupMemory, 0),
    };
    if (together && variant.workgroupMemory > this.capabilities.workgroupMemory) {
      throw new Error(`Cannot fuse ${fusion.kernels.join(" and ")}: too much workgroup memory.`);
    }
    return { fusion, variant, parts };
  }

  #part(recording: string, dispatch: Dispatch): Part {
    const { kernel, buffers, numbers } = dispatch;
    const { ints, floats } = KERNELS[kernel];
    for (const name of [...ints, ...floats]) {
      if (!Number.isFinite(numbers[name])) {
        throw new Error(
          `Cannot prepare recording "${recording}", kernel ${kernel}: number ${name} is ${
            numbers[name]
          }.`,
        );
      }
    }
    const starts: Record<string, number> = {};
    const extras: Record<string, number> = {}, present: Record<string, number> = {};
    for (const declared of gpuSignature(kernel).buffers) {
      const name = declared.replace("?", "");
      if (name === "jobs") {
        starts[name] = ABSENT;
        continue;
      }
      const ref = buffers[name];
      if (!ref && name === declared) {
        throw new Error(
          `Cannot prepare recording "${recording}", kernel ${kernel}: buffer ${name} is missing.`,
        );
      }
      starts[name] = ref ? this.#start(ref) : ABSENT;
      if (!ref) continue;
      const { spec, words } = this.layout.place(ref.buffer);
      if (DATA.has(name)) {
        this.#requireData(recording, kernel, spec, numbers.element ?? ELEMENT_CODES.real);
      }
      if (name !== declared) present[name] = 1;
      if (name === "trials_B") extras.trialsSlot = words;
      if (name === "losses") extras.lossesSlot = words;
      if (name === "sums") extras.sumsSlot = words;
      if (name === "speeds_K") extras.speedsSlot = words;
    }
    for (const name of Object.keys(TRANSPOSED[kernel] ?? {})) {
      const ref = buffers[name];
      starts[`${name}_T`] = ref ? this.#copyOf(ref) : ABSENT;
    }
    return { kernel, numbers: { ...numbers, ...present }, starts, extras };
  }

  /** Kernels look for data where all fits share them, and read them as they are told. */
  #requireData(recording: string, kernel: GpuKernel, spec: BufferSpec, element: number): void {
    const cannot =
      `Cannot prepare recording "${recording}", kernel ${kernel}: expected ${spec.name} `;
    if (!spec.shared) {
      throw new Error(`${cannot}to be a shared buffer, found one of each fit.`);
    }
    const stored = (ELEMENT_CODES as Record<string, number>)[spec.element];
    if (stored !== element) {
      const wanted = Object.entries(ELEMENT_CODES).find(([, code]) => code === element)?.[0];
      throw new Error(`${cannot}to hold ${wanted}, found ${spec.element}.`);
    }
  }

  /** Where the losses that `accumulate` has added up stand, whichever run makes them. */
  #totalOf({ buffer }: Ref): number {
    const { running, reals } = this.layout;
    const start = running.get(buffer) ?? reals.take(LOSSES.length);
    running.set(buffer, start);
    return start;
  }

  #internal(kernel: GpuKernel, extras: Extras): Part {
    return { kernel, numbers: {}, starts: {}, extras };
  }

  #start({ buffer, offset, length }: Ref): number {
    const { spec, start } = this.layout.place(buffer);
    if (offset < 0 || offset + length > spec.length) {
      throw new Error(`Cannot use ${buffer}: ${offset}+${length} exceeds its ${spec.length}.`);
    }
    if (offset > 0 && spec.element !== "real") {
      throw new Error(`Cannot use part of ${buffer}: only real numbers can be sliced on webgpu.`);
    }
    return start + offset;
  }

  /** Where the transposed copy of some weights stands. */
  #copyOf(ref: Ref): number {
    const key = `${ref.buffer}+${ref.offset}`;
    const known = this.#copies.get(key);
    if (known !== undefined) return known;
    const start = this.layout.reals.take(ref.length);
    this.#copies.set(key, start);
    return start;
  }

  /** The table of all transposed copies that a recording reads: see `shaders/transposes.wgsl`. */
  #transposes(dispatches: readonly Dispatch[]): { table: number; entries: number } {
    const table: number[] = [];
    const seen = new Set<string>();
    for (const { kernel, buffers, numbers } of dispatches) {
      for (const [name, shape] of Object.entries(TRANSPOSED[kernel] ?? {})) {
        const ref = buffers[name];
        if (!ref || seen.has(`${ref.buffer}+${ref.offset}`)) continue;
        seen.add(`${ref.buffer}+${ref.offset}`);
        const [rows, columns] = shape(numbers);
        // the encoder's two directions stand one behind the other
        for (let at = 0; at + rows * columns <= ref.length; at += rows * columns) {
          const from = this.#start(ref) + at, to = this.#copyOf(ref) + at, end = rows * columns;
          for (let first = 0; first < end; first += TRANSPOSED_AT_ONCE) {
            table.push(from, to, rows, columns, first, Math.min(end, first + TRANSPOSED_AT_ONCE));
          }
          if (kernel !== "encoder_backward") break;
        }
      }
    }
    return { table: this.#addTable(table), entries: table.length / 6 };
  }

  #addTable(table: readonly number[]): number {
    const start = this.tables.length;
    for (const word of table) this.tables.push(word);
    // tables stand behind the data that all fits share
    return this.layout.sharedWords.length + start;
  }

  /** The job table, and scratch for partial sums. All jobs write into one buffer. */
  #gradients(jobs: readonly GradientJob[]): { extras: Extras; out: Ref; work: Numbers } {
    const names = new Set(jobs.map(({ out }) => out.buffer));
    if (names.size !== 1) {
      throw new Error(
        `Cannot prepare weight_gradients: expected one buffer for all gradients, found ${
          [...names].join(", ") || "none"
        }.`,
      );
    }
    const [name] = names;
    const { spec } = this.layout.place(name);
    const out = { buffer: name, offset: 0, length: spec.length };
    const { table, entries, splits, work } = gradientTable(
      jobs,
      (ref) => this.#start(ref),
      this.#start(out),
    );
    const length = splits * spec.length;
    if (!this.#scratch || this.#scratch.length < length) {
      this.#scratch = { start: this.layout.reals.take(length), length };
    }
    return {
      out,
      work,
      extras: {
        table: this.#addTable(table),
        entries,
        splits,
        scratch: this.#scratch.start,
        scratchLength: spec.length,
      },
    };
  }

  /**
   * Whether encoder and decoder of a tile can follow each other in one workgroup: small cells without a
   * controller, whose sweeps stay below the loop limit without being cut and share its memory.
   */
  #fits(...pair: readonly Dispatch[]): boolean {
    const { E, G, U } = Object.assign({}, ...pair.map(({ numbers }) => numbers)) as Numbers;
    if (U > 0 || E > SMALL || G > SMALL) return false;
    let iterations = 0, memory = 0;
    for (const { kernel, numbers } of pair) {
      const shader = SHADERS[kernel], variant = shader.variant(numbers, this.capabilities);
      const range = shader.range!(numbers, scalars({}), variant);
      // the encoder's two directions then stand behind each other
      iterations += 2 * range.steps * range.iterations;
      memory += variant.workgroupMemory;
    }
    const { loopIterations, workgroupMemory } = this.capabilities;
    return iterations <= loopIterations && memory <= workgroupMemory;
  }
}

/** Names of buffers that hold the data set. */
const DATA: ReadonlySet<string> = new Set(["counts", "encoded", "values", "external"]);

/** Elements of a transposed copy that one workgroup makes. */
const TRANSPOSED_AT_ONCE = 4096;

/** Units of a cell up to which its sweep leaves most of a workgroup idle. */
const SMALL = 16;
