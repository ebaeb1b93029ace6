/** A GPU device with its pipelines and bounds, watched for loss and for errors that nobody awaits. */
import { InputError } from "../../errors.ts";
import type { AdapterDescription } from "./adapter.ts";
import type { Capabilities } from "./capabilities.ts";
import { GpuError } from "./errors.ts";
import type { Layout } from "./layout.ts";
import { Pipelines } from "./pipelines.ts";
import type { ProgramBuffers } from "./program.ts";

const mega = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

export class Gpu {
  readonly pipelines: Pipelines;
  #failure?: GpuError;
  #closed = false;

  constructor(
    readonly device: GPUDevice,
    readonly adapter: AdapterDescription,
    readonly capabilities: Capabilities,
  ) {
    this.pipelines = new Pipelines(device);
    device.lost.then(({ reason, message }) => {
      if (this.#closed) return;
      this.#failure ??= new GpuError(
        `The webgpu device (${adapter.name}) was lost${reason ? `, ${reason}` : ""}: ${
          message || "the driver gave no reason"
        }. What was on it is gone; a run goes on from its last checkpoint (--resume), on any device.`,
      );
    });
    device.addEventListener("uncapturederror", (event) => {
      event.preventDefault();
      const { error } = event as GPUUncapturedErrorEvent;
      this.#failure ??= new GpuError(
        `The webgpu device (${adapter.name}) failed: ${error.message}`,
      );
    });
  }

  /** @throws {GpuError} why the device can no longer be used */
  requireAlive(action: string): void {
    if (this.#closed) throw new Error(`Cannot ${action}: the webgpu device is closed.`);
    if (this.#failure) throw this.#failure;
  }

  /** Waits for the device; what failed meanwhile is thrown here. */
  async settled<X>(work: Promise<X>): Promise<X> {
    try {
      const result = await work;
      this.requireAlive("wait");
      return result;
    } catch (cause) {
      // the loss is told in its own promise, which may settle after this one
      await new Promise((resolve) => setTimeout(resolve, 0));
      if (this.#failure) throw this.#failure;
      if (cause instanceof GpuError) throw cause;
      throw new GpuError(`The webgpu device (${this.adapter.name}) failed: ${cause}`, { cause });
    }
  }

  /**
   * Memory for a program.
   *
   * @throws {InputError} when it exceeds what the adapter can bind
   * @throws {GpuError} when the device has no memory left
   */
  async allocate(layout: Layout, tables: number, fits: number): Promise<ProgramBuffers> {
    this.requireAlive("load a plan");
    const reals = this.#bounded(
      "real numbers",
      layout.sharedReals.length + layout.reals.length * fits,
      fits,
    );
    const words = this.#bounded(
      "counts, trials and tables",
      Math.ceil((layout.sharedWords.length + tables) / 64) * 64 + layout.words.length * fits,
      fits,
    );
    const { device } = this;
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
    device.pushErrorScope("out-of-memory");
    const buffers = [reals, words].map((size, i) =>
      device.createBuffer({ label: i === 0 ? "reals" : "words", size, usage })
    );
    const error = await device.popErrorScope();
    const destroy = () => buffers.forEach((buffer) => buffer.destroy());
    if (error) {
      destroy();
      throw new GpuError(
        `Cannot allocate ${mega(reals + words)} on ${this.adapter.name}: ${error.message}. Use ` +
          `smaller batches, fewer starts or posterior samples, or a smaller model.`,
      );
    }
    return { reals: buffers[0], words: buffers[1], destroy };
  }

  /** Bytes of so many elements, if one binding can show them. */
  #bounded(what: string, elements: number, fits: number): number {
    const bytes = 4 * Math.max(64, elements), { storageBinding } = this.capabilities;
    if (bytes <= storageBinding && elements < 2 ** 32) return bytes;
    throw new InputError(
      `Cannot load a plan on ${this.adapter.name}: expected at most ${mega(storageBinding)} of ` +
        `${what} in one binding (maxStorageBufferBindingSize), found ${mega(bytes)}` +
        `${fits > 1 ? ` for ${fits} fits` : ""}. Use smaller batches, fewer starts or posterior ` +
        `samples, a smaller model, or --device wasm.`,
    );
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.device.destroy();
  }
}
