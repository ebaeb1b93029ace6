/**
 * The wasm executor: kernels in float32 SIMD, run by a gang of threads on one shared memory. The
 * caller's thread is one of them, so a run is over when `run` returns.
 */
import { InputError } from "../errors.ts";
import type { DeviceInfo, Executor, Program } from "./executor.ts";
import { SCALARS, type Scalars } from "./kernels.ts";
import type { Element, Plan } from "./recording.ts";
import { encodePrograms, KERNEL_NAMES, type Layout, layOut } from "./wasm_encode.ts";
import { type Region, Regions } from "./wasm_memory.ts";
import { compileKernels, instantiate, type WasmExports, type WorkerStart } from "./wasm_module.ts";

/**
 * Threads by default: one for each processor, up to this. A program meets at a barrier after every
 * kernel, and batches of some hundred trials give more threads than this too little to do between.
 */
const DEFAULT_THREADS = 16;
/** Each thread sets aside 32 MiB of the 4 GiB that WebAssembly can address. */
const MOST_THREADS = 32;

/** How to start the executor. */
export interface WasmOptions {
  /** 1 … 32; by default one for each processor, at most 16 */
  readonly threads?: number;
  /** plain multiply and add: the same bits on every machine, somewhat slower */
  readonly reproducible?: boolean;
  /** why this device: see `DeviceInfo` */
  readonly reason?: string;
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
  const workers: Worker[] = [];
  for (let thread = 1; thread < threads; thread++) {
    workers.push(new Worker(new URL("./wasm_worker.ts", import.meta.url), { type: "module" }));
  }
  await Promise.all(
    workers.map((worker, i) => enlist(worker, { module, memory, thread: i + 1, threads })),
  );
  const info: DeviceInfo = {
    name: "wasm",
    threads,
    arithmetic: reproducible
      ? "float32, SIMD, the same bits on every machine"
      : "float32, SIMD with relaxed multiply-add",
    reason: options.reason ?? "asked for",
  };
  return new WasmExecutor(info, wasm, memory, new Regions(memory, start), workers);
}

/** Resolves when a worker is about to wait for its first program. */
function enlist(worker: Worker, start: WorkerStart): Promise<void> {
  return new Promise((resolve, reject) => {
    worker.onmessage = () => resolve();
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(`Cannot start a thread of the wasm device: ${event.message}`));
    };
    worker.postMessage(start);
  });
}

class WasmExecutor implements Executor {
  #closed = false;

  constructor(
    readonly info: DeviceInfo,
    private readonly wasm: WasmExports,
    private readonly memory: WebAssembly.Memory,
    private readonly regions: Regions,
    private readonly workers: readonly Worker[],
  ) {}

  load(plan: Plan): Program {
    if (this.#closed) throw new Error("Cannot load a plan: the wasm device is closed.");
    const layout = layOut(plan);
    const region = this.regions.take(layout.bytes);
    try {
      encodePrograms(plan, layout, this.memory.buffer, region.start);
    } catch (error) {
      this.regions.giveBack(region);
      throw error;
    }
    return new WasmProgram(this, layout, region, this.memory.buffer);
  }

  /** Runs a program at an address. Throws, with the kernel's name, when one of the threads fails. */
  launch(program: number, scalars: number): void {
    if (this.#closed) throw new Error("Cannot run: the wasm device is closed.");
    try {
      this.wasm.launch(program, scalars, this.info.threads);
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
  readonly #views = new Map<string, View>();
  readonly #programs = new Map<string, number>();
  readonly #scalars: number;
  readonly #ints: Int32Array;
  readonly #floats: Float32Array;
  #freed = false;

  constructor(
    private readonly executor: WasmExecutor,
    layout: Layout,
    private readonly region: Region,
    memory: ArrayBufferLike,
  ) {
    for (const [name, { spec, start }] of layout.buffers) {
      this.#views.set(name, view(spec.element, memory, region.start + start, spec.length));
    }
    for (const [name, start] of layout.programs) this.#programs.set(name, region.start + start);
    this.#scalars = region.start + layout.scalars;
    this.#ints = new Int32Array(memory, this.#scalars, SCALARS.length);
    this.#floats = new Float32Array(memory, this.#scalars, SCALARS.length);
  }

  write(buffer: string, values: ArrayLike<number>, offset = 0): void {
    this.#part("write", buffer, offset, values.length).set(values);
  }

  run(recording: string, scalars: Scalars): Promise<void> {
    try {
      const program = this.#programs.get(recording);
      if (this.#freed || program === undefined) {
        throw new Error(
          `Cannot run recording "${recording}": ` +
            (this.#freed ? "its program is freed." : "the plan does not have it."),
        );
      }
      for (let i = 0; i < SCALARS.length; i++) {
        const [name, kind] = SCALARS[i];
        (kind === "int" ? this.#ints : this.#floats)[i] = scalars[name];
      }
      this.executor.launch(program, this.#scalars);
      return Promise.resolve();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  read(buffer: string, offset = 0, length?: number): Promise<Float64Array> {
    try {
      return Promise.resolve(new Float64Array(this.#part("read", buffer, offset, length)));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  free(): void {
    if (this.#freed) return;
    this.#freed = true;
    this.executor.release(this.region);
  }

  /** Elements `offset … offset + length` of a buffer (all the rest by default). */
  #part(action: string, buffer: string, offset: number, length?: number): View {
    const whole = this.#views.get(buffer);
    if (this.#freed) throw new Error(`Cannot ${action} ${buffer}: its program is freed.`);
    if (!whole) throw new Error(`Cannot ${action} ${buffer}: the plan has no such buffer.`);
    const end = length === undefined ? whole.length : offset + length;
    if (offset < 0 || offset > end || end > whole.length) {
      throw new Error(
        `Cannot ${action} ${buffer}: expected a part of its ${whole.length} elements, found ` +
          `${offset} … ${end}.`,
      );
    }
    return whole.subarray(offset, end);
  }
}
