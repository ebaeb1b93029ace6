/**
 * A plan as bytes: the scalars, the buffers, and for each recording a list of kernels with the
 * addresses of their arguments. What the bytes mean is written in wasm/scalars.ts, in the `…Args`
 * class of each kernel, in wasm/job.ts and in wasm/index.ts.
 */
import { type KernelName, KERNELS, SCALARS, type Signature } from "./kernels.ts";
import type { BufferSpec, Dispatch, Element, GradientJob, Plan, Ref } from "./recording.ts";
import { alignUp } from "./wasm_memory.ts";

/** Bytes of each element on the wasm device. */
export const ELEMENT_BYTES: Readonly<Record<Element, number>> = { real: 4, u8: 1, u16: 2, u32: 4 };

/** Kernels by number, as the dispatcher of wasm/index.ts knows them. */
export const KERNEL_NAMES = Object.keys(KERNELS) as KernelName[];

/** Bytes after each buffer that a vector may read, and nobody writes. */
const MARGIN = 64;
const WORD = 4;
/** `Job` in wasm/job.ts: three addresses and seven numbers. */
const JOB_WORDS = 10;

/**
 * Where everything of a plan stands, in bytes from the start of its region: what is shared, then a
 * block for each fit. Starts are those of fit 0.
 */
export interface Layout {
  readonly bytes: number;
  readonly fits: number;
  /** from one fit's block to the next's */
  readonly stride: number;
  /** at the front of each fit's block */
  readonly scalars: number;
  readonly buffers: ReadonlyMap<string, { readonly spec: BufferSpec; readonly start: number }>;
  readonly programs: ReadonlyMap<string, number>;
}

/** Where a fit's buffer stands. */
export function bufferStart(layout: Layout, buffer: string, fit: number): number | undefined {
  const place = layout.buffers.get(buffer);
  return place && place.start + (place.spec.shared ? 0 : fit * layout.stride);
}

/** Words that a dispatch's arguments take. */
function argumentWords(kernel: KernelName): number {
  const { buffers, ints, floats } = KERNELS[kernel];
  return buffers.length + ints.length + floats.length;
}

/** Lays a plan out: shared buffers, then for each fit its scalars, buffers and programs. */
export function layOut(plan: Plan, fits = 1): Layout {
  let bytes = 0;
  const buffers = new Map<string, { spec: BufferSpec; start: number }>();
  const place = (specs: readonly BufferSpec[]) => {
    for (const spec of specs) {
      buffers.set(spec.name, { spec, start: bytes });
      bytes += alignUp(spec.length * ELEMENT_BYTES[spec.element] + MARGIN);
    }
  };
  place(plan.buffers.filter(({ shared }) => shared));
  const scalars = bytes;
  bytes += alignUp(SCALARS.length * WORD);
  place(plan.buffers.filter(({ shared }) => !shared));
  const programs = new Map<string, number>();
  for (const [name, dispatches] of Object.entries(plan.recordings)) {
    programs.set(name, bytes);
    let words = 1 + 2 * dispatches.length;
    for (const { kernel, jobs } of dispatches) {
      words += argumentWords(kernel) + JOB_WORDS * (jobs?.length ?? 0);
    }
    bytes += alignUp(words * WORD);
  }
  const stride = bytes - scalars;
  return { bytes: scalars + fits * stride, fits, stride, scalars, buffers, programs };
}

/** Writes the programs of a plan whose region starts at `base`. Throws on arguments that do not fit. */
export function encodePrograms(plan: Plan, layout: Layout, memory: ArrayBufferLike, base: number) {
  const view = new DataView(memory);
  for (let fit = 0; fit < layout.fits; fit++) {
    for (const [name, dispatches] of Object.entries(plan.recordings)) {
      const start = base + layout.programs.get(name)! + fit * layout.stride;
      new Encoder(view, layout, base, name, fit).program(start, dispatches);
    }
  }
}

/** Writes one recording of one fit. */
class Encoder {
  #at = 0;

  constructor(
    private readonly view: DataView,
    private readonly layout: Layout,
    private readonly base: number,
    private readonly recording: string,
    private readonly fit: number,
  ) {}

  program(start: number, dispatches: readonly Dispatch[]): void {
    this.#at = start + WORD * (1 + 2 * dispatches.length);
    this.view.setInt32(start, dispatches.length, true);
    dispatches.forEach((dispatch, i) => {
      const jobs = dispatch.jobs ? this.#jobs(dispatch.jobs) : 0;
      const entry = start + WORD * (1 + 2 * i);
      this.view.setInt32(entry, KERNEL_NAMES.indexOf(dispatch.kernel), true);
      this.view.setUint32(entry + WORD, this.#at, true);
      this.#arguments(dispatch, jobs);
    });
  }

  #arguments(dispatch: Dispatch, jobs: number): void {
    const { buffers, ints, floats }: Signature = KERNELS[dispatch.kernel];
    for (const declared of buffers) {
      const name = declared.replace("?", "");
      if (name === "jobs") this.#word(jobs);
      else this.#word(this.#address(dispatch, name, name !== declared));
    }
    for (const name of ints) this.#int(this.#number(dispatch, name));
    for (const name of floats) this.#float(this.#number(dispatch, name));
  }

  /** The job table; returns its address. */
  #jobs(jobs: readonly GradientJob[]): number {
    const start = this.#at;
    for (const job of jobs) {
      this.#word(job.a ? this.#pointer(job.a) : 0);
      this.#word(this.#pointer(job.d));
      this.#word(this.#pointer(job.out));
      for (const name of ["m", "n", "aStride", "dStride", "T", "aSlot", "sparse"] as const) {
        this.#int(job[name]);
      }
    }
    return start;
  }

  #address(dispatch: Dispatch, name: string, optional: boolean): number {
    const ref = dispatch.buffers[name];
    if (ref) return this.#pointer(ref);
    if (optional) return 0;
    throw new Error(`${this.#where(dispatch.kernel)}: buffer ${name} is missing.`);
  }

  #number(dispatch: Dispatch, name: string): number {
    const value = dispatch.numbers[name];
    if (Number.isFinite(value)) return value;
    throw new Error(`${this.#where(dispatch.kernel)}: number ${name} is ${value}.`);
  }

  #pointer(ref: Ref): number {
    const place = this.layout.buffers.get(ref.buffer);
    if (!place) throw new Error(`${this.#where()}: the plan has no buffer ${ref.buffer}.`);
    const { spec } = place;
    if (ref.offset < 0 || ref.offset + ref.length > spec.length) {
      throw new Error(
        `${this.#where()}: ${ref.offset}+${ref.length} exceeds ${ref.buffer}'s ${spec.length}.`,
      );
    }
    const start = bufferStart(this.layout, ref.buffer, this.fit)!;
    return this.base + start + ref.offset * ELEMENT_BYTES[spec.element];
  }

  #where(kernel?: KernelName): string {
    return `Cannot prepare recording "${this.recording}"${kernel ? `, kernel ${kernel}` : ""}`;
  }

  #word(value: number): void {
    this.view.setUint32(this.#at, value, true);
    this.#at += WORD;
  }

  #int(value: number): void {
    this.view.setInt32(this.#at, value, true);
    this.#at += WORD;
  }

  #float(value: number): void {
    this.view.setFloat32(this.#at, value, true);
    this.#at += WORD;
  }
}
