/** Runs as jobs: their order, their ends, and those who follow them. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { createReferenceExecutor } from "../src/compute/reference.ts";
import { createWasmExecutor } from "../src/compute/wasm.ts";
import { modelToBytes } from "../src/data/model_file.ts";
import { simulateRotation } from "../src/data/simulate.ts";
import { InputError } from "../src/errors.ts";
import { ConflictError, NotFoundError } from "../src/jobs/errors.ts";
import { isFile, tryLock } from "../src/jobs/files.ts";
import { Journal } from "../src/jobs/journal.ts";
import { type Follower, Hub } from "../src/jobs/hub.ts";
import { slotOf } from "../src/jobs/hardware.ts";
import { type Jobs, openJobs } from "../src/jobs/jobs.ts";
import type { Happening, RunEvent, StoredRun } from "../src/jobs/records.ts";
import { Store } from "../src/jobs/store.ts";
import { type HyperparametersInput, parseHyperparameters } from "../src/model/hyperparameters.ts";
import { fitStarts } from "../src/train/fit.ts";
import { readRunRecord } from "../src/train/run_record.ts";
import { inFolder } from "./folders.ts";
import {
  checkpointFrom,
  ENDLESS,
  queue,
  reaches,
  Server,
  SMALL,
  TINY_DATA,
  withJobs,
} from "./jobs_helpers.ts";

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** The file of the model that `fitStarts` makes of the tiny data. */
async function fitted(
  hyperparameters: HyperparametersInput,
  { seed = 0, starts = 1, device = "wasm" } = {},
): Promise<Uint8Array> {
  const wide = device === "reference";
  const executor = wide
    ? createReferenceExecutor()
    : await createWasmExecutor({ threads: 1, reproducible: true });
  const options = { hyperparameters: parseHyperparameters(hyperparameters), seed, starts };
  const fit = fitStarts(simulateRotation(TINY_DATA), executor, options);
  let next = await fit.next();
  while (!next.done) next = await fit.next();
  executor.close();
  return modelToBytes(next.value.model, wide);
}

async function events(jobs: Jobs, run: string, after = 0): Promise<RunEvent[]> {
  const found: RunEvent[] = [];
  for await (const event of await jobs.runs.subscribe(run, after)) found.push(event);
  return found;
}

const NO_LOSSES = {
  ...{ total: 0, nll: 0, klIc: 0, klInputs: 0, l2: 0, gradNorm: 0, klIcScale: 1 },
  ...{ klInputsScale: 1, learningRate: 0 },
};

const states = (events: readonly RunEvent[]) =>
  events.flatMap((event) => event.kind === "state" ? [event.state] : []);

Deno.test("a run makes the model that fit makes, on each device, of one start or several", () =>
  withJobs(async (jobs) => {
    await jobs.start();
    const { id: dataset } = await jobs.datasets.simulate(TINY_DATA);
    const cases = [
      { device: "wasm", seed: 3, starts: 1 },
      { device: "wasm", seed: 3, starts: 3 },
      { device: "reference", seed: 0, starts: 1 },
    ] as const;
    for (const asked of cases) {
      const request = { dataset, hyperparameters: SMALL, report: false, ...asked };
      const reproducible = asked.device === "wasm";
      const run = await jobs.runs.create({ ...request, reproducible });
      const { state, failure, model, step, checkpoint, best, deviceInfo } = await reaches(
        jobs,
        run.id,
      );
      assert.deepEqual([state, failure, step, checkpoint], ["completed", null, 40, 40]);
      assert.equal(deviceInfo?.name, asked.device);
      assert.deepEqual(await jobs.models.bytes(model!), await fitted(SMALL, asked));
      const record = await jobs.models.get(model!);
      assert.deepEqual(
        [record.run, record.dataset, record.source, record.score, record.step, record.report],
        [run.id, dataset, "run", best?.score, best?.step, false],
      );
    }
  }));

