/**
 * Servers and runs are killed at random moments, and nothing that was acknowledged is lost. LATENTD_KILLS
 * asks for more kills, LATENTD_KILL_SEED for the moments of an earlier run.
 */
import assert from "node:assert/strict";
import { createWasmExecutor } from "../src/compute/wasm.ts";
import { modelToBytes } from "../src/data/model_file.ts";
import { simulateRotation } from "../src/data/simulate.ts";
import { sha256 } from "../src/jobs/files.ts";
import { openJobs } from "../src/jobs/jobs.ts";
import type { RunEvent, StoredDataset, StoredModel, StoredRun } from "../src/jobs/records.ts";
import { parseHyperparameters } from "../src/model/hyperparameters.ts";
import type { Model } from "../src/model/model.ts";
import { fitStarts } from "../src/train/fit.ts";
import { philox, uniform } from "../src/random.ts";
import { inFolder, listing } from "./folders.ts";
import { Server, SMALL, TINY_DATA } from "./jobs_helpers.ts";

const KILLS = Number(Deno.env.get("LATENTD_KILLS") ?? 30);
const SEED = Number(
  Deno.env.get("LATENTD_KILL_SEED") ??
    (Deno.env.get("CI") ? 20261123 : crypto.getRandomValues(new Uint32Array(1))[0]),
);

/** Long enough to be killed several times; an odd checkpoint, so that it is rarely an evaluation's. */
const HYPERPARAMETERS = { ...SMALL, steps: 400, evaluateEvery: 20, checkpointEvery: 9 };
/** Runs that wait at most: so many keep the servers busy, and the end is soon after the last kill. */
const AHEAD = 2;

/** Uniform numbers of one seed. */
function uniforms(seed: number): () => number {
  let draws = 0;
  return () => uniform(philox([draws++, 0, 0, 0], [seed >>> 0, 0])[0]);
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Names only: files come and go while they are listed. */
async function halfWritten(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (name.endsWith(".tmp")) found.push(name);
    if (isDirectory) found.push(...await halfWritten(`${folder}/${name}`));
  }
  return found;
}

interface Stored {
  readonly datasets: Record<string, string>;
  readonly models: Record<string, string>;
  readonly runs: readonly StoredRun[];
}

/** What servers have acknowledged. */
class Acknowledged {
  readonly datasets = new Map<string, { sha256: string; seed: number }>();
  readonly models = new Map<string, string>();
  readonly runs = new Map<string, StoredRun>();
  /** models of runs that were seen completed */
  readonly ends = new Map<string, string>();
  waiting = 0;

  async check(server: Server): Promise<Stored> {
    const stored = await server.ask<Stored>({ do: "check" });
    for (const [id, { sha256 }] of this.datasets) assert.equal(stored.datasets[id], sha256, id);
    for (const [id, sha256] of this.models) assert.equal(stored.models[id], sha256, id);
    const found = new Map(stored.runs.map((run) => [run.id, run]));
    for (const [id, { dataset, seed, starts, hyperparameters }] of this.runs) {
      const run = found.get(id);
      assert.ok(run, `the run ${id} is lost`);
      assert.deepEqual(
        [run.dataset, run.seed, run.starts, run.hyperparameters, run.failure],
        [dataset, seed, starts, hyperparameters, null],
      );
      const end = this.ends.get(id);
      if (end !== undefined) assert.deepEqual([run.state, run.model], ["completed", end]);
      if (run.state === "completed") this.ends.set(id, run.model ?? "none");
    }
    this.waiting = stored.runs.filter(({ state }) => state !== "completed").length;
    return stored;
  }
}

/** The model that a run makes where nobody kills it. */
async function undisturbed(dataSeed: number, run: StoredRun): Promise<Model> {
  const executor = await createWasmExecutor({ threads: 1, reproducible: true });
  const data = simulateRotation({ ...TINY_DATA, seed: dataSeed });
  const { hyperparameters, seed, starts } = run;
  const fit = fitStarts(data, executor, { hyperparameters, seed, starts });
  let next = await fit.next();
  while (!next.done) next = await fit.next();
  executor.close();
  return next.value.model;
}

