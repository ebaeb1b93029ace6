/// <reference lib="deno.worker" />
/** A worker thread of the wasm executor: waits inside WebAssembly, so it takes one message only. */
import { instantiate, type WorkerStart } from "./wasm_module.ts";

self.onmessage = ({ data }: MessageEvent<WorkerStart>) => {
  const { module, memory, thread, threads } = data;
  const wasm = instantiate(module, memory);
  self.postMessage("ready");
  for (let serving = true; serving;) {
    try {
      wasm.serve(thread, threads);
      serving = false;
    } catch {
      // the executor reads the reason from the shared memory; this thread stays for the next program
      wasm.reportTrap();
      wasm.leaveProgram();
    }
  }
  self.close();
};
