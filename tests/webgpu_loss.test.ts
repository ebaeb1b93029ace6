/** A GPU that goes away, refuses a shader or has no memory left: the error says so, and the run goes on. */
import assert from "node:assert/strict";
import { createWasmExecutor } from "../src/compute/wasm.ts";
import { createWebgpuExecutor, type WebgpuExecutor } from "../src/compute/webgpu.ts";
import { findAdapter } from "../src/compute/webgpu/adapter.ts";
import { GpuError } from "../src/compute/webgpu/errors.ts";
import type { Executor } from "../src/compute/executor.ts";
import { simulateRotation } from "../src/data/simulate.ts";
import { parseHyperparameters } from "../src/model/hyperparameters.ts";
import { fit, type FitOptions, type FitResult } from "../src/train/fit.ts";
import type { RunState } from "../src/train/run_state.ts";
import { withoutAdapter } from "./webgpu_adapter.ts";
import { PLAIN } from "../src/study/recipes.ts";

const data = simulateRotation({ trials: 12, T: 5, N: 4 });
const hyperparameters = parseHyperparameters({
  ...PLAIN,
  ...{ cell: "vanilla", encoderUnits: 2, generatorUnits: 2, factors: 2 },
  ...{ batchSize: 4, steps: 12, evaluateEvery: 2, checkpointEvery: 4 },
});

type Changed = Partial<Record<keyof GPUDevice, unknown>>;

/** An executor on this machine's adapter, whose device does some things otherwise. */
async function executorOn(
  change: (device: GPUDevice) => Changed,
): Promise<{ executor: WebgpuExecutor; device: GPUDevice }> {
  const adapter = await findAdapter();
  assert(adapter, "CI must have a WebGPU adapter (Mesa's lavapipe), and has none");
  const opened: GPUDevice[] = [];
  const { info, limits, features } = adapter;
  const requestDevice = async (descriptor?: GPUDeviceDescriptor) => {
    const device = await adapter.requestDevice(descriptor);
    opened.push(device);
    const changed = change(device);
    return new Proxy(device, {
      get(_, name) {
        if (name in changed) return changed[name as keyof GPUDevice];
        const value: unknown = Reflect.get(device, name, device);
        return typeof value === "function" ? value.bind(device) : value;
      },
    });
  };
  const double = { info, limits, features, requestDevice } as unknown as GPUAdapter;
  const executor = await createWebgpuExecutor({ adapter: double, reason: "a test" });
  return { executor, device: opened[0] };
}

/** Fits to the end; `happened` is called after every step. */
async function fitted(
  executor: Executor,
  options: Partial<FitOptions>,
  happened: (step: number) => void = () => {},
): Promise<FitResult> {
  const run = fit(data, executor, { hyperparameters, seed: 3, ...options });
  let next = await run.next();
  while (!next.done) {
    if (next.value.kind === "step") happened(next.value.step);
    next = await run.next();
  }
  return next.value;
}

Deno.test({
  name: "a GPU that is lost ends the fit with a word, and the last checkpoint goes on elsewhere",
  ...withoutAdapter,
  async fn() {
    const { executor, device } = await executorOn(() => ({}));
    const checkpoints: RunState[] = [];
    const checkpoint = (state: RunState) => {
      checkpoints.push(state);
      return Promise.resolve();
    };
    try {
      const lost = fitted(executor, { checkpoint }, (step) => {
        if (step === 7) device.destroy();
      });
      await assert.rejects(lost, (error) => {
        assert(error instanceof GpuError, String(error));
        assert.match(error.message, /was lost.*last checkpoint \(--resume\), on any device/);
        assert.ok(error.message.includes(executor.info.adapter!));
        return true;
      });
      // and it stays so
      await assert.rejects(fitted(executor, {}), GpuError);
    } finally {
      executor.close();
    }
    const resume = checkpoints.at(-1);
    assert.equal(resume?.step, 4);

    const wasm = await createWasmExecutor({ threads: 1, reason: "a test" });
    try {
      const { completed, state } = await fitted(wasm, { resume });
      assert.deepEqual([completed, state.step], [true, 12]);
      assert.ok(state.params_P.every(Number.isFinite));
    } finally {
      wasm.close();
    }
  },
});

Deno.test({
  name: "a shader that the driver refuses is named, with the compiler's words",
  ...withoutAdapter,
  async fn() {
    const { executor } = await executorOn((device) => ({
      createShaderModule: ({ label, code }: GPUShaderModuleDescriptor) => {
        const broken = label === "readout" ? `${code}\nfn broken() -> u32 { return 1.5; }` : code;
        return device.createShaderModule({ label, code: broken });
      },
    }));
    try {
      await assert.rejects(fitted(executor, {}), (error) => {
        assert(error instanceof GpuError, String(error));
        assert.match(error.message, /^Cannot compile kernel readout for this adapter:[^]*convert/);
        return true;
      });
    } finally {
      executor.close();
    }
  },
});

Deno.test({
  name: "a GPU without memory says how much was wanted, and what to do",
  ...withoutAdapter,
  async fn() {
    const { executor } = await executorOn((device) => {
      const scopes: GPUErrorFilter[] = [];
      return {
        pushErrorScope: (filter: GPUErrorFilter) => {
          scopes.push(filter);
          device.pushErrorScope(filter);
        },
        popErrorScope: async () => {
          const error = await device.popErrorScope();
          return scopes.pop() === "out-of-memory" ? { message: "no memory of a test" } : error;
        },
      };
    });
    try {
      await assert.rejects(fitted(executor, {}), (error) => {
        assert(error instanceof GpuError, String(error));
        assert.match(error.message, /^Cannot allocate [\d.]+ MiB on .*: no memory of a test\. Use/);
        return true;
      });
    } finally {
      executor.close();
    }
  },
});
