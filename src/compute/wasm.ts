/**
 * The wasm executor: kernels in float32 SIMD, run by a gang of threads on one shared memory. The
 * caller's thread is one of them, so a run is over when `run` returns.
 */
import { InputError } from "../errors.ts";
import { type DeviceInfo, type Executor, inTurn, type Program, type Run } from "./executor.ts";
import { requireFit, requireFits, scalarsOfFits } from "./fits.ts";
import { SCALARS, type Scalars } from "./kernels.ts";
import type { Element, Plan } from "./recording.ts";
import {
  bufferStart,
  ELEMENT_BYTES,
  encodePrograms,
  KERNEL_NAMES,
  type Layout,
  layOut,
} from "./wasm_encode.ts";
import { type Region, Regions } from "./wasm_memory.ts";
import { compileKernels, instantiate, type WasmExports } from "./wasm_module.ts";
import { type StartThread, startThread } from "./wasm_threads.ts";

/**
 * Threads by default: one for each processor, up to this. A program meets at a barrier after every
 * kernel, and batches of some hundred trials give more threads than this too little to do between.
 */
const DEFAULT_THREADS = 16;
/** Each thread sets aside 32 MiB of the 4 GiB that WebAssembly can address. */
const MOST_THREADS = 32;

const REPRODUCIBLE = "float32, SIMD, the same bits on every machine";

/** How to start the executor. */
export interface WasmOptions {
  /** 1 … 32; by default one for each processor, at most 16 */
  readonly threads?: number;
  /** plain multiply and add: the same bits on every machine, somewhat slower */
  readonly reproducible?: boolean;
  /** why this device: see `DeviceInfo` */
  readonly reason?: string;
  /** starts the threads that help; by default they are workers of the caller's thread */
  readonly startThread?: StartThread;
}

/**
 * Starts the wasm executor. Throws when the kernels are not built, and InputError for a number of
 * threads that cannot be.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { createWasmExecutor, PlanBuilder, scalars } from "latentd";
 *
 * const executor = await createWasmExecutor({ threads: 2 });
 * const plan = new PlanBuilder();
 * const w_GF = plan.buffer("w_GF", 2), factorsHat_GF = plan.buffer("factorsHat_GF", 2);
 * const norms_F = plan.buffer("norms_F", 1);
 * plan.record("prepare").dispatch("prepare", { w_GF, factorsHat_GF, norms_F }, { G: 2, F: 1 });
 * const program = await executor.load(plan);
 * program.write("w_GF", [3, 4]);
 * await program.run("prepare", scalars({}));
 * assert.deepEqual([...await program.read("norms_F")], [5]);
 * program.free();
 * executor.close();
 * ```
 */
export async function createWasmExecutor(options: WasmOptions = {}): Promise<Executor> {
  const threads = options.threads ?? Math.min(navigator.hardwareConcurrency, DEFAULT_THREADS);
  if (!Number.isInteger(threads) || threads < 1 || threads > MOST_THREADS) {
    throw new InputError(
      `Cannot start the wasm device: expected 1 to ${MOST_THREADS} threads, found ${threads}.`,
    );
  }
  const reproducible = options.reproducible ?? false;
  const module = await compileKernels(reproducible);
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536, shared: true });
  const wasm = instantiate(module, memory);
  const start = wasm.scratchEnd(threads) >>> 0;
  memory.grow(Math.ceil(start / 65536) - 1);
  const begin = options.startThread ?? startThread;
  const started = await Promise.all(
    Array.from(
      { length: threads - 1 },
      (_, i) => begin({ module, memory, thread: i + 1, threads }),
    ),
  );
  const workers = started.filter((worker) => worker instanceof Worker);
  const info: DeviceInfo = {
    name: "wasm",
    threads,
    arithmetic: reproducible ? REPRODUCIBLE : "float32, SIMD with relaxed multiply-add",
    reason: options.reason ?? "asked for",
  };
  return new WasmExecutor(info, wasm, memory, new Regions(memory, start), workers);
}

