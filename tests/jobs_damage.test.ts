/** Full disks, folders that may not be written, and files that are not what was written. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { StorageError } from "../src/jobs/errors.ts";
import { newId } from "../src/jobs/ids.ts";
import { openJobs } from "../src/jobs/jobs.ts";
import type { RunRequest, StoredDataset, StoredRun } from "../src/jobs/records.ts";
import { inFolder, listing } from "./folders.ts";
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

/** Refused for a reason, with words. */
function refused(reason: StorageError["reason"], words: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof StorageError, String(error));
    assert.equal(error.reason, reason);
    assert.match(error.message, words);
    return true;
  };
}

/** A data directory with a dataset, a model's run that waits, and its database open. */
function withDatabase(
  test: (database: DatabaseSync, folder: string, run: StoredRun) => Promise<void>,
): Promise<void> {
  return inFolder(async (folder) => {
    const jobs = await openJobs(folder);
    const { run } = await queue(jobs);
    await jobs.close();
    const database = new DatabaseSync(join(folder, "latentd.sqlite"));
    try {
      await test(database, folder, run);
    } finally {
      database.close();
    }
  });
}

Deno.test("a damaged record is refused by name, and the rest is left as it is", () =>
  withDatabase(async (database, folder, run) => {
    const [{ record }] = database.prepare("SELECT record FROM runs").all();
    const good = JSON.parse(String(record));
    const files = async () =>
      (await listing(folder)).filter((line) => !line.startsWith("latentd.sqlite"));
    const before = await files();
    const damages: [unknown, RegExp][] = [
      [{ ...good, seed: -1 }, new RegExp(`Cannot read the run ${run.id}: .*damaged: seed`)],
      [{ ...good, state: "flying" }, /damaged: state/],
      [{ ...good, extra: 1 }, /damaged: .*Unrecognized key: "extra"/],
      [{ ...good, hyperparameters: { ...good.hyperparameters, factors: 0.5 } }, /hyper.*factors/],
      [{ ...good, id: newId("run") }, /expected a record of that id/],
      [{ state: good.state, dataset: good.dataset }, /damaged: id/],
    ];
    const put = database.prepare("UPDATE runs SET record = ?");
    for (const [damaged, words] of damages) {
      put.run(JSON.stringify(damaged));
      await assert.rejects(openJobs(folder), refused("damaged", words));
      await assert.rejects(openJobs(folder), refused("damaged", /Restore the data directory/));
    }
    assert.deepEqual(await files(), before);
    put.run(String(record));
    const jobs = await openJobs(folder);
    assert.deepEqual(await jobs.runs.get(run.id), run);
    await jobs.close();
  }));

Deno.test("a damaged event is refused by its number", () =>
  withDatabase(async (database, folder, run) => {
    for (const event of ['{"kind":"step"}', "{", "[]", "null", ""]) {
      database.prepare("UPDATE events SET event = ?").run(event);
      const jobs = await openJobs(folder);
      const following = await jobs.runs.subscribe(run.id);
      await assert.rejects(
        following.next(),
        refused("damaged", new RegExp(`event 1 of the run ${run.id}`)),
      );
      await jobs.close();
    }
  }));

Deno.test("a database of another program, of another version or without sense is left alone", () =>
  inFolder(async (folder) => {
    const path = join(folder, "latentd.sqlite");
    const other = new DatabaseSync(path);
    other.exec("CREATE TABLE spikes (t REAL)");
    other.close();
    await assert.rejects(openJobs(folder), refused("version", /found one of another program/));
    await Deno.remove(path);

    await (await openJobs(folder)).close();
    const newer = new DatabaseSync(path);
    newer.exec("PRAGMA user_version = 99");
    newer.close();
    await assert.rejects(
      openJobs(folder),
      refused("version", /expected version 1, .*found version 99\. Use the latentd that wrote it/),
    );
    await Deno.remove(path);

    const garbage = crypto.getRandomValues(new Uint8Array(5000));
    await Deno.writeFile(path, garbage);
    await assert.rejects(openJobs(folder), refused("damaged", /not a database/));
    assert.deepEqual(await Deno.readFile(path), garbage);
  }));

/** Changes one byte in the middle of a file. */
async function flip(path: string): Promise<void> {
  const bytes = await Deno.readFile(path);
  bytes[bytes.length >> 1] ^= 1;
  await Deno.writeFile(path, bytes);
}

Deno.test("a file that is not what was stored is never handed out, nor trained on", () =>
  withJobs(async (jobs, folder) => {
    const { dataset, run } = await queue(jobs);
    await jobs.start();
    const { model } = await reaches(jobs, run.id);
    const files = {
      dataset: join(folder, "datasets", `${dataset.id}.npz`),
      model: join(folder, "models", `${model}.safetensors`),
    };
    await flip(files.dataset);
    await flip(files.model);
    const others = /expected the bytes that were stored .*found others/;
    await assert.rejects(jobs.datasets.bytes(dataset.id), refused("damaged", others));
    await assert.rejects(jobs.models.bytes(model!), refused("damaged", others));
    await assert.rejects(jobs.models.parameters(model!, "npz"), refused("damaged", others));
    const second = await jobs.runs.create({ dataset: dataset.id, hyperparameters: SMALL });
    const { state, failure } = await reaches(jobs, second.id);
    assert.equal(state, "failed");
    assert.match(failure!, others);
    await Deno.remove(files.dataset);
    await assert.rejects(jobs.datasets.bytes(dataset.id), refused("damaged", /found none/));
  }));