Deno.test("a run tells its device, losses, evaluations and checkpoints, and makes a report", () =>
  withJobs(async (jobs) => {
    const { id: dataset } = await jobs.datasets.simulate(TINY_DATA);
    const run = await jobs.runs.create({ dataset, hyperparameters: SMALL, device: "reference" });
    await jobs.start();
    const told = await events(jobs, run.id);
    assert.deepEqual(states(told), ["queued", "running", "completed"]);
    const evaluations = told.flatMap((event) => event.kind === "evaluation" ? [event] : []);
    assert.deepEqual(evaluations.map(({ entry }) => entry.step), [10, 20, 30, 40]);
    let least = Infinity;
    for (const { entry: { evaluation }, best } of evaluations) {
      const score = evaluation.nll + evaluation.klIc + evaluation.klInputs;
      assert.equal(best, score < least);
      least = Math.min(least, score);
    }
    const of = (kind: RunEvent["kind"]) => told.filter((event) => event.kind === kind);
    assert.deepEqual(of("checkpoint").map((e) => e.kind === "checkpoint" && e.step), [
      ...[0, 10, 20, 30, 40],
    ]);
    assert.equal(of("device").length, 1);
    const last = of("step").at(-1);
    assert.ok(last?.kind === "step" && last.step === 40 && last.train.nll > 0);
    assert.deepEqual(of("report").length, 1);
    const { model, reported, best } = await jobs.runs.get(run.id);
    assert.deepEqual([reported, best?.score], [true, least]);
    const page = new TextDecoder().decode((await jobs.models.report(model!))!);
    assert.match(page, /^<!doctype html>[^]*<title>LFADS fit to rotation<\/title>/);
  }));

Deno.test("runs begin in the order in which they were asked for, one at a time", () =>
  withJobs(async (jobs) => {
    const { dataset, run: first } = await queue(jobs);
    const ids = [first.id];
    for (let seed = 1; seed < 4; seed++) {
      const request = { dataset: dataset.id, hyperparameters: SMALL, reproducible: true, seed };
      ids.push((await jobs.runs.create({ ...request, report: false })).id);
    }
    assert.deepEqual((await jobs.runs.waiting()).map(({ id }) => id), ids);
    await jobs.start();
    for (const id of ids) await reaches(jobs, id);
    const spans = await Promise.all(ids.map(async (id) => {
      const at = (await events(jobs, id)).flatMap((e) => e.kind === "state" ? [e.at] : []);
      return { began: at[1], ended: at[2] };
    }));
    for (let i = 1; i < spans.length; i++) assert.ok(spans[i].began >= spans[i - 1].ended);
  }));

Deno.test("as many runs at a time as are allowed, and hardware does not wait for other hardware", () =>
  inFolder(async (folder) => {
    const jobs = await openJobs(folder);
    const { run } = await queue(jobs);
    await jobs.close();
    const store = new Store();
    store.open(join(folder, "latentd.sqlite"));
    const add = (id: string, slot: "cpu" | "gpu" | "auto") => {
      store.insertRun({ ...run, id }, slot, 100);
      return id;
    };
    const [cpu2, gpu1, auto, gpu2] = [
      add("r-2222222222222222", "cpu"),
      add("r-3333333333333333", "gpu"),
      add("r-4444444444444444", "auto"),
      add("r-5555555555555555", "gpu"),
    ];
    assert.ok(store.autoWaits());
    const claim = (slots: ("cpu" | "gpu" | "auto")[], most: number) => store.claim(slots, most)?.id;
    assert.equal(claim(["cpu"], 1), run.id);
    assert.equal(claim(["cpu"], 1), undefined);
    assert.equal(claim(["gpu", "auto"], 2), gpu1);
    assert.equal(claim(["gpu", "auto"], 2), auto);
    assert.equal(claim(["gpu", "auto"], 2), undefined);
    assert.equal(store.autoWaits(), false);
    store.cancel(gpu1); // it computes until it is over
    assert.equal(claim(["gpu", "auto"], 2), undefined);
    store.finish(gpu1, { state: "cancelled", step: 0, reason: null }, null);
    assert.equal(claim(["gpu", "auto"], 2), gpu2);
    // an interrupted run goes before those that came after it
    store.interrupt(run.id, "a test", true);
    assert.deepEqual(store.waiting().map(({ id }) => id), [run.id, cpu2]);
    assert.equal(claim(["cpu"], 1), run.id);
    // what was asked for stays asked for when the process ends at that moment
    store.cancel(run.id);
    assert.equal(store.interrupt(run.id, "a test", true).state, "cancelling");
    store.close();
    assert.deepEqual(
      (["auto", "webgpu", "wasm", "reference"] as const).map((device) => [
        slotOf(device, false, null),
        slotOf(device, true, null),
        slotOf(device, false, 4),
      ]),
      [["auto", "cpu", "cpu"], ["gpu", "gpu", "gpu"], ["cpu", "cpu", "cpu"], ["cpu", "cpu", "cpu"]],
    );
  }));