/**
 * The executor on the caller's thread alone, with a memory that is not shared: for where there are no
 * threads and no files, and the kernels (`latentd.infer.wasm`) are at hand. Only one program may be
 * loaded at a time, because where such a memory grows, the views of programs that stand in it are lost.
 */
export function createSingleThreadExecutor(
  kernels: WebAssembly.Module,
  reason = "asked for",
): Executor {
  const memory = new WebAssembly.Memory({ initial: 1 });
  const wasm = instantiate(kernels, memory);
  const start = wasm.scratchEnd(1) >>> 0;
  memory.grow(Math.ceil(start / 65536) - 1);
  const info: DeviceInfo = { name: "wasm", threads: 1, arithmetic: REPRODUCIBLE, reason };
  return new WasmExecutor(info, wasm, memory, new Regions(memory, start), []);
}

class WasmExecutor implements Executor {
  /** a run is over when it returns */
  readonly runsAtOnce = 1;
  #closed = false;

  constructor(
    readonly info: DeviceInfo,
    private readonly wasm: WasmExports,
    private readonly memory: WebAssembly.Memory,
    private readonly regions: Regions,
    private readonly workers: readonly Worker[],
  ) {}

  // deno-lint-ignore require-await -- what goes wrong is a rejection, as on the other executors
  async load(plan: Plan, fits = 1): Promise<Program> {
    if (this.#closed) throw new Error("Cannot load a plan: the wasm device is closed.");
    const layout = layOut(plan, requireFits(fits));
    const region = this.regions.take(layout.bytes);
    try {
      encodePrograms(plan, layout, this.memory.buffer, region.start);
    } catch (error) {
      this.regions.giveBack(region);
      throw error;
    }
    const sweeps = Object.entries(plan.recordings).filter(([, dispatches]) =>
      dispatches.some(({ kernel }) => kernel === "encoder" || kernel === "decoder")
    ).map(([name]) => name);
    return new WasmProgram(this, layout, region, this.memory.buffer, new Set(sweeps));
  }

  /**
   * Runs the program of each fit: whole fits on each thread while there are enough, then together.
   *
   * @param threads at most all that there are
   */
  launchFits(
    program: number,
    scalars: number,
    fits: number,
    stride: number,
    threads = this.info.threads,
  ): void {
    const whole = threads > 1 ? fits - fits % threads : 0;
    if (whole > 0) {
      this.#attempt(() => this.wasm.launchFits(program, scalars, whole, stride, threads));
    }
    for (let fit = whole; fit < fits; fit++) {
      const offset = fit * stride;
      this.#attempt(() => this.wasm.launch(program + offset, scalars + offset, threads));
    }
  }

  /** Throws, with the kernel's name, when one of the threads fails. */
  #attempt(launch: () => void): void {
    if (this.#closed) throw new Error("Cannot run: the wasm device is closed.");
    try {
      launch();
    } catch (cause) {
      throw this.#failure(cause);
    }
  }

  release(region: Region): void {
    this.regions.giveBack(region);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    // a worker that waits inside WebAssembly does not hear `terminate`
    this.wasm.stop();
    for (const worker of this.workers) worker.terminate();
  }

  /** Waits for the other threads to leave the program, and reads what went wrong. */
  #failure(cause: unknown): Error {
    const { wasm } = this;
    wasm.reportTrap();
    wasm.awaitWorkers(this.info.threads);
    const view = new DataView(this.memory.buffer);
    const word = (address: WebAssembly.Global) => view.getInt32(address.value, true);
    const kernel = KERNEL_NAMES[word(wasm.ERROR_KERNEL)] ?? "(none)";
    const thread = `thread ${word(wasm.ERROR_THREAD)} of ${this.info.threads}`;
    const text = describe(word(wasm.ERROR), word(wasm.ERROR_DETAIL), cause);
    wasm.clearError();
    return new Error(`Kernel ${kernel} failed on the wasm device, ${thread}: ${text}`, { cause });
  }
}

