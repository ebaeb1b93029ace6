/**
 * Builds the WebAssembly kernels into wasm/build/, only when a source has changed:
 *
 * - `latentd.wasm` uses relaxed multiply-add: fast, and rounds as the machine likes.
 * - `latentd.strict.wasm` multiplies, then adds: the same bits on every machine.
 * - `latentd.infer.wasm` is the strict one's inference alone, on one thread and memory that is not
 *   shared: for where there are no threads, and little room.
 */
import asc from "assemblyscript/asc";

const here = new URL(".", import.meta.url);
const out = new URL("build/", here);

const common = [
  // -O3 reorders the inner loops of gemm.ts so that V8 runs out of registers: a third slower
  "-O2",
  "--noAssert",
  "--runtime=stub",
  "--importMemory",
  "--initialMemory=1",
  // the words of control.ts stand below
  "--memoryBase=1024",
  "--enable=simd",
  "--enable=threads",
];

// TRAINING: whether the sources have what only training needs
const shared = [...common, "--sharedMemory", "--maximumMemory=65536", "--use=TRAINING=1"];
const alone = [...common, "--shrinkLevel=1", "--use=TRAINING=0"];

const targets = [
  { file: "latentd.wasm", entry: "index.ts", options: [...shared, "--enable=relaxed-simd"] },
  { file: "latentd.strict.wasm", entry: "index.ts", options: shared },
  { file: "latentd.infer.wasm", entry: "infer.ts", options: alone },
];

/** The kernels' sources by file name. */
async function readSources(): Promise<Map<string, string>> {
  const names = [];
  for await (const entry of Deno.readDir(here)) {
    if (entry.isFile && entry.name.endsWith(".ts")) names.push(entry.name);
  }
  const sources = new Map<string, string>();
  for (const name of names.sort()) sources.set(name, await Deno.readTextFile(new URL(name, here)));
  return sources;
}

/** A fingerprint of the sources (this file among them, so options count) and of the compiler. */
async function fingerprint(sources: Map<string, string>): Promise<string> {
  const text = JSON.stringify([asc.version, ...sources]);
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function compile(
  sources: Map<string, string>,
  entry: string,
  options: string[],
): Promise<Uint8Array> {
  const complaints: string[] = [];
  let binary: Uint8Array | undefined;
  const { error } = await asc.main([entry, "--outFile=out.wasm", ...options], {
    readFile: (name: string) => sources.get(name) ?? null,
    writeFile: (name: string, contents: Uint8Array | string) => {
      if (name === "out.wasm" && typeof contents !== "string") binary = contents;
    },
    listFiles: () => [],
    stderr: { write: (text: string | Uint8Array) => void complaints.push(String(text)) },
  });
  if (error || !binary) {
    throw new Error(
      `Cannot build the wasm kernels: ${error?.message ?? "no output"}\n${complaints.join("")}`,
    );
  }
  return binary;
}

const sources = await readSources();
const hash = await fingerprint(sources);
const hashFile = new URL("sources.sha256", out);
const built = await Deno.readTextFile(hashFile).catch((error) => {
  if (error instanceof Deno.errors.NotFound) return "";
  throw error;
});
if (built !== hash) {
  await Deno.mkdir(out, { recursive: true });
  for (const { file, entry, options } of targets) {
    const binary = await compile(sources, entry, options);
    // a reader never meets half a file
    const unfinished = new URL(`${file}.new`, out);
    await Deno.writeFile(unfinished, binary);
    await Deno.rename(unfinished, new URL(file, out));
    console.log(`wasm/build/${file}: ${(binary.length / 1024).toFixed(1)} KiB`);
  }
  await Deno.writeTextFile(hashFile, hash);
}