Deno.test("a run can be cancelled in every state but the last, without force", () => {
  const graceMs = 120_000;
  const began = performance.now();
  return withJobs(async (jobs) => {
    const { dataset, run: waiting } = await queue(jobs, ENDLESS);
    const cancelled = await jobs.runs.cancel(waiting.id);
    assert.deepEqual([cancelled.state, cancelled.model], ["cancelled", null]);
    assert.deepEqual(await jobs.runs.cancel(waiting.id), cancelled);
    assert.deepEqual(states(await events(jobs, waiting.id)), ["queued", "cancelled"]);

    await jobs.start();
    const ask = (hyperparameters: HyperparametersInput) =>
      jobs.runs.create({ dataset: dataset.id, hyperparameters, device: "wasm", report: false });
    const running = await ask(ENDLESS);
    await checkpointFrom(jobs, running.id, 100);
    assert.equal((await jobs.runs.cancel(running.id)).state, "cancelling");
    const again = (await jobs.runs.cancel(running.id)).state;
    assert.ok(again === "cancelling" || again === "cancelled");
    const ended = await reaches(jobs, running.id);
    assert.deepEqual([ended.state, ended.failure], ["cancelled", null]);
    assert.ok(ended.step >= 100 && ended.step < ENDLESS.steps);
    const { step } = await jobs.models.get(ended.model!);
    assert.ok(step > 0 && step <= ended.step);
    assert.equal(ended.checkpoint, ended.step);

    const early = await ask(ENDLESS);
    await reaches(jobs, early.id, ["running"]);
    await jobs.runs.cancel(early.id);
    const { state, step: made, model } = await reaches(jobs, early.id);
    assert.equal(state, "cancelled");
    assert.equal(model === null, made === 0); // nothing trained, no model

    const short = await ask(SMALL);
    const completed = await reaches(jobs, short.id);
    await assert.rejects(jobs.runs.cancel(short.id), (error) => {
      assert.ok(error instanceof ConflictError);
      assert.match(error.message, /expected a run that is not over, found it completed/);
      return true;
    });
    assert.deepEqual(await jobs.runs.get(short.id), completed);
    assert.ok(performance.now() - began < graceMs, "a process did not hear that it is to stop");
  }, { graceMs });
});

Deno.test("a run that is interrupted can be cancelled, also before anything starts, and keeps its model", () =>
  inFolder(async (folder) => {
    const first = await openJobs(folder, { threads: 1 });
    const { run } = await queue(first, ENDLESS);
    await first.start();
    await checkpointFrom(first, run.id, 100);
    await first.close();

    const second = await openJobs(folder, { threads: 1 });
    const { state, checkpoint, stepsPerSecond } = await second.runs.get(run.id);
    assert.deepEqual([state, stepsPerSecond], ["interrupted", null]);
    assert.ok(checkpoint! >= 100);
    await Promise.all([second.runs.cancel(run.id), second.runs.cancel(run.id)]);
    const ended = await reaches(second, run.id);
    assert.equal(ended.state, "cancelled");
    await second.drain();
    assert.equal((await second.counts()).models, 1);
    const told = states(await events(second, run.id));
    assert.deepEqual(told, ["queued", "running", "interrupted", "cancelling", "cancelled"]);
    assert.ok((await second.models.get(ended.model!)).step > 0);
    await second.close();
  }));

/** A script in place of Deno. */
async function script(folder: string, lines: string): Promise<string> {
  const path = join(folder, "deno.sh");
  await Deno.writeTextFile(path, `#!/bin/sh\n${lines}\n`, { mode: 0o755 });
  return path;
}