Deno.test("a run whose checkpoint is damaged fails with the reason, also where it is to be cancelled", () =>
  inFolder(async (folder) => {
    for (const cancel of [false, true]) {
      const first = await openJobs(folder, { threads: 1 });
      const { run } = await queue(first, ENDLESS);
      await first.start();
      await checkpointFrom(first, run.id, 100);
      await first.close();
      await Deno.truncate(join(folder, "runs", run.id, "checkpoint.safetensors"), 1000);
      const next = await openJobs(folder, { threads: 1 });
      if (cancel) await next.runs.cancel(run.id);
      else await next.start();
      const { state, failure } = await reaches(next, run.id);
      assert.equal(state, "failed");
      assert.match(failure!, /checkpoint\.safetensors/);
      await next.close();
    }
  }));

Deno.test({
  name: "a full disk refuses what has no room, keeps what is there, and serves on",
  ignore: Deno.build.os !== "linux",
  fn: () =>
    inFolder(async (folder) => {
      // no file may grow beyond 256 blocks of 512 bytes; without the signal, writing fails
      const server = new Server(folder, { shell: "trap '' XFSZ; ulimit -f 256" });
      await server.ready;
      const small = await server.ask<StoredDataset>({ do: "simulate", request: TINY_DATA });
      const large = { kind: "rotation", trials: 200, T: 50, N: 100 } as const;
      await assert.rejects(server.ask({ do: "simulate", request: large }), (error: Error) => {
        assert.equal(error.name, "StorageError");
        assert.match(error.message, /Cannot store the dataset: expected room .*found it full/);
        return true;
      });
      // its checkpoints do not fit: it fails, and says so
      const hyperparameters = { ...SMALL, encoderUnits: 64 };
      const request: RunRequest = { dataset: small.id, device: "reference", hyperparameters };
      const run = await server.ask<StoredRun>({ do: "create", request });
      let failure: string | null = null;
      for (let tries = 0; failure === null && tries < 200; tries++) {
        const { runs } = await server.ask<{ runs: StoredRun[] }>({ do: "check" });
        ({ failure } = runs.find(({ id }) => id === run.id)!);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      assert.match(failure ?? "", /Cannot save the run: expected room on the disk, found it full/);
      const again = await server.ask<StoredDataset>({ do: "simulate", request: TINY_DATA });
      assert.equal(again.sha256, small.sha256);
      server.kill("SIGTERM");
      await server.ended();
      const files = (await listing(join(folder, "datasets"))).map((line) => line.split(" ")[0]);
      assert.deepEqual(files, [`${small.id}.npz`, `${again.id}.npz`].sort());
      assert.deepEqual((await listing(folder)).filter((line) => line.includes(".tmp")), []);
    }),
});

Deno.test({
  name: "a database that cannot grow loses nothing that was acknowledged, and refuses the rest",
  ignore: Deno.build.os !== "linux",
  fn: () =>
    inFolder(async (folder) => {
      const server = new Server(folder, { shell: "trap '' XFSZ; ulimit -f 256" });
      await server.ready;
      const kept: string[] = [];
      let refused: Error | null = null;
      for (let i = 0; refused === null && i < 200; i++) {
        await server.ask<StoredDataset>({ do: "simulate", request: TINY_DATA }).then(
          ({ id }) => kept.unshift(id),
          (error) => refused = error,
        );
      }
      assert.equal((refused as Error | null)?.name, "StorageError");
      assert.match(String(refused), /Cannot store the dataset: .*disk/);
      const { datasets } = await server.ask<{ datasets: object }>({ do: "check" });
      assert.deepEqual(Object.keys(datasets), kept);
      server.kill("SIGTERM");
      await server.ended();

      const jobs = await openJobs(folder);
      const { items } = await jobs.datasets.list({ limit: 1000 });
      assert.deepEqual(items.map(({ id }) => id), kept);
      for (const id of kept) await jobs.datasets.bytes(id);
      assert.equal((await listing(join(folder, "datasets"))).length, kept.length);
      await jobs.datasets.simulate(TINY_DATA);
      await jobs.close();
    }),
});

Deno.test({
  name: "a folder that may not be written is refused with a reason",
  ignore: Deno.build.os === "windows",
  fn: () =>
    inFolder(async (folder) => {
      const file = join(folder, "file");
      await Deno.writeTextFile(file, "");
      await assert.rejects(openJobs(file), /Cannot make the folder .*found a file/);
      await assert.rejects(openJobs(join(folder, "a,b")), /expected a path without commas/);
      const deno = new Deno.Command(Deno.execPath(), {
        args: [
          ...["eval", "--no-check", "--ext=ts"],
          `import { openJobs } from ${JSON.stringify(import.meta.resolve("../src/jobs/jobs.ts"))};
          Deno.permissions.revokeSync({ name: "write" });
          try { await openJobs(${JSON.stringify(join(folder, "data"))}); }
          catch (error) { console.log(error.name + ": " + error.message); Deno.exit(3); }`,
        ],
      });
      const { code, stdout } = await deno.output();
      assert.equal(code, 3);
      assert.match(
        new TextDecoder().decode(stdout),
        /InputError: Cannot make the folder .* may not/,
      );
    }),
});