/** The reasons of wasm/control.ts in words. */
function describe(reason: number, detail: number, cause: unknown): string {
  switch (reason) {
    case 2:
      return `it needs ${
        detail >>> 0
      } bytes of working memory more, and a thread has 32 MiB. Use a ` +
        `smaller model or a smaller batch.`;
    case 3:
      return `this build of wasm/ does not have it.`;
    default:
      return `${cause instanceof Error ? cause.message : cause}.`;
  }
}

type View = Float32Array | Uint8Array | Uint16Array | Uint32Array;

function view(element: Element, memory: ArrayBufferLike, start: number, length: number): View {
  switch (element) {
    case "real":
      return new Float32Array(memory, start, length);
    case "u8":
      return new Uint8Array(memory, start, length);
    case "u16":
      return new Uint16Array(memory, start, length);
    case "u32":
      return new Uint32Array(memory, start, length);
  }
}

class WasmProgram implements Program {
  #freed = false;

  constructor(
    private readonly executor: WasmExecutor,
    private readonly layout: Layout,
    private readonly region: Region,
    private readonly memory: ArrayBufferLike,
    /** recordings that are mostly sweeps over bins, which threads share by trials */
    private readonly sweeps: ReadonlySet<string>,
  ) {}

  get fits(): number {
    return this.layout.fits;
  }

  write(buffer: string, values: ArrayLike<number>, offset = 0, fit = 0): void {
    this.#part("write", buffer, fit, offset, values.length).set(values);
  }

  // deno-lint-ignore require-await -- what goes wrong is a rejection, as on the other executors
  async run(recording: string, scalars: Scalars | readonly Scalars[]): Promise<void> {
    const start = this.layout.programs.get(recording);
    if (this.#freed || start === undefined) {
      throw new Error(
        `Cannot run recording "${recording}": ` +
          (this.#freed ? "its program is freed." : "the plan does not have it."),
      );
    }
    const { stride } = this.layout;
    const at = this.region.start + this.layout.scalars;
    let rows = 0;
    scalarsOfFits(recording, scalars, this.fits).forEach((own, fit) => {
      rows += own.B * own.S;
      const ints = new Int32Array(this.memory, at + fit * stride, SCALARS.length);
      const floats = new Float32Array(this.memory, at + fit * stride, SCALARS.length);
      for (let i = 0; i < SCALARS.length; i++) {
        const [name, kind] = SCALARS[i];
        (kind === "int" ? ints : floats)[i] = own[name];
      }
    });
    // of a single row the other threads could only wait, at every barrier
    const threads = rows === 1 && this.sweeps.has(recording) ? 1 : undefined;
    this.executor.launchFits(this.region.start + start, at, this.fits, stride, threads);
  }

  sequence(recording: string, runs: readonly Run[], collect: string): Promise<Float64Array[][]> {
    return inTurn(this, recording, runs, collect);
  }

  // deno-lint-ignore require-await -- what goes wrong is a rejection, as on the other executors
  async read(buffer: string, offset = 0, length?: number, fit = 0): Promise<Float64Array> {
    return new Float64Array(this.#part("read", buffer, fit, offset, length));
  }

  free(): void {
    if (this.#freed) return;
    this.#freed = true;
    this.executor.release(this.region);
  }

  /** Elements `offset … offset + length` of a fit's buffer (all the rest by default). */
  #part(action: string, buffer: string, fit: number, offset: number, length?: number): View {
    const spec = this.layout.buffers.get(buffer)?.spec;
    if (this.#freed) throw new Error(`Cannot ${action} ${buffer}: its program is freed.`);
    if (!spec) throw new Error(`Cannot ${action} ${buffer}: the plan has no such buffer.`);
    requireFit(`${action} ${buffer}`, fit, this.fits);
    const end = length === undefined ? spec.length : offset + length;
    if (offset < 0 || offset > end || end > spec.length) {
      throw new Error(
        `Cannot ${action} ${buffer}: expected a part of its ${spec.length} elements, found ` +
          `${offset} … ${end}.`,
      );
    }
    const start = this.region.start + bufferStart(this.layout, buffer, fit)! +
      offset * ELEMENT_BYTES[spec.element];
    return view(spec.element, this.memory, start, end - offset);
  }
}