Deno.test({
  name: "a process that does not listen is ended by force, and its run is cancelled all the same",
  ignore: Deno.build.os === "windows",
  fn: () =>
    inFolder(async (folder) => {
      // ignores SIGTERM, reads nothing, says nothing
      const executable = await script(folder, "trap '' TERM\nexec sleep 1000");
      await withJobs(async (jobs) => {
        const { run } = await queue(jobs);
        await jobs.start();
        await reaches(jobs, run.id, ["running"]);
        const began = performance.now();
        await jobs.runs.cancel(run.id);
        const { state, model } = await reaches(jobs, run.id);
        assert.deepEqual([state, model], ["cancelled", null]);
        // not before twice the time of grace
        assert.ok(performance.now() - began >= 200);
        assert.deepEqual(jobs.running, []);
      }, { executable, graceMs: 100 });
    }),
});

Deno.test({
  name: "a run whose process is lost again and again has failed, with what the process said",
  ignore: Deno.build.os === "windows",
  fn: () =>
    inFolder(async (folder) => {
      const executable = await script(folder, "echo 'no memory' >&2\nexit 7");
      await withJobs(async (jobs) => {
        const { run } = await queue(jobs);
        await jobs.start();
        const { state, failure } = await reaches(jobs, run.id);
        assert.equal(state, "failed");
        assert.match(failure!, /lost 3 times in a row .*ended with code 7: no memory/);
        assert.equal(states(await events(jobs, run.id)).filter((s) => s === "running").length, 3);
        await jobs.datasets.delete(run.dataset);
      }, { executable, maxCrashes: 2 });
      await withJobs(async (jobs) => {
        const { run } = await queue(jobs);
        await jobs.start();
        const { state, failure } = await reaches(jobs, run.id);
        assert.equal(state, "failed");
        assert.match(failure!, /Its process could not be started/);
      }, { executable: join(folder, "absent") });
    }),
});

Deno.test("a run that fails says why, and can go on with a smaller step", () =>
  withJobs(async (jobs) => {
    // the log-rates overflow at once
    const wild = { ...SMALL, stepSize: 10, maxGradNorm: 1e9, l2: 10, steps: 400, guardRetries: 0 };
    const { run } = await queue(jobs, wild);
    await jobs.start();
    const { state, failure, model } = await reaches(jobs, run.id);
    assert.deepEqual([state, model], ["failed", null]);
    assert.match(failure!, /is not finite/);

    const smaller = { hyperparameters: { stepSize: 0.01 }, resumeFrom: run.id };
    await assert.rejects(
      jobs.runs.create({ ...smaller, hyperparameters: { stepSize: 0.01, l2: 0 } }),
      /expected l2 10, as it has, found 0/,
    );
    const next = await jobs.runs.create({ ...smaller, report: false });
    const end = await reaches(jobs, next.id);
    assert.deepEqual([end.state, end.failure, end.step], ["completed", null, 400]);
    assert.equal(end.resumeFrom, run.id);
  }));

Deno.test("a run that goes back and stops early tells both, and its record has them", () =>
  withJobs(async (jobs) => {
    await jobs.start();
    const wild = { ...SMALL, stepSize: 10, maxGradNorm: 1e9, l2: 10, steps: 4000 };
    const { run } = await queue(jobs, { ...wild, guardFactor: 1e-3, earlyStop: 2, klMin: 1 });
    const end = await reaches(jobs, run.id);
    assert.equal(end.state, "completed");
    assert.ok(end.step < 4000);
    assert.equal(end.stoppedEarly, "stopped early: 2 evaluations in a row no better");
    assert.ok(end.recoveries.length > 0);
    const all = await events(jobs, run.id);
    const back = all.flatMap((event) => event.kind === "recovered" ? [event] : []);
    assert.deepEqual(back.map(({ kind: _, id: __, at: ___, best: ____, ...one }) => one), [
      ...end.recoveries,
    ]);
    const last = all.at(-1)!;
    assert.ok(last.kind === "state" && last.reason === end.stoppedEarly);
    // evaluations since it went back are told, and rise
    const since = all.slice(all.indexOf(back.at(-1)!)).flatMap((event) =>
      event.kind === "evaluation" ? [event.entry.step] : []
    );
    assert.equal(since[0], back.at(-1)!.to + SMALL.evaluateEvery);
    assert.deepEqual(since, since.toSorted((a, b) => a - b));
  }));

