/**
 * The data directory.
 *
 * | file | holds |
 * | --- | --- |
 * | `latentd.sqlite` | records of datasets, runs and models; events |
 * | `server.lock` | locked by the server that has the directory |
 * | `datasets/<id>.npz` | a dataset |
 * | `runs/<id>/` | a run's folder, see `RunDirectory`; `process.lock` is locked by its process |
 * | `models/<id>.safetensors`, `models/<id>.html` | a model and its report |
 */
import { join } from "node:path";
import { type IdKind, parseId } from "./ids.ts";

const FOLDERS = { dataset: "datasets", run: "runs", model: "models" } as const;

export class DataFolder {
  constructor(readonly path: string) {}

  get database(): string {
    return join(this.path, "latentd.sqlite");
  }

  get lock(): string {
    return join(this.path, "server.lock");
  }

  folder(kind: IdKind): string {
    return join(this.path, FOLDERS[kind]);
  }

  dataset(id: string): string {
    return join(this.folder("dataset"), `${parseId("dataset", id)}.npz`);
  }

  run(id: string): string {
    return join(this.folder("run"), parseId("run", id));
  }

  model(id: string): string {
    return join(this.folder("model"), `${parseId("model", id)}.safetensors`);
  }

  report(id: string): string {
    return join(this.folder("model"), `${parseId("model", id)}.html`);
  }
}

/** In a run's folder. */
export const PROCESS_LOCK = "process.lock";
