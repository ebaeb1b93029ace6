/** Data directories of tests, and servers that can be killed. */
import { fileURLToPath } from "node:url";
import { type Jobs, openJobs } from "../src/jobs/jobs.ts";
import type { JobsOptions } from "../src/jobs/options.ts";
import { readLines } from "../src/jobs/protocol.ts";
import { FINAL_STATES, type StoredDataset, type StoredRun } from "../src/jobs/records.ts";
import { inFolder } from "./folders.ts";
import type { Request } from "./jobs_server.ts";
import { PLAIN } from "../src/study/recipes.ts";

/** A model that trains in a moment. */
export const SMALL = {
  ...PLAIN,
  encoderUnits: 2,
  generatorUnits: 2,
  factors: 2,
  batchSize: 4,
  steps: 40,
  evaluateEvery: 10,
  checkpointEvery: 10,
};

/** A run that lasts until it is stopped. */
export const ENDLESS = { ...SMALL, steps: 1_000_000, evaluateEvery: 1000, checkpointEvery: 100 };

/** Data of the tutorial's kind: 8 trials, 5 bins, 3 neurons. */
export const TINY_DATA = { kind: "rotation", trials: 8, T: 5, N: 3 } as const;

/** Jobs in a folder that is gone afterwards; closed whatever happens. */
export function withJobs(
  test: (jobs: Jobs, folder: string) => Promise<void>,
  options: JobsOptions = {},
): Promise<void> {
  return inFolder(async (folder) => {
    const jobs = await openJobs(folder, { threads: 1, ...options });
    try {
      await test(jobs, folder);
    } finally {
      await jobs.close();
    }
  });
}

/** A tiny dataset, and a run of it that waits. */
export async function queue(
  jobs: Jobs,
  hyperparameters: Record<string, unknown> = SMALL,
): Promise<{ dataset: StoredDataset; run: StoredRun }> {
  const dataset = await jobs.datasets.simulate(TINY_DATA);
  const run = await jobs.runs.create({
    dataset: dataset.id,
    hyperparameters,
    reproducible: true,
    report: false,
  });
  return { dataset, run };
}

/** Waits until a run is in one of some states. */
export async function reaches(
  jobs: Jobs,
  id: string,
  states: readonly StoredRun["state"][] = FINAL_STATES,
): Promise<StoredRun> {
  for await (const _ of await jobs.runs.subscribe(id)) {
    const run = await jobs.runs.get(id);
    if (states.includes(run.state)) return run;
  }
  const run = await jobs.runs.get(id);
  if (states.includes(run.state)) return run;
  throw new Error(`The run ${id} is ${run.state}: ${run.failure}`);
}

/** Waits until a run has a checkpoint of at least `step` steps. */
export async function checkpointFrom(jobs: Jobs, id: string, step: number): Promise<void> {
  for await (const event of await jobs.runs.subscribe(id)) {
    if (event.kind === "checkpoint" && event.step >= step) return;
  }
  const { state, failure } = await jobs.runs.get(id);
  throw new Error(`The run ${id} is ${state} before a checkpoint of ${step} steps: ${failure}`);
}

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

/** A process that serves a data directory; see `jobs_server.ts`. */
export class Server {
  readonly ready: Promise<void>;
  readonly #process: Deno.ChildProcess;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array>;
  readonly #answers = new Map<number, PromiseWithResolvers<unknown>>();
  readonly #listening: Promise<void>;
  #last = 0;
  #stderr = "";

  /** With the permissions that a server needs, and no others. */
  constructor(folder: string, { shell = null }: { shell?: string | null } = {}) {
    const deno = Deno.execPath();
    const args = [
      ...["run", "--quiet", "--no-prompt", "--allow-env", "--allow-sys", `--allow-run=${deno}`],
      `--allow-read=${folder},${path("../src")},${path("../wasm/build")},${path("../deno.json")}`,
      `--allow-write=${folder}`,
      path("./jobs_server.ts"),
      folder,
    ];
    const [command, ...rest] = shell === null
      ? [deno, ...args]
      : ["sh", "-c", `${shell}; exec "$0" "$@"`, deno, ...args];
    this.#process = new Deno.Command(command, {
      args: rest,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#stdin = this.#process.stdin.getWriter();
    const ready = Promise.withResolvers<void>();
    this.ready = ready.promise;
    this.ready.catch(() => {});
    this.#listening = this.#listen(ready);
  }

  /** What the server answers; rejects where it refuses, or dies before it answers. */
  ask<T>(request: Request): Promise<T> {
    const id = ++this.#last;
    const answer = Promise.withResolvers<unknown>();
    answer.promise.catch(() => {});
    this.#answers.set(id, answer);
    const bytes = new TextEncoder().encode(`${JSON.stringify({ id, request })}\n`);
    this.#stdin.write(bytes).catch((error) => answer.reject(error));
    return answer.promise as Promise<T>;
  }

  kill(signal: Deno.Signal): void {
    this.#process.kill(signal);
  }

  /** Waits for its end. What it said before is heard first. */
  async ended(): Promise<{ code: number; stderr: string }> {
    const { code } = await this.#process.status;
    await this.#listening;
    await this.#stdin.close().catch(() => {});
    return { code, stderr: this.#stderr };
  }

  async #listen(ready: PromiseWithResolvers<void>): Promise<void> {
    const errors = (async () => {
      for await (const bytes of this.#process.stderr) {
        this.#stderr += new TextDecoder().decode(bytes);
      }
    })();
    for await (const line of readLines(this.#process.stdout)) {
      const said = JSON.parse(line);
      if (said.ready) ready.resolve();
      const answer = this.#answers.get(said.id);
      if (!answer) continue;
      this.#answers.delete(said.id);
      if (said.error) answer.reject(Object.assign(new Error(said.error.message), said.error));
      else answer.resolve(said.result);
    }
    await errors;
    const over = new Error(`The server ended. ${this.#stderr}`);
    ready.reject(over);
    for (const answer of this.#answers.values()) answer.reject(over);
  }
}