Deno.test("a journal leaves out what its run has told, and hears what became void again", () => {
  const entry = (step: number) => ({
    kind: "evaluation" as const,
    entry: { step, train: NO_LOSSES, evaluation: NO_LOSSES, hidden: null, seconds: 0 },
    best: false,
  });
  const recovered = (to: number) => ({
    kind: "recovered" as const,
    ...{ seed: 0, step: to + 5, term: "nll", slice: null, to, factor: 0.5, best: null },
  });
  const heard = (known: Partial<StoredRun>, told: readonly Happening[]) => {
    const stored: Happening[] = [];
    const journal = new Journal(
      { failedStarts: [], recoveries: [], evaluation: null, ...known } as unknown as StoredRun,
      (batch) => Promise.resolve(void stored.push(...batch)),
    );
    for (const one of told) journal.tell(one);
    return journal.written().then(() =>
      stored.map((one) => one.kind === "evaluation" ? one.entry.step : one.kind)
    );
  };
  const told = [entry(10), entry(20), recovered(10), entry(20), entry(30)];
  return Promise.all([
    heard({}, told).then((all) => assert.deepEqual(all, [10, 20, "recovered", 20, 30])),
    // after a crash the process tells what its checkpoint knows: first that it went back
    heard(
      { evaluation: entry(20).entry, recoveries: [{ ...recovered(10) }] },
      [recovered(10), entry(10), entry(20), entry(30)],
    ).then((all) => assert.deepEqual(all, [30])),
    heard({ evaluation: entry(20).entry }, [recovered(10), entry(10), entry(20)])
      .then((all) => assert.deepEqual(all, ["recovered", 20])),
  ]).then(() => {});
});

Deno.test("a run that goes on from another with more steps ends as if it had been asked for them", () =>
  withJobs(async (jobs) => {
    await jobs.start();
    const { run: short, dataset } = await queue(jobs);
    assert.equal((await reaches(jobs, short.id)).state, "completed");
    const more = { ...SMALL, steps: 70 };
    const long = await jobs.runs.create({
      ...{ resumeFrom: short.id, hyperparameters: { steps: 70 }, report: false },
    });
    assert.deepEqual(long.hyperparameters, parseHyperparameters(more));
    assert.deepEqual([long.dataset, long.seed, long.reproducible], [dataset.id, 0, true]);
    const { state, model } = await reaches(jobs, long.id);
    assert.equal(state, "completed");
    assert.deepEqual(await jobs.models.bytes(model!), await fitted(more));
    // the history is whole
    const steps = (await events(jobs, long.id)).flatMap((event) =>
      event.kind === "evaluation" ? [event.entry.step] : []
    );
    assert.deepEqual(steps, [10, 20, 30, 40, 50, 60, 70]);
    // the first run is as it was
    assert.equal((await jobs.models.get((await jobs.runs.get(short.id)).model!)).step <= 40, true);

    const other = await jobs.datasets.simulate({ ...TINY_DATA, seed: 1 });
    const refused: [object, RegExp][] = [
      [{ hyperparameters: { steps: 30 } }, /expected at least 40 steps, found 30/],
      [{ hyperparameters: { factors: 3 } }, /expected factors 2, as it has, found 3/],
      [{ hyperparameters: { stepSize: 1 } }, /expected stepSize 0.01/],
      [{ seed: 1 }, /expected seed 0, as it has, found 1/],
      [{ device: "reference" }, /expected device auto, as it has, found reference/],
      [{ starts: 2 }, /expected starts 1/],
      [{ dataset: other.id }, /expected the counts that it was fitted to/],
    ];
    for (const [request, words] of refused) {
      await assert.rejects(jobs.runs.create({ resumeFrom: short.id, ...request }), (error) => {
        assert.ok(error instanceof ConflictError, String(error));
        assert.match(error.message, words);
        return true;
      });
    }
    const { run: endless } = await queue(jobs, ENDLESS);
    await assert.rejects(
      jobs.runs.create({ resumeFrom: endless.id }),
      /expected a run that is over, found it (queued|running)/,
    );
    await jobs.runs.cancel(endless.id);
  }));

