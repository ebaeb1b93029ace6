/** How a server keeps and runs things. */
import { InputError } from "../errors.ts";
import { startStoreWorker } from "./start_worker.ts";

/** How much a server accepts. */
export interface JobsLimits {
  /** runs that wait: 100 */
  readonly queuedRuns: number;
  /** datasets: 1000 */
  readonly datasets: number;
  /** models: 10 000 (models that runs make are always kept) */
  readonly models: number;
  /** bytes of a dataset that is sent: 1 GiB */
  readonly datasetBytes: number;
  /** bytes of a dataset's arrays, unpacked or simulated: 4 GiB */
  readonly unpackedBytes: number;
  /** bytes of a model that is sent: 1 GiB */
  readonly modelBytes: number;
}

export const DEFAULT_LIMITS: JobsLimits = {
  queuedRuns: 100,
  datasets: 1000,
  models: 10_000,
  datasetBytes: 2 ** 30,
  unpackedBytes: 4 * 2 ** 30,
  modelBytes: 2 ** 30,
};

/** What computes: runs on the same hardware take turns. */
export type Hardware = "cpu" | "gpu";

/** Options of `openJobs`. */
export interface JobsOptions {
  readonly limits?: Partial<JobsLimits>;
  /** runs at a time on the same hardware: 1 */
  readonly runsPerDevice?: number;
  /** threads of a run on the wasm device; the device's default otherwise */
  readonly threads?: number;
  /** a process that is asked to stop gets SIGTERM after this, and SIGKILL after twice this: 10 000 ms */
  readonly graceMs?: number;
  /** a run whose process is lost more often than this without a new checkpoint has failed: 3 */
  readonly maxCrashes?: number;
  /** the Deno that runs are started with, which `--allow-run` has to name: `Deno.execPath()` */
  readonly executable?: string;
  /** starts the thread that has the database: `src/jobs/start_worker.ts` */
  readonly startStore?: () => Worker;
  /** hears of what cannot be stored just now; it is tried again */
  readonly onProblem?: (error: unknown) => void;
}

export type Settings =
  & Required<Omit<JobsOptions, "limits" | "threads">>
  & { readonly limits: JobsLimits; readonly threads: number | null };

/** @throws {InputError} for a number that cannot be */
export function settings({ limits, threads, ...options }: JobsOptions): Settings {
  const all = {
    runsPerDevice: 1,
    graceMs: 10_000,
    maxCrashes: 3,
    executable: Deno.execPath(),
    startStore: startStoreWorker,
    onProblem: (error: unknown) => console.error(error),
    ...given(options),
    threads: threads ?? null,
    limits: { ...DEFAULT_LIMITS, ...given(limits ?? {}) },
  };
  const { runsPerDevice, graceMs, maxCrashes } = all;
  requireWhole(1, { runsPerDevice, graceMs, ...(threads === undefined ? {} : { threads }) });
  requireWhole(0, { maxCrashes, ...all.limits });
  return all;
}

/** Without what is undefined, which would hide a default. */
function given<T extends object>(options: T): Partial<T> {
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as Partial<T>;
}

function requireWhole(least: number, numbers: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(numbers)) {
    if (Number.isSafeInteger(value) && value >= least) continue;
    throw new InputError(
      `Cannot open the data directory: expected ${name} to be a whole number of at least ${least}, ` +
        `found ${value}.`,
    );
  }
}
