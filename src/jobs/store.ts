/**
 * The database: records and events, in transactions that are on the disk when a call returns. Calls
 * block, so that a thread of its own has it (`store_thread.ts`).
 */
import { DatabaseSync, type SQLOutputValue } from "node:sqlite";
import type { z } from "zod";
import { VERSION } from "../version.ts";
import { advance } from "./advance.ts";
import { ConflictError, LimitError, NotFoundError, StorageError, storageError } from "./errors.ts";
import type { Slot } from "./hardware.ts";
import type { IdKind } from "./ids.ts";
import {
  FINAL_STATES,
  type Happening,
  RUN_STATES,
  type RunEvent,
  runEventSchema,
  type StoredDataset,
  storedDatasetSchema,
  type StoredModel,
  storedModelSchema,
  type StoredRun,
  storedRunSchema,
  type StoredRunState,
} from "./records.ts";

const SCHEMA_VERSION = 1;
/** "ltnd": no other program's database is taken for ours. */
const APPLICATION = 0x6c746e64;

const SCHEMA = `
  CREATE TABLE datasets (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    record TEXT NOT NULL
  ) STRICT;
  CREATE TABLE runs (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    slot TEXT NOT NULL,
    record TEXT NOT NULL,
    state TEXT NOT NULL AS (record ->> 'state') VIRTUAL,
    dataset TEXT NOT NULL AS (record ->> 'dataset') VIRTUAL
  ) STRICT;
  CREATE INDEX runs_by_state ON runs (state, slot, seq);
  CREATE TABLE models (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    record TEXT NOT NULL
  ) STRICT;
  CREATE TABLE events (
    run TEXT NOT NULL,
    id INTEGER NOT NULL,
    event TEXT NOT NULL,
    PRIMARY KEY (run, id)
  ) STRICT, WITHOUT ROWID;
`;

const TABLES = { dataset: "datasets", run: "runs", model: "models" } as const;
const SCHEMAS = {
  dataset: storedDatasetSchema,
  run: storedRunSchema,
  model: storedModelSchema,
} as const;

interface Stored {
  readonly dataset: StoredDataset;
  readonly run: StoredRun;
  readonly model: StoredModel;
}

/** A part of a list, newest first. */
export interface Page<T> {
  readonly items: readonly T[];
  /** what `before` is for the next part; null at the end */
  readonly next: string | null;
}

/** Which part of a list. */
export interface PageOptions {
  /** only what is older than this id */
  readonly before?: string;
  /** 1 … 10 000; default 100 */
  readonly limit?: number;
}

type Row = Record<string, SQLOutputValue>;

const WAITING = ["queued", "interrupted"] as const;
const BUSY = ["running", "cancelling"] as const;
const list = (states: readonly string[]) => states.map((state) => `'${state}'`).join(", ");

export class Store {
  #open: DatabaseSync | null = null;

  get #db(): DatabaseSync {
    if (!this.#open) throw new Error("The database is not open.");
    return this.#open;
  }