Deno.test("a follower sleeps until there is news since it looked, and is forgotten when it leaves", async () => {
  const hub = new Hub();
  const [one, other] = [hub.follow("a"), hub.follow("b")];
  const awake = (follower: Follower) =>
    Promise.race([follower.news().then(() => true), sleep(0).then(() => false)]);
  assert.equal(await awake(one), false);
  hub.tell("a");
  assert.deepEqual([await awake(one), await awake(other)], [true, false]);
  one.look();
  assert.equal(await awake(one), false);
  const waiting = one.news();
  hub.tell("a");
  await waiting;
  one.look();
  one.leave();
  hub.tell("a");
  assert.equal(await awake(one), false);
  hub.close();
  assert.equal(await awake(other), true);
});

Deno.test("one who follows a run sees every event once, from wherever it begins", () =>
  withJobs(async (jobs) => {
    await jobs.start();
    const { run } = await queue(jobs, {
      ...SMALL,
      steps: 600,
      evaluateEvery: 5,
      checkpointEvery: 5,
    });
    const all: RunEvent[] = [], late: RunEvent[] = [], slow: RunEvent[] = [];
    const follow = async (into: RunEvent[], after: number, each?: () => Promise<void>) => {
      for await (const event of await jobs.runs.subscribe(run.id, after)) {
        into.push(event);
        await each?.();
      }
    };
    const first = follow(all, 0);
    // takes nothing after its first event until the run is over, and so holds nobody up
    const dawdler = follow(slow, 0, () => first);
    while (all.length < 20) await sleep(5);
    const from = all[9].id;
    await Promise.all([follow(late, from), first]);
    assert.equal((await jobs.runs.get(run.id)).state, "completed");
    await dawdler;
    assert.ok(all.length > 200, "more than is read at once");
    assert.deepEqual(all.map(({ id }) => id), [...all.keys()].map((i) => i + 1));
    assert.deepEqual(late, all.slice(from));
    assert.deepEqual(slow, all);
    assert.deepEqual(await events(jobs, run.id), all);
    assert.deepEqual(await events(jobs, run.id, all.length - 2), all.slice(-2));
    assert.deepEqual(await events(jobs, run.id, all.length + 5), []);
    for (const after of [-1, 0.5, NaN]) {
      await assert.rejects(jobs.runs.subscribe(run.id, after), InputError);
    }
    await jobs.runs.delete(run.id);
    await assert.rejects(jobs.runs.subscribe(run.id), NotFoundError);
  }));

Deno.test("following ends when its signal aborts, when the run is deleted, and when the server stops", () =>
  withJobs(async (jobs) => {
    const { run } = await queue(jobs);
    const controller = new AbortController();
    const follow = async (seen: number[], id: string, signal?: AbortSignal) => {
      for await (const event of await jobs.runs.subscribe(id, 0, signal)) seen.push(event.id);
    };
    const over = await queue(jobs);
    await jobs.runs.cancel(over.run.id);
    const seen: [number[], number[], number[]] = [[], [], []];
    const one = follow(seen[0], run.id, controller.signal);
    const other = follow(seen[1], run.id);
    while (seen[0].length + seen[1].length < 2) await sleep(5);
    controller.abort();
    await one;
    await follow(seen[2], run.id, AbortSignal.abort());
    await follow(seen[2], over.run.id);
    assert.deepEqual(seen, [[1], [1], [1, 2]]);
    // deleted while one reads
    const reading = await jobs.runs.subscribe(over.run.id);
    await jobs.runs.delete(over.run.id);
    assert.equal((await reading.next()).done, true);
    await jobs.close();
    await other;
    assert.deepEqual(seen[1], [1]);
  }));

Deno.test("a server that stops leaves its runs interrupted, and the next one ends them as they would have", () =>
  inFolder(async (folder) => {
    const long = { ...SMALL, steps: 3000, evaluateEvery: 500, checkpointEvery: 1000 };
    const first = await openJobs(folder, { threads: 1 });
    const { dataset, run } = await queue(first, long);
    const request = { dataset: dataset.id, hyperparameters: SMALL, reproducible: true };
    const second = await first.runs.create({ ...request, report: false });
    await first.start();
    for await (const event of await first.runs.subscribe(run.id)) if (event.kind === "step") break;
    await first.drain();
    assert.deepEqual(first.running, []);
    const stopped = await first.runs.get(run.id);
    assert.equal(stopped.state, "interrupted");
    assert.ok(stopped.checkpoint! > 0 && stopped.checkpoint! < 3000, `${stopped.checkpoint}`);
    assert.equal((await readRunRecord(join(folder, "runs", run.id))).status, "stopped");
    assert.equal((await first.runs.get(second.id)).state, "queued");
    // what does not run is still served
    assert.ok((await first.datasets.bytes(dataset.id)).length > 0);
    await first.close();

    const next = await openJobs(folder, { threads: 1 });
    await next.start();
    const ended = await reaches(next, run.id);
    assert.equal(ended.state, "completed");
    assert.deepEqual(await next.models.bytes(ended.model!), await fitted(long));
    const told = states(await events(next, run.id));
    assert.deepEqual(told, ["queued", "running", "interrupted", "running", "completed"]);
    assert.equal((await reaches(next, second.id)).state, "completed");
    await next.close();
  }));

