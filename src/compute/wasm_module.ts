/** The WebAssembly module as TypeScript sees it: its file, and its exports on one thread. */

/** What an instance of the module exports to the executor; wasm/index.ts. */
export interface WasmExports {
  readonly ERROR: WebAssembly.Global;
  readonly ERROR_DETAIL: WebAssembly.Global;
  readonly ERROR_KERNEL: WebAssembly.Global;
  readonly ERROR_THREAD: WebAssembly.Global;
  launch(program: number, scalars: number, threads: number): void;
  launchFits(
    program: number,
    scalars: number,
    fits: number,
    stride: number,
    threads: number,
  ): void;
  serve(thread: number, threads: number): void;
  reportTrap(): void;
  leaveProgram(): void;
  awaitWorkers(threads: number): void;
  clearError(): void;
  stop(): void;
  scratchEnd(threads: number): number;
}

/** What a worker needs to become a thread. */
export interface WorkerStart {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly thread: number;
  readonly threads: number;
}

/** Compiles the fast module, or the one that gives the same bits on every machine. */
export async function compileKernels(reproducible: boolean): Promise<WebAssembly.Module> {
  const file = reproducible ? "latentd.strict.wasm" : "latentd.wasm";
  const url = new URL(`../../wasm/build/${file}`, import.meta.url);
  const bytes = await Deno.readFile(url).catch((cause) => {
    throw new Error(
      `Cannot start the wasm device: wasm/build/${file} cannot be read. Build it with ` +
        `"deno task wasm".`,
      { cause },
    );
  });
  return await WebAssembly.compile(bytes);
}

/** One thread's instance. */
export function instantiate(module: WebAssembly.Module, memory: WebAssembly.Memory): WasmExports {
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  return exports as unknown as WasmExports;
}