Deno.test(`nothing acknowledged is lost in ${KILLS} kills, and runs end with the same parameters`, () =>
  inFolder(async (folder) => {
    console.log(`LATENTD_KILLS=${KILLS} LATENTD_KILL_SEED=${SEED}`);
    const random = uniforms(SEED);
    const known = new Acknowledged();
    const pids = new Set<number>();
    const hit = { starting: 0, adding: 0, process: 0, server: 0, both: 0, checkpointing: 0 };
    const model = modelToBytes(
      await undisturbed(0, {
        hyperparameters: parseHyperparameters({ ...SMALL, steps: 1 }),
        seed: 0,
        starts: 1,
      } as StoredRun),
    ).toBase64();
    let asked = 0;

    /** Adds a dataset, a model, and where few wait a run; returns how many answers are still due. */
    function ask(server: Server): { due: number } {
      const state = { due: 0 };
      const later = <T>(answer: Promise<T>, heard: (result: T) => void) => {
        state.due++;
        answer.then(
          (result) => {
            state.due--;
            heard(result);
          },
          (error) => assert.match(error.message, /^The server ended|pipe|closed/),
        );
      };
      const seed = asked++;
      later(
        server.ask<StoredDataset>({ do: "simulate", request: { ...TINY_DATA, seed } }),
        ({ id, sha256 }) => known.datasets.set(id, { sha256, seed }),
      );
      later(
        server.ask<StoredModel>({ do: "import", model }),
        ({ id, sha256 }) => known.models.set(id, sha256),
      );
      const dataset = [...known.datasets.keys()].at(-1);
      if (dataset === undefined || known.waiting >= AHEAD) return state;
      known.waiting++;
      const request = {
        ...{ dataset, seed, hyperparameters: HYPERPARAMETERS, reproducible: true },
        ...{ starts: seed % 3 === 0 ? 2 : 1, report: seed % 4 === 0 },
      };
      later(
        server.ask<StoredRun>({ do: "create", request }),
        (run) => known.runs.set(run.id, run),
      );
      return state;
    }

    for (let kills = 0; kills < KILLS;) {
      const server = new Server(folder);
      if (random() < 0.15) {
        await sleep(random() * 300);
        server.kill("SIGKILL");
        await server.ended();
        hit.starting++;
        kills++;
        continue;
      }
      await server.ready;
      await known.check(server);
      for (let alive = true; alive;) {
        const answers = ask(server);
        const kind = (["server", "process", "both", "adding"] as const)[Math.floor(random() * 4)];
        await sleep(kind === "adding" ? random() * 20 : 100 + random() * 700);
        if (kind === "process" || kind === "both") {
          const running = await server.ask<{ pid: number }[]>({ do: "processes" });
          for (const { pid } of running) {
            pids.add(pid);
            try {
              Deno.kill(pid, "SIGKILL");
            } catch (error) {
              assert.ok(error instanceof Deno.errors.NotFound); // it had just ended
            }
          }
          // before the next process clears them away
          hit.checkpointing += (await halfWritten(folder)).length;
        }
        if (kind !== "process") {
          if (kind === "adding" && answers.due === 0) continue;
          server.kill("SIGKILL");
          alive = false;
        }
        hit[kind]++;
        if (++kills === KILLS) break;
      }
      server.kill("SIGKILL");
      await server.ended();
    }
    console.log(`killed: ${JSON.stringify(hit)}`);

    const server = new Server(folder);
    await server.ready;
    let stored = await known.check(server);
    const patience = performance.now() + 120_000;
    while (stored.runs.some(({ state }) => state !== "completed")) {
      assert.ok(performance.now() < patience, JSON.stringify(stored.runs.map((run) => run.state)));
      await sleep(100);
      stored = await known.check(server);
    }
    server.kill("SIGTERM");
    assert.deepEqual(await server.ended(), { code: 0, stderr: "" });

    assert.ok(known.runs.size > 0);
    for (const [id, run] of known.runs) {
      const { seed } = known.datasets.get(run.dataset)!;
      const wanted = await sha256(modelToBytes(await undisturbed(seed, run)));
      assert.equal(stored.models[known.ends.get(id)!], wanted, `the model of ${id} is another`);
    }

    const jobs = await openJobs(folder);
    for (const { id } of stored.runs) {
      const events: RunEvent[] = [];
      for await (const event of await jobs.runs.subscribe(id)) events.push(event);
      assert.deepEqual(events.map((event) => event.id), [...events.keys()].map((i) => i + 1));
      const evaluations = events.flatMap((e) => e.kind === "evaluation" ? [e.entry.step] : []);
      assert.deepEqual(evaluations, Array.from({ length: 20 }, (_, i) => 20 * (i + 1)));
      const checkpoints = events.flatMap((e) => e.kind === "checkpoint" ? [e.step] : []);
      assert.deepEqual(checkpoints, [...new Set(checkpoints)].sort((a, b) => a - b));
      assert.equal(checkpoints.at(-1), 400);
      assert.equal(events.filter((e) => e.kind === "state" && e.state === "completed").length, 1);
    }
    await jobs.close();

    assert.deepEqual(await halfWritten(folder), []);
    const stray = (await listing(folder)).filter((line) => /^(datasets|models)\//.test(line))
      .filter((line) => {
        const id = line.slice(line.indexOf("/") + 1).split(/[. ]/)[0];
        return id !== "" && !(id in stored.datasets) && !(id in stored.models);
      });
    assert.deepEqual(stray, []);
    for (const pid of pids) {
      assert.throws(() => Deno.kill(pid, "SIGCONT"), Deno.errors.NotFound, `${pid} still runs`);
    }
  }));