Deno.test("a process whose server is killed ends by itself, with a checkpoint", () =>
  inFolder(async (folder) => {
    const server = new Server(folder);
    await server.ready;
    const { id: dataset } = await server.ask<{ id: string }>({
      do: "simulate",
      request: TINY_DATA,
    });
    const request = { dataset, hyperparameters: { ...ENDLESS, checkpointEvery: 1_000_000 } };
    const { id } = await server.ask<StoredRun>({ do: "create", request });
    const path = join(folder, "runs", id);
    while (!await isFile(join(path, "checkpoint.safetensors"))) await sleep(10);
    await sleep(100);
    server.kill("SIGKILL");
    await server.ended();
    let lock: Deno.FsFile | null = null;
    while (!lock) {
      await sleep(10);
      lock = await tryLock(join(path, "process.lock"));
    }
    lock.close();
    const { status, steps } = await readRunRecord(path);
    assert.equal(status, "stopped");
    assert.ok(steps > 0);
  }));

Deno.test("a run that was being cancelled when its server was killed is cancelled by the next one", () =>
  inFolder(async (folder) => {
    const server = new Server(folder);
    await server.ready;
    const { id: dataset } = await server.ask<{ id: string }>({
      do: "simulate",
      request: TINY_DATA,
    });
    const request = { dataset, hyperparameters: ENDLESS };
    const { id } = await server.ask<StoredRun>({ do: "create", request });
    const { id: behind } = await server.ask<StoredRun>({ do: "create", request });
    while (!await isFile(join(folder, "runs", id, "model.safetensors"))) await sleep(10);
    assert.equal((await server.ask<StoredRun>({ do: "cancel", run: id })).state, "cancelling");
    server.kill("SIGKILL");
    await server.ended();

    const jobs = await openJobs(folder, { threads: 1 });
    await jobs.start();
    const { state, model } = await reaches(jobs, id);
    assert.equal(state, "cancelled");
    assert.ok((await jobs.models.get(model!)).step > 0);
    await checkpointFrom(jobs, behind, 0); // its turn has come
    await jobs.close();
  }));

Deno.test("a run waits for the process that still works in its folder", () =>
  withJobs(async (jobs, folder) => {
    const { run } = await queue(jobs);
    const path = join(folder, "runs", run.id);
    await Deno.mkdir(path);
    const lock = await tryLock(join(path, "process.lock"));
    await jobs.start();
    for await (const event of await jobs.runs.subscribe(run.id)) {
      if (event.kind === "waiting") break;
    }
    await sleep(100);
    const { state, deviceInfo } = await jobs.runs.get(run.id);
    assert.deepEqual([state, deviceInfo], ["running", null]);
    assert.deepEqual((await Array.fromAsync(Deno.readDir(path))).map(({ name }) => name), [
      "process.lock",
    ]);
    lock!.close();
    assert.equal((await reaches(jobs, run.id)).state, "completed");
  }));

Deno.test("a run that is over can be deleted, and its model stays", () =>
  withJobs(async (jobs, folder) => {
    const { run } = await queue(jobs);
    await assert.rejects(jobs.runs.delete(run.id), ConflictError);
    await jobs.start();
    const { model } = await reaches(jobs, run.id);
    await jobs.runs.delete(run.id);
    await assert.rejects(jobs.runs.get(run.id), NotFoundError);
    assert.deepEqual(await Array.fromAsync(Deno.readDir(join(folder, "runs"))), []);
    assert.deepEqual(await jobs.models.bytes(model!), await fitted(SMALL));
  }));