  /**
   * Opens the database, which is made where it is missing, and reads every record once.
   *
   * @throws {StorageError} where it cannot be used
   */
  open(path: string): void {
    const action = `Cannot open the database ${JSON.stringify(path)}`;
    try {
      this.#open = new DatabaseSync(path);
      this.#db.exec(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 1000",
      );
      prepareSchema(this.#db, action);
      for (const kind of ["dataset", "run", "model"] as const) {
        for (const row of this.#rows(`SELECT id, record FROM ${TABLES[kind]}`)) parse(kind, row);
      }
    } catch (error) {
      this.close();
      throw storageError(action, error);
    }
  }

  close(): void {
    this.#open?.close();
    this.#open = null;
  }

  insertDataset(dataset: StoredDataset, most: number): void {
    this.#transaction("Cannot store the dataset", () => {
      this.requireRoomForDataset(most);
      this.#insert("dataset", dataset);
    });
  }

  /** @throws {LimitError} where there are `most` datasets */
  requireRoomForDataset(most: number): void {
    const { n } = this.#one("SELECT count(*) AS n FROM datasets");
    if (Number(n) < most) return;
    throw new LimitError(
      `Cannot store the dataset: expected fewer than ${most} datasets, as this server allows, found ` +
        `${n}. Delete one that is not needed.`,
      "datasets",
    );
  }

  insertModel(model: StoredModel, most: number): void {
    this.#transaction("Cannot store the model", () => {
      const { n } = this.#one("SELECT count(*) AS n FROM models");
      if (Number(n) >= most) {
        throw new LimitError(
          `Cannot store the model: expected fewer than ${most} models, as this server allows, found ` +
            `${n}. Delete one that is not needed.`,
          "models",
        );
      }
      this.#insert("model", model);
    });
  }

  insertRun(run: StoredRun, slot: Slot, most: number): void {
    this.#transaction("Cannot queue the run", () => {
      this.#get("dataset", run.dataset);
      const { n } = this.#one(
        `SELECT count(*) AS n FROM runs WHERE state IN (${list(WAITING)})`,
      );
      if (Number(n) >= most) {
        throw new LimitError(
          `Cannot queue the run: expected fewer than ${most} runs that wait, as this server allows, ` +
            `found ${n}. Try again later, or cancel one.`,
          "queue",
        );
      }
      check(storedRunSchema, run, `the run ${run.id}`);
      this.#execute(
        "INSERT INTO runs (id, slot, record) VALUES (?, ?, ?)",
        run.id,
        slot,
        json(run),
      );
      this.#append(run, [stateEvent(run, "queued", null)]);
    });
  }

  /** @throws {NotFoundError} */
  dataset(id: string): StoredDataset {
    return this.#get("dataset", id);
  }

  /** @throws {NotFoundError} */
  run(id: string): StoredRun {
    return this.#get("run", id);
  }

  /** @throws {NotFoundError} */
  model(id: string): StoredModel {
    return this.#get("model", id);
  }

  datasets(page: PageOptions): Page<StoredDataset> {
    return this.#list("dataset", page);
  }

  runs(page: PageOptions): Page<StoredRun> {
    return this.#list("run", page);
  }

  models(page: PageOptions): Page<StoredModel> {
    return this.#list("model", page);
  }

  #get<K extends IdKind>(kind: K, id: string): Stored[K] {
    const [row] = this.#rows(`SELECT id, record FROM ${TABLES[kind]} WHERE id = ?`, id);
    if (!row) {
      throw new NotFoundError(
        `Cannot find the ${kind}: expected the id of a ${kind} that is stored here, found ${id}.`,
      );
    }
    return parse(kind, row);
  }

  #list<K extends IdKind>(kind: K, { before, limit = 100 }: PageOptions = {}): Page<Stored[K]> {
    const table = TABLES[kind];
    const rows = before === undefined
      ? this.#rows(`SELECT id, record FROM ${table} ORDER BY seq DESC LIMIT ?`, limit + 1)
      : this.#rows(
        `SELECT id, record FROM ${table} WHERE seq < (SELECT seq FROM ${table} WHERE id = ?)
         ORDER BY seq DESC LIMIT ?`,
        this.#get(kind, before).id,
        limit + 1,
      );
    const items = rows.slice(0, limit).map((row) => parse(kind, row));
    return { items, next: rows.length > limit ? items[limit - 1].id : null };
  }

  /** All ids, so that files without a record can be told. */
  ids(kind: IdKind): string[] {
    return this.#rows(`SELECT id FROM ${TABLES[kind]}`).map(({ id }) => String(id));
  }

  /** Whether a run waits for `auto` to be decided. */
  autoWaits(): boolean {
    const sql = `SELECT 1 FROM runs WHERE state IN (${list(WAITING)}) AND slot = 'auto' LIMIT 1`;
    return this.#rows(sql).length > 0;
  }

  /** Runs that wait, in the order in which they will run. */
  waiting(): StoredRun[] {
    return this.#rows(
      `SELECT id, record FROM runs WHERE state IN (${list(WAITING)}) ORDER BY seq`,
    ).map((row) => parse("run", row));
  }

  counts(): { datasets: number; models: number; runs: Record<StoredRunState, number> } {
    const runs = Object.fromEntries(RUN_STATES.map((state) => [state, 0])) as Record<
      StoredRunState,
      number
    >;
    for (const { state, n } of this.#rows("SELECT state, count(*) AS n FROM runs GROUP BY state")) {
      runs[String(state) as StoredRunState] = Number(n);
    }
    const total = (table: string) => Number(this.#one(`SELECT count(*) AS n FROM ${table}`).n);
    return { datasets: total("datasets"), models: total("models"), runs };
  }

  /** @throws {ConflictError} while a run that is not over uses it */
  deleteDataset(id: string): void {
    this.#transaction("Cannot delete the dataset", () => {
      this.#get("dataset", id);
      const [run] = this.#rows(
        `SELECT id FROM runs WHERE dataset = ? AND state NOT IN (${list(FINAL_STATES)}) LIMIT 1`,
        id,
      );
      if (run) {
        throw new ConflictError(
          `Cannot delete the dataset ${id}: expected no run that uses it, found ${run.id}. Cancel it, ` +
            `or wait for its end.`,
        );
      }
      this.#execute("DELETE FROM datasets WHERE id = ?", id);
    });
  }

  deleteModel(id: string): void {
    this.#transaction("Cannot delete the model", () => {
      this.#get("model", id);
      this.#execute("DELETE FROM models WHERE id = ?", id);
    });
  }

  /** @throws {ConflictError} where the run is not over */
  deleteRun(id: string): void {
    this.#transaction("Cannot delete the run", () => {
      const { state } = this.#get("run", id);
      if (!FINAL_STATES.includes(state)) {
        throw new ConflictError(
          `Cannot delete the run ${id}: expected a run that is over, found it ${state}. Cancel it ` +
            `first.`,
        );
      }
      this.#execute("DELETE FROM events WHERE run = ?", id);
      this.#execute("DELETE FROM runs WHERE id = ?", id);
    });
  }

  /** Lets the next run of some slots begin, where fewer than `most` of theirs run. */
  claim(slots: readonly Slot[], most: number): StoredRun | null {
    return this.#transaction("Cannot start the next run", () => {
      const { n } = this.#one(
        `SELECT count(*) AS n FROM runs WHERE state IN (${list(BUSY)}) AND slot IN (${
          list(slots)
        })`,
      );
      if (Number(n) >= most) return null;
      const [row] = this.#rows(
        `SELECT id, record FROM runs WHERE state IN (${list(WAITING)}) AND slot IN (${list(slots)})
         ORDER BY seq LIMIT 1`,
      );
      if (!row) return null;
      const run = parse("run", row);
      return this.#append(run, [
        stateEvent({ ...run, step: run.checkpoint ?? 0 }, "running", null),
      ]);
    });
  }

  /** Adds events of a run and brings its record up to them. */
  append(id: string, happenings: readonly Happening[]): StoredRun {
    return this.#transaction(
      "Cannot store what happened in a run",
      () => this.#append(this.#get("run", id), happenings),
    );
  }

  /** Asks a run to end. A run that waits and was never started is over at once. */
  cancel(id: string): StoredRun {
    return this.#transaction("Cannot cancel the run", () => {
      const run = this.#get("run", id);
      if (run.state === "cancelling" || run.state === "cancelled") return run;
      if (FINAL_STATES.includes(run.state)) {
        throw new ConflictError(
          `Cannot cancel the run ${id}: expected a run that is not over, found it ${run.state}.`,
        );
      }
      const state = run.state === "queued" ? "cancelled" : "cancelling";
      return this.#append(run, [stateEvent(run, state, "asked for")]);
    });
  }

  /** Ends a run, together with the model that it made. */
  finish(
    id: string,
    end: { state: "completed" | "cancelled" | "failed"; step: number; reason: string | null },
    model: StoredModel | null,
  ): StoredRun {
    return this.#transaction("Cannot store the end of a run", () => {
      const run = this.#get("run", id);
      if (model) {
        this.#execute("INSERT INTO models (id, record) VALUES (?, ?)", model.id, json(model));
      }
      return this.#append(run, [{ kind: "state", ...end, model: model?.id ?? null }]);
    });
  }

  /** A run whose process is gone waits again, unless it is being cancelled. */
  interrupt(id: string, reason: string, crashed: boolean): StoredRun {
    return this.#transaction("Cannot store that a run was interrupted", () => {
      const run = this.#get("run", id);
      if (run.state === "cancelling") return run;
      const crashes = crashed ? run.crashes + 1 : run.crashes;
      return this.#append({ ...run, crashes }, [stateEvent(run, "interrupted", reason)]);
    });
  }

  /** After a server that ended without a word: its runs are interrupted. Returns those to cancel. */
  recover(): StoredRun[] {
    return this.#transaction("Cannot take up the runs", () => {
      for (const row of this.#rows("SELECT id, record FROM runs WHERE state = 'running'")) {
        const run = parse("run", row);
        this.#append({ ...run, crashes: 0 }, [
          stateEvent(run, "interrupted", "the server ended without warning"),
        ]);
      }
      return this.#rows("SELECT id, record FROM runs WHERE state = 'cancelling' ORDER BY seq")
        .map((row) => parse("run", row));
    });
  }

  /** Events of a run after the one with id `after`, in order, and whether there can be more. */
  follow(run: string, after: number, limit: number): { over: boolean; events: RunEvent[] } {
    const over = FINAL_STATES.includes(this.run(run).state);
    const events = this.#rows(
      "SELECT id, event FROM events WHERE run = ? AND id > ? ORDER BY id LIMIT ?",
      run,
      after,
      limit,
    ).map(({ id, event }) =>
      check(runEventSchema, { ...readJson(event), id }, `event ${id} of the run ${run}`)
    );
    return { over, events };
  }

  /** Nothing is stored that could not be read. */
  #insert(kind: "dataset" | "model", record: StoredDataset | StoredModel): void {
    check<unknown>(SCHEMAS[kind], record, `the ${kind} ${record.id}`);
    const sql = `INSERT INTO ${TABLES[kind]} (id, record) VALUES (?, ?)`;
    this.#execute(sql, record.id, json(record));
  }

  #append(run: StoredRun, happenings: readonly Happening[]): StoredRun {
    const { last } = this.#one("SELECT max(id) AS last FROM events WHERE run = ?", run.id);
    const at = new Date().toISOString();
    let id = Number(last ?? 0);
    let after = run;
    for (const happening of happenings) {
      this.#execute(
        "INSERT INTO events (run, id, event) VALUES (?, ?, ?)",
        run.id,
        ++id,
        json({ at, ...happening }),
      );
      after = advance(after, happening, at);
    }
    this.#execute("UPDATE runs SET record = ? WHERE id = ?", json(after), run.id);
    return after;
  }

  #rows(sql: string, ...values: (string | number)[]): Row[] {
    return this.#db.prepare(sql).all(...values);
  }

  #one(sql: string, ...values: (string | number)[]): Row {
    return this.#rows(sql, ...values)[0];
  }

  #execute(sql: string, ...values: (string | number)[]): void {
    this.#db.prepare(sql).run(...values);
  }

  #transaction<T>(action: string, what: () => T): T {
    try {
      this.#db.exec("BEGIN IMMEDIATE");
      try {
        const result = what();
        this.#db.exec("COMMIT");
        return result;
      } catch (error) {
        if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
        throw error;
      }
    } catch (error) {
      throw storageError(action, error);
    }
  }
}

