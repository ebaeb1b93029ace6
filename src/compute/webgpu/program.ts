/** A plan on a GPU: two arenas, the arguments of every stage, and the recordings as dispatches. */
import { InputError } from "../../errors.ts";
import { type DispatchTime, type Run, type TimedProgram, valuesOfFit } from "../executor.ts";
import { requireFit, requireFits, scalarsOfFits } from "../fits.ts";
import { SCALARS, type Scalars } from "../kernels.ts";
import type { Plan } from "../recording.ts";
import { argumentBytes, RUN_WORDS, writeArguments } from "./arguments.ts";
import type { Capabilities } from "./capabilities.ts";
import type { Gpu } from "./gpu.ts";
import { Layout, type Place, SLOTS } from "./layout.ts";
import { cuts, stageCost, stageGroups } from "./dispatches.ts";
import { Planner, type Stage } from "./stages.ts";

/** Entries of the runs' buffer: one submission uses at most these. */
const RUN_ENTRIES = 1024;
/** Submissions that may wait on the device before the host waits for them. */
const MOST_WAITING = 64;

interface LoadedStage {
  readonly stage: Stage;
  readonly pipeline: GPUComputePipeline;
  /** where each part's arguments start, in bytes */
  readonly offsets: readonly [number, number];
}

/** Allocates a plan's buffers and compiles its recordings. */
export async function loadProgram(gpu: Gpu, plan: Plan, fits: number): Promise<TimedProgram> {
  requireFits(fits);
  const layout = new Layout(plan, plan.buffers.some(({ perRun }) => perRun));
  const planner = new Planner(layout, gpu.capabilities);
  const recordings = new Map<string, Stage[]>();
  for (const [name, dispatches] of Object.entries(plan.recordings)) {
    recordings.set(name, planner.stages(name, dispatches));
  }
  const buffers = await gpu.allocate(layout, planner.tables.length, fits);
  try {
    const loaded = new Map<string, LoadedStage[]>();
    const slots = argumentSlots(recordings, gpu.capabilities);
    for (const [name, stages] of recordings) {
      loaded.set(
        name,
        await Promise.all(stages.map(async (stage) => ({
          stage,
          pipeline: await gpu.pipelines.get(stage.fusion, stage.variant),
          offsets: slots.offsets.get(stage)!,
        }))),
      );
    }
    return new WebgpuProgram(gpu, layout, buffers, planner.tables, slots, loaded, fits);
  } catch (error) {
    buffers.destroy();
    throw error;
  }
}

/** The arguments of all stages, one behind the other. */
interface ArgumentSlots {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** bytes that a binding shows of them */
  readonly window: number;
  readonly offsets: ReadonlyMap<Stage, readonly [number, number]>;
}

function argumentSlots(
  recordings: ReadonlyMap<string, readonly Stage[]>,
  { offsetAlignment }: Capabilities,
): ArgumentSlots {
  const all = [...recordings.values()].flat();
  const align = (bytes: number) => Math.ceil(bytes / offsetAlignment) * offsetAlignment;
  const sizes = all.flatMap(({ parts }) => parts.map(({ kernel }) => argumentBytes(kernel)));
  // a uniform struct is rounded up to whole vectors
  const window = Math.ceil(Math.max(16, ...sizes) / 16) * 16;
  const stride = align(window);
  const bytes = new Uint8Array(stride * Math.max(1, sizes.length));
  const view = new DataView(bytes.buffer);
  const offsets = new Map<Stage, [number, number]>();
  let at = 0;
  for (const stage of all) {
    const places = stage.parts.map(({ kernel, starts, numbers, extras }) => {
      writeArguments(view, at, kernel, (name) => starts[name], numbers, extras);
      at += stride;
      return at - stride;
    });
    offsets.set(stage, [places[0], places.at(-1)!]);
  }
  return { bytes, window, offsets };
}

/** What a program keeps on the device. */
export interface ProgramBuffers {
  readonly reals: GPUBuffer;
  readonly words: GPUBuffer;
  destroy(): void;
}

/** One dispatch of a submission. */
interface Launch {
  readonly loaded: LoadedStage;
  readonly groups: number;
  /** entry of the runs' buffer */
  readonly entry: number;
}

