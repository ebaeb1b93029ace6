/** Compiles pipelines, once for each shader, and keeps them for all programs of a device. */
import { GpuError } from "./errors.ts";
import type { Variant } from "./kernel.ts";
import { type Fusion, shaderModule } from "./module.ts";

/** Bindings of every kernel: see `shaders/run.wgsl` and `arguments.ts`. */
function bindGroupLayout(gpu: GPUDevice): GPUBindGroupLayout {
  const visibility = GPUShaderStage.COMPUTE;
  const entry = (binding: number, type: GPUBufferBindingType, hasDynamicOffset = false) => ({
    binding,
    visibility,
    buffer: { type, hasDynamicOffset },
  });
  return gpu.createBindGroupLayout({
    label: "latentd kernel",
    entries: [
      entry(0, "storage"),
      entry(1, "read-only-storage"),
      entry(2, "uniform", true),
      entry(3, "uniform", true),
      entry(4, "read-only-storage", true),
    ],
  });
}

export class Pipelines {
  readonly bindings: GPUBindGroupLayout;
  readonly #layout: GPUPipelineLayout;
  readonly #known = new Map<string, Promise<GPUComputePipeline>>();

  constructor(private readonly gpu: GPUDevice) {
    this.bindings = bindGroupLayout(gpu);
    this.#layout = gpu.createPipelineLayout({ bindGroupLayouts: [this.bindings] });
  }

  /** @throws {GpuError} with the compiler's words when the shader or the pipeline is refused */
  get(fusion: Fusion, variant: Variant): Promise<GPUComputePipeline> {
    const code = shaderModule(fusion, variant);
    let pipeline = this.#known.get(code);
    if (!pipeline) this.#known.set(code, pipeline = this.#compile(fusion.kernels.join("+"), code));
    return pipeline;
  }

  async #compile(label: string, code: string): Promise<GPUComputePipeline> {
    this.gpu.pushErrorScope("validation");
    this.gpu.pushErrorScope("internal");
    const module = this.gpu.createShaderModule({ label, code });
    const created = this.gpu.createComputePipelineAsync({
      label,
      layout: this.#layout,
      compute: { module, entryPoint: "main" },
    });
    const internal = this.gpu.popErrorScope(), validation = this.gpu.popErrorScope();
    const refused = (why: string, cause?: unknown) =>
      new GpuError(`Cannot compile kernel ${label} for this adapter: ${why}`, { cause });
    let pipeline: GPUComputePipeline;
    try {
      pipeline = await created;
    } catch (cause) {
      const error = await validation ?? await internal;
      throw refused(error?.message ?? String(cause), cause);
    }
    const error = await validation ?? await internal;
    if (error) throw refused(error.message);
    return pipeline;
  }
}
