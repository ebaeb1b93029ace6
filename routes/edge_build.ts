/**
 * Builds the edge app into a folder: `worker.js` (the entry), `edge.js`, `latentd.infer.wasm` and, where
 * a model is given, `model.safetensors`.
 *
 *     deno run --allow-read --allow-write --allow-run --allow-env routes/edge_build.ts OUT [MODEL] [ID]
 */
import { lightModelFromBytes } from "../src/edge.ts";
import { VERSION } from "../src/version.ts";

/** What may not be exceeded without the model, in bytes. */
export const MOST_BUNDLE_BYTES = 150_000;

export interface EdgeBuildOptions {
  /** the folder to write */
  readonly out: string;
  /** a model's file to embed; without one `MODEL_URL` says where it is */
  readonly model?: string;
  /** the model's name in paths; default "model" */
  readonly id?: string;
}

/**
 * Builds.
 *
 * @returns bytes of each file
 * @throws where the bundler fails, or the result is too large for its purpose
 */
export async function buildEdge(options: EdgeBuildOptions): Promise<Record<string, number>> {
  const { out, model, id = "model" } = options;
  await Deno.mkdir(out, { recursive: true });
  const entry = new URL("edge_worker.ts", import.meta.url).pathname;
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "--quiet", "--minify", "--platform", "browser", "-o", `${out}/edge.js`, entry],
    cwd: new URL("..", import.meta.url),
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(`Cannot bundle the edge app: ${new TextDecoder().decode(stderr)}`);
  const kernels = new URL("../wasm/build/latentd.infer.wasm", import.meta.url);
  await Deno.copyFile(kernels, `${out}/latentd.infer.wasm`);
  if (model !== undefined) {
    const bytes = await Deno.readFile(model);
    lightModelFromBytes(bytes, model); // found out now, not at the edge
    await Deno.writeFile(`${out}/model.safetensors`, bytes);
  }
  await Deno.writeTextFile(
    `${out}/worker.js`,
    [
      `import kernels from "./latentd.infer.wasm";`,
      ...(model === undefined ? [] : [`import model from "./model.safetensors";`]),
      `import { createEdgeWorker } from "./edge.js";`,
      `const given = ${model === undefined ? "null" : "new Uint8Array(model)"};`,
      `export default createEdgeWorker({ kernels, model: given, id: ${JSON.stringify(id)}, ` +
      `version: ${JSON.stringify(VERSION)} });`,
      ``,
    ].join("\n"),
  );
  const sizes: Record<string, number> = {};
  for (const name of ["worker.js", "edge.js", "latentd.infer.wasm"]) {
    sizes[name] = (await Deno.stat(`${out}/${name}`)).size;
  }
  const total = Object.values(sizes).reduce((sum, size) => sum + size, 0);
  if (total > MOST_BUNDLE_BYTES) {
    throw new Error(
      `Cannot build the edge app: expected at most ${MOST_BUNDLE_BYTES} bytes, found ${total}.`,
    );
  }
  return sizes;
}

if (import.meta.main) {
  const [out, model, id] = Deno.args;
  if (out === undefined) {
    console.error("Cannot build the edge app: expected a folder to write, found none.");
    Deno.exit(2);
  }
  for (const [name, size] of Object.entries(await buildEdge({ out, model, id }))) {
    console.log(`${out}/${name}: ${(size / 1000).toFixed(1)} kB`);
  }
}