class WebgpuProgram implements TimedProgram {
  readonly #arguments: GPUBuffer;
  readonly #runs: GPUBuffer;
  readonly #group: GPUBindGroup;
  /** bytes of one entry of the runs' buffer */
  readonly #entryBytes: number;
  /** the words as the host wrote them: the device never writes them */
  readonly #mirror: Uint32Array<ArrayBuffer>;
  readonly #entries: Entries;
  #freed = false;
  /** the slot that the last run wrote its results to */
  #last = 0;
  #waiting = 0;

  constructor(
    private readonly gpu: Gpu,
    private readonly layout: Layout,
    private readonly buffers: ProgramBuffers,
    tables: readonly number[],
    slots: ArgumentSlots,
    private readonly recordings: ReadonlyMap<string, readonly LoadedStage[]>,
    readonly fits: number,
  ) {
    const { device, capabilities } = gpu;
    const align = capabilities.offsetAlignment;
    this.#entryBytes = Math.ceil(fits * RUN_WORDS * 4 / align) * align;
    this.#entries = new Entries(
      this.#entryBytes,
      (fit) => this.#realsOf(fit),
      (fit) => this.#wordsOf(fit),
    );
    const usage = GPUBufferUsage.COPY_DST;
    this.#arguments = device.createBuffer({
      label: "arguments",
      size: slots.bytes.length,
      usage: GPUBufferUsage.UNIFORM | usage,
    });
    this.#runs = device.createBuffer({
      label: "runs",
      size: RUN_ENTRIES * this.#entryBytes,
      usage: GPUBufferUsage.STORAGE | usage,
    });
    device.queue.writeBuffer(this.#arguments, 0, slots.bytes);
    const parameters = { buffer: this.#arguments, size: slots.window };
    this.#group = device.createBindGroup({
      label: "program",
      layout: gpu.pipelines.bindings,
      entries: [
        { binding: 0, resource: { buffer: buffers.reals } },
        { binding: 1, resource: { buffer: buffers.words } },
        { binding: 2, resource: parameters },
        { binding: 3, resource: parameters },
        { binding: 4, resource: { buffer: this.#runs, size: fits * RUN_WORDS * 4 } },
      ],
    });
    this.#mirror = new Uint32Array(buffers.words.size / 4);
    this.#mirror.set(tables, layout.sharedWords.length);
    if (tables.length > 0) this.#upload(layout.sharedWords.length, tables.length);
  }

  write(buffer: string, values: ArrayLike<number>, offset = 0, fit = 0): void {
    const place = this.#place("write", buffer, fit);
    this.#require("write", place, offset, values.length);
    this.#write(place, values, offset, fit, 0);
    const running = this.layout.running.get(buffer);
    if (running !== undefined) this.#write({ ...place, start: running }, values, offset, fit, 0);
  }

  async run(recording: string, scalars: Scalars | readonly Scalars[]): Promise<void> {
    this.#submit(recording, [{ scalars }]);
    if (++this.#waiting < MOST_WAITING) return;
    this.#waiting = 0;
    await this.gpu.settled(this.gpu.device.queue.onSubmittedWorkDone());
  }

  async sequence(
    recording: string,
    runs: readonly Run[],
    collect: string,
  ): Promise<Float64Array[][]> {
    const place = this.#place("collect", collect, 0);
    if (!place.spec.perRun || place.arena !== "reals") {
      throw new Error(
        `Cannot collect ${collect} after each run: it is kept for the last run only.`,
      );
    }
    const collected: Float64Array[][] = [];
    for (let first = 0; first < runs.length; first += SLOTS) {
      const now = runs.slice(first, first + SLOTS);
      this.#writeBefore(now);
      this.#submit(recording, now);
      this.#keepLast(now.length - 1);
      const length = now.length * place.words;
      const ofFits = await Promise.all(
        Array.from({ length: this.fits }, (_, fit) => this.#copyOut(place, 0, length, fit, 0)),
      );
      for (let slot = 0; slot < now.length; slot++) {
        const at = slot * place.words;
        collected.push(ofFits.map((values) => values.slice(at, at + place.spec.length)));
      }
    }
    return collected;
  }

  async read(buffer: string, offset = 0, length?: number, fit = 0): Promise<Float64Array> {
    const place = this.#place("read", buffer, fit);
    const count = length ?? place.spec.length - offset;
    this.#require("read", place, offset, count);
    const { spec } = place;
    if (place.arena === "reals") {
      return await this.#copyOut(place, offset, count, fit, spec.perRun ? this.#last : 0);
    }
    const start = this.#start(place, fit, 0);
    return Float64Array.from({ length: count }, (_, i) => {
      const bits = spec.element === "u8" ? 8 : spec.element === "u16" ? 16 : 32;
      const per = 32 / bits, at = offset + i;
      const word = this.#mirror[start + Math.floor(at / per)];
      return bits === 32 ? word : word >>> at % per * bits & (1 << bits) - 1;
    });
  }

  async timed(recording: string, scalars: Scalars): Promise<DispatchTime[] | null> {
    const { device } = this.gpu;
    if (!device.features.has("timestamp-query")) return null;
    const launches: Launch[] = [];
    this.#submit(recording, [{ scalars }], (all) => launches.push(...all));
    const count = 2 * launches.length, size = 8 * count;
    const querySet = device.createQuerySet({ type: "timestamp", count });
    const usage = GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC;
    const resolved = device.createBuffer({ label: "timestamps", size, usage });
    const staging = device.createBuffer({
      label: "read timestamps",
      size,
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
    try {
      const encoder = device.createCommandEncoder();
      launches.forEach((launch, i) => {
        const timestampWrites = {
          querySet,
          beginningOfPassWriteIndex: 2 * i,
          endOfPassWriteIndex: 2 * i + 1,
        };
        this.#pass(encoder, [launch], { timestampWrites });
      });
      encoder.resolveQuerySet(querySet, 0, count, resolved, 0);
      encoder.copyBufferToBuffer(resolved, 0, staging, 0, size);
      device.queue.submit([encoder.finish()]);
      await this.gpu.settled(staging.mapAsync(GPUMapMode.READ));
      const nanoseconds = new BigUint64Array(staging.getMappedRange());
      return launches.map(({ loaded: { stage } }, i) => ({
        kernels: stage.fusion.kernels.join("+"),
        ...stageCost(stage, scalars),
        microseconds: Number(nanoseconds[2 * i + 1] - nanoseconds[2 * i]) / 1000,
      }));
    } finally {
      querySet.destroy();
      resolved.destroy();
      staging.destroy();
    }
  }

  free(): void {
    if (this.#freed) return;
    this.#freed = true;
    this.#arguments.destroy();
    this.#runs.destroy();
    this.buffers.destroy();
  }

  #place(action: string, buffer: string, fit: number): Place {
    if (this.#freed) throw new Error(`Cannot ${action} ${buffer}: its program is freed.`);
    this.gpu.requireAlive(`${action} ${buffer}`);
    requireFit(`${action} ${buffer}`, fit, this.fits);
    const place = this.layout.places.get(buffer);
    if (!place) throw new Error(`Cannot ${action} ${buffer}: the plan has no such buffer.`);
    return place;
  }

  #require(action: string, { spec }: Place, offset: number, length: number): void {
    if (offset >= 0 && length >= 0 && offset + length <= spec.length) return;
    throw new Error(
      `Cannot ${action} ${spec.name}: expected a part of its ${spec.length} elements, found ` +
        `${offset} … ${offset + length}.`,
    );
  }

  /** Where a fit's copy starts for one of several runs, in elements of 4 bytes. */
  #start({ spec, arena, start, words }: Place, fit: number, slot: number): number {
    const at = start + slot * words;
    if (spec.shared) return at;
    return at + (arena === "reals" ? this.#realsOf(fit) : this.#wordsOf(fit));
  }

  /** Where the real numbers of a fit start: behind the shared ones. */
  #realsOf(fit: number): number {
    return this.layout.sharedReals.length + fit * this.layout.reals.length;
  }

  /** Where the words of a fit start: behind the shared ones and the tables. */
  #wordsOf(fit: number): number {
    const own = this.layout.words.length;
    return this.#mirror.length - (this.fits - fit) * own;
  }

  #write(
    place: Place,
    values: ArrayLike<number>,
    offset: number,
    fit: number,
    slot: number,
  ): void {
    // Deno ends the process on a write of no bytes
    if (values.length === 0) return;
    const { queue } = this.gpu.device;
    const start = this.#start(place, fit, slot);
    if (place.arena === "reals") {
      const bytes = values instanceof Float32Array ? values : Float32Array.from(values);
      queue.writeBuffer(
        this.buffers.reals,
        4 * (start + offset),
        bytes as Float32Array<ArrayBuffer>,
      );
      return;
    }
    const [first, end] = this.#mirrored(place, values, offset, start);
    this.#upload(first, end - first);
  }

  /** Writes into the host's copy of the words; returns which it touched. */
  #mirrored(
    { spec: { element, length } }: Place,
    values: ArrayLike<number>,
    offset: number,
    start: number,
  ): [first: number, end: number] {
    const Elements = { u8: Uint8Array, u16: Uint16Array, u32: Uint32Array, real: Float32Array };
    const view = new Elements[element](this.#mirror.buffer, 4 * start, length);
    view.set(values, offset);
    const per = 4 / view.BYTES_PER_ELEMENT;
    return [
      start + Math.floor(offset / per),
      start + Math.ceil((offset + values.length) / per),
    ];
  }

  #upload(start: number, words: number): void {
    // Deno ends the process on a write of no bytes
    if (words === 0) return;
    this.gpu.device.queue.writeBuffer(this.buffers.words, 4 * start, this.#mirror, start, words);
  }

  /** Writes what comes before each of several runs into its slot; words in one go for each fit. */
  #writeBefore(runs: readonly Run[]): void {
    const buffers = new Set(runs.flatMap(({ writes = {} }) => Object.keys(writes)));
    for (const buffer of buffers) {
      for (let fit = 0; fit < this.fits; fit++) {
        const place = this.#place("write", buffer, fit);
        if (!place.spec.perRun) {
          throw new Error(`Cannot write ${buffer} before each run: it is kept once for all runs.`);
        }
        runs.forEach(({ writes }, slot) => {
          const values = writes?.[buffer];
          if (!values) return;
          const own = valuesOfFit(values, fit);
          this.#require("write", place, 0, own.length);
          if (place.arena === "reals") this.#write(place, own, 0, fit, slot);
          else this.#mirrored(place, own, 0, this.#start(place, fit, slot));
        });
        if (place.arena === "words") {
          this.#upload(this.#start(place, fit, 0), runs.length * place.words);
        }
      }
    }
  }

  /** Leaves what is written before each run as the last of several runs had it. */
  #keepLast(slot: number): void {
    for (const place of this.layout.places.values()) {
      if (!place.spec.perRun || place.arena !== "words") continue;
      for (let fit = 0; fit < this.fits; fit++) {
        const from = this.#start(place, fit, slot), to = this.#start(place, fit, 0);
        this.#mirror.copyWithin(to, from, from + place.words);
        this.#upload(to, place.words);
      }
    }
  }

  /** Submits runs, each with its slot. */
  #submit(
    recording: string,
    runs: readonly Run[],
    submit = (launches: readonly Launch[]) => this.#encode(launches),
  ): void {
    const stages = this.recordings.get(recording);
    if (this.#freed || !stages) {
      throw new Error(
        `Cannot run recording "${recording}": ` +
          (this.#freed ? "its program is freed." : "the plan does not have it."),
      );
    }
    this.gpu.requireAlive(`run recording "${recording}"`);
    this.#last = runs.length - 1;
    let launches: Launch[] = [];
    const entries = this.#entries;
    entries.clear();
    const flush = () => {
      this.gpu.device.queue.writeBuffer(this.#runs, 0, entries.bytes(), 0, entries.used);
      submit(launches);
      launches = [];
      entries.clear();
    };
    runs.forEach(({ scalars }, slot) => {
      const all = scalarsOfFits(recording, scalars, this.fits);
      // groups are those of the largest batch; kernels of a fit end at its own
      const largest = all.reduce((a, b) => b.B * b.S > a.B * a.S ? b : a);
      for (const loaded of stages) {
        const groups = stageGroups(loaded.stage, largest);
        if (groups === 0) continue;
        this.#requireGroups(loaded.stage, groups);
        for (const [first, end] of cuts(loaded.stage, largest, this.gpu.capabilities)) {
          if (entries.count >= RUN_ENTRIES - 1) flush();
          launches.push({ loaded, groups, entry: entries.of(all, slot, first, end) });
        }
      }
    });
    flush();
  }

  #requireGroups({ fusion }: Stage, groups: number): void {
    const { workgroupsPerDimension } = this.gpu.capabilities;
    if (groups <= workgroupsPerDimension) return;
    throw new InputError(
      `Cannot run ${fusion.kernels.join(" and ")} on ${this.gpu.adapter.name}: expected at most ` +
        `${workgroupsPerDimension} workgroups (maxComputeWorkgroupsPerDimension), found ${groups}. ` +
        `Use smaller batches, shorter trials or a smaller model.`,
    );
  }

  #encode(launches: readonly Launch[]): void {
    const { device } = this.gpu;
    const encoder = device.createCommandEncoder();
    this.#pass(encoder, launches);
    device.queue.submit([encoder.finish()]);
  }

  #pass(
    encoder: GPUCommandEncoder,
    launches: readonly Launch[],
    descriptor?: GPUComputePassDescriptor,
  ): void {
    const pass = encoder.beginComputePass(descriptor);
    for (const { loaded, groups, entry } of launches) {
      pass.setPipeline(loaded.pipeline);
      pass.setBindGroup(0, this.#group, [...loaded.offsets, entry * this.#entryBytes]);
      pass.dispatchWorkgroups(groups, 1, this.fits);
    }
    pass.end();
  }

  /** Copies real numbers to the host. */
  async #copyOut(
    place: Place,
    offset: number,
    length: number,
    fit: number,
    slot: number,
  ): Promise<Float64Array> {
    if (length === 0) return new Float64Array(0);
    const { device } = this.gpu;
    const size = 4 * length;
    const staging = device.createBuffer({
      label: `read ${place.spec.name}`,
      size,
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
    try {
      const encoder = device.createCommandEncoder();
      const from = 4 * (this.#start(place, fit, slot) + offset);
      encoder.copyBufferToBuffer(this.buffers.reals, from, staging, 0, size);
      device.queue.submit([encoder.finish()]);
      await this.gpu.settled(staging.mapAsync(GPUMapMode.READ));
      return new Float64Array(new Float32Array(staging.getMappedRange()));
    } finally {
      staging.destroy();
    }
  }
}

/** The runs' buffer of one submission: an entry for every run and every cut of a kernel's loop. */
class Entries {
  readonly #known = new Map<string, number>();
  readonly #bytes: ArrayBuffer;

  constructor(
    private readonly entryBytes: number,
    private readonly realsOf: (fit: number) => number,
    private readonly wordsOf: (fit: number) => number,
  ) {
    this.#bytes = new ArrayBuffer(entryBytes * RUN_ENTRIES);
  }

  get count(): number {
    return this.#known.size;
  }

  /** bytes that are used */
  get used(): number {
    return this.#known.size * this.entryBytes;
  }

  bytes(): ArrayBuffer {
    return this.#bytes;
  }

  clear(): void {
    this.#known.clear();
  }

  of(scalars: readonly Scalars[], slot: number, first: number, end: number): number {
    const key = `${slot}/${first}/${end}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const entry = this.#known.size;
    this.#known.set(key, entry);
    const view = new DataView(this.#bytes, entry * this.entryBytes, this.entryBytes);
    scalars.forEach((run, fit) => {
      let at = fit * RUN_WORDS * 4;
      for (const [name, kind] of SCALARS) {
        if (kind === "int") view.setUint32(at, run[name], true);
        else view.setFloat32(at, run[name], true);
        at += 4;
      }
      for (const word of [slot, this.realsOf(fit), this.wordsOf(fit), first, end]) {
        view.setUint32(at, word, true);
        at += 4;
      }
    });
    return entry;
  }
}
