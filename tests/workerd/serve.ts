/**
 * Runs a built edge app in workerd until its stdin ends; prints where it listens.
 *
 * A process with a configuration of its own: workerd takes a hundred megabytes, which nobody but this
 * test should have to load.
 *
 *     deno run --allow-all --config tests/workerd/deno.json tests/workerd/serve.ts FOLDER BINDINGS
 */
import { Miniflare } from "miniflare";

const [folder, bindings] = Deno.args;
const read = (name: string) => Deno.readFileSync(`${folder}/${name}`);
const source = (path: string) => ({
  type: "ESModule" as const,
  path,
  contents: new TextDecoder().decode(read(path)),
});
const names = [...Deno.readDirSync(folder)].map(({ name }) => name);

const miniflare = new Miniflare({
  modules: [
    source("worker.js"),
    source("edge.js"),
    { type: "CompiledWasm", path: "latentd.infer.wasm", contents: read("latentd.infer.wasm") },
    ...names.filter((name) => name === "model.safetensors").map((path) => ({
      type: "Data" as const,
      path,
      contents: read(path),
    })),
  ],
  compatibilityDate: "2026-07-01",
  bindings: JSON.parse(bindings),
});
console.log(String(await miniflare.ready));
await Deno.stdin.readable.pipeTo(new WritableStream());
await miniflare.dispose();
