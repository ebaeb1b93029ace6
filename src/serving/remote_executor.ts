/**
 * A device of another thread as an executor: what a job computes there waits its turn behind inference,
 * in slices short enough that nobody waits long for one.
 */
import {
  type DeviceInfo,
  type Executor,
  inTurn,
  type Program,
  type Run,
} from "../compute/executor.ts";
import type { Scalars } from "../compute/kernels.ts";
import type { Plan } from "../compute/recording.ts";

/** A device's calls, from another thread. Programs go by number. */
export interface RemoteDevice {
  load(plan: Plan, fits?: number): Promise<number>;
  write(
    program: number,
    buffer: string,
    values: ArrayLike<number>,
    offset?: number,
    fit?: number,
  ): Promise<void>;
  /** @returns milliseconds on the device */
  run(
    program: number,
    recording: string,
    scalars: Scalars | readonly Scalars[],
  ): Promise<number>;
  read(
    program: number,
    buffer: string,
    offset?: number,
    length?: number,
    fit?: number,
  ): Promise<Float64Array>;
  free(program: number): Promise<void>;
}

/** How long a slice should keep the device, in milliseconds. */
const SLICE_MS = 4;

export function createRemoteExecutor(device: RemoteDevice, info: DeviceInfo): Executor {
  return {
    info,
    runsAtOnce: 1,
    async load({ buffers, recordings }: Plan, fits = 1): Promise<Program> {
      return new RemoteProgram(device, await device.load({ buffers, recordings }, fits), fits);
    },
    close: () => {},
  };
}

class RemoteProgram implements Program {
  /** what has been sent and not yet confirmed; its failure is that of the next call */
  #sent: Promise<void>[] = [];
  /** iterations of a slice, once one has been timed */
  #iterations = 1;

  constructor(
    private readonly device: RemoteDevice,
    private readonly number: number,
    readonly fits: number,
  ) {}

  write(buffer: string, values: ArrayLike<number>, offset?: number, fit?: number): void {
    const own = ArrayBuffer.isView(values) ? values : Array.from(values);
    const sent = this.device.write(this.number, buffer, own, offset, fit);
    sent.catch(() => {});
    this.#sent.push(sent);
  }

  async run(recording: string, scalars: Scalars | readonly Scalars[]): Promise<void> {
    await this.#confirmed();
    const each = Array.isArray(scalars) ? scalars as readonly Scalars[] : [scalars as Scalars];
    const iterations = Math.max(...each.map((s) => s.iterations));
    // iterations keep all that they know in the program's buffers, so cutting them changes no bit
    for (let done = 0; done < Math.max(1, iterations);) {
      const now = iterations === 0 ? 0 : Math.min(this.#iterations, iterations - done);
      const slice = each.map((s) => ({
        ...s,
        count: s.count + done,
        iterations: Math.max(0, Math.min(now, s.iterations - done)),
      }));
      const took = await this.device.run(
        this.number,
        recording,
        Array.isArray(scalars) ? slice : slice[0],
      );
      done += Math.max(1, now);
      if (now > 0) {
        const wanted = Math.round(now * SLICE_MS / Math.max(took, 0.01));
        this.#iterations = Math.max(1, Math.min(wanted, 4 * this.#iterations));
      }
    }
  }

  sequence(
    recording: string,
    runs: readonly Run[],
    collect: string,
  ): Promise<Float64Array[][]> {
    return inTurn(this, recording, runs, collect);
  }

  async read(
    buffer: string,
    offset?: number,
    length?: number,
    fit?: number,
  ): Promise<Float64Array> {
    await this.#confirmed();
    return await this.device.read(this.number, buffer, offset, length, fit);
  }

  free(): void {
    this.device.free(this.number).catch(() => {});
  }

  async #confirmed(): Promise<void> {
    const sent = this.#sent;
    this.#sent = [];
    await Promise.all(sent);
  }
}