function stateEvent(run: StoredRun, state: StoredRunState, reason: string | null): Happening {
  return { kind: "state", state, step: run.step, reason, model: null };
}

function prepareSchema(db: DatabaseSync, action: string): void {
  const pragma = (name: string) => Number(db.prepare(`PRAGMA ${name}`).get()?.[name]);
  const version = pragma("user_version"), application = pragma("application_id");
  if (version === SCHEMA_VERSION && application === APPLICATION) return;
  const { n } = db.prepare("SELECT count(*) AS n FROM sqlite_schema").get() ?? { n: 0 };
  if (version === 0 && application === 0 && n === 0) {
    db.exec(
      `BEGIN IMMEDIATE; ${SCHEMA} PRAGMA application_id = ${APPLICATION};
       PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT`,
    );
    return;
  }
  throw new StorageError(
    application === APPLICATION
      ? `${action}: expected version ${SCHEMA_VERSION}, as latentd ${VERSION} writes it, found version ` +
        `${version}. Use the latentd that wrote it.`
      : `${action}: expected a database of latentd, found one of another program.`,
    "version",
  );
}

const json = (value: unknown) => JSON.stringify(value);

/** Damaged JSON is left to the schema to refuse. */
function readJson(text: SQLOutputValue): Record<string, unknown> {
  try {
    return Object(JSON.parse(String(text)));
  } catch {
    return {};
  }
}

function check<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.slice(0, 3).map(({ path, message }) =>
    `${path.join(".") || "the record"}: ${message}`
  );
  throw new StorageError(
    `Cannot read ${what}: expected a record of latentd ${VERSION}, found it damaged: ` +
      `${problems.join("; ")}. Restore the data directory from a backup, or delete that row.`,
    "damaged",
  );
}

function parse<K extends IdKind>(kind: K, row: Row): Stored[K] {
  const value = readJson(row.record);
  const what = `the ${kind} ${row.id}`;
  if (value.id !== undefined && value.id !== row.id) {
    throw new StorageError(
      `Cannot read ${what}: expected a record of that id, found it damaged: one of ` +
        `${
          JSON.stringify(value.id)
        }. Restore the data directory from a backup, or delete that row.`,
      "damaged",
    );
  }
  return check(SCHEMAS[kind] as unknown as z.ZodType<Stored[K]>, value, what);
}
