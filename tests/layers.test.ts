/** The arrows between layers only point downwards, and the kernels have the same stems everywhere. */
import assert from "node:assert/strict";
import { KERNELS } from "../src/compute/kernels.ts";

/** From the top; a file may import its own layer and any below. */
const LAYERS = [
  ["bench", "tests"],
  ["src/cli", "routes"],
  ["src/mod.ts", "src/server.ts", "src/server_threads.ts", "src/server_arrays.ts", "src/edge.ts"],
  ["src/serving", "src/jobs"],
  ["src/check", "src/study"],
  ["src/report"],
  ["src/train"],
  ["src/inference", "src/analysis"],
  ["src/data"],
  ["src/model"],
  ["src/compute"],
  ["src/reference", "shaders"],
  ["src/dims.ts", "src/errors.ts", "src/random.ts", "src/version.ts", "deno.json"],
];

const root = new URL("../", import.meta.url);

function layerOf(path: string): number {
  return LAYERS.findIndex((names) =>
    names.some((name) => path === name || path.startsWith(`${name}/`))
  );
}

interface Module {
  specifier: string;
  dependencies?: { code?: { specifier: string }; type?: { specifier: string } }[];
}

async function modules(entry: string): Promise<Module[]> {
  const command = new Deno.Command(Deno.execPath(), { args: ["info", "--json", entry], cwd: root });
  const { stdout, success } = await command.output();
  assert(success, `deno info ${entry} failed`);
  return JSON.parse(new TextDecoder().decode(stdout)).modules;
}

const local = (specifier: string) =>
  specifier.startsWith(root.href) ? decodeURI(specifier.slice(root.href.length)) : null;

Deno.test("imports only point downwards", async () => {
  const upward: string[] = [];
  let seen = 0;
  // threads and processes are not imported: each has a graph of its own
  const apart = ["run_process", "probe_process", "store_thread", "arrays_thread"];
  const entries = [
    "src/cli/main.ts",
    ...apart.map((name) => `src/jobs/${name}.ts`),
    ...["main", "process", "serve", "work/thread"].map((name) => `routes/${name}.ts`),
  ];
  const graphs = await Promise.all(entries.map(modules));
  for (const { specifier, dependencies = [] } of graphs.flat()) {
    const from = local(specifier);
    if (!from) continue;
    assert(layerOf(from) >= 0, `${from} is in no layer`);
    for (const dependency of dependencies) {
      const to = local(dependency.code?.specifier ?? dependency.type?.specifier ?? "npm:");
      if (!to) continue;
      seen++;
      // The kernels' contract (names and argument types) is what the reference kernels implement.
      const contract = from.startsWith("src/reference/") &&
        ["src/compute/kernels.ts", "src/compute/recording.ts"].includes(to);
      if (layerOf(to) < layerOf(from) && !contract) upward.push(`${from} → ${to}`);
    }
  }
  assert(seen > 100, `only ${seen} imports were looked at`);
  assert.deepEqual(upward, []);
});

Deno.test("the command line, the server and the bench use only the public API", async () => {
  const deep: string[] = [];
  const entries = [
    ["src/cli/", "src/cli/main.ts", "src/mod.ts"],
    ["bench/", "bench/main.ts", "src/mod.ts"],
    ["routes/", "routes/main.ts", "src/server.ts"],
    [
      ...["routes/", "routes/process.ts", "src/server_threads.ts"],
      ...["src/server.ts", "src/server_arrays.ts", "src/edge.ts"],
    ],
    ["routes/", "routes/work/thread.ts", "src/server_arrays.ts"],
  ];
  for (const [folder, entry, ...api] of entries) {
    let seen = 0;
    for (const { specifier, dependencies = [] } of await modules(entry)) {
      const from = local(specifier);
      if (!from?.startsWith(folder)) continue;
      seen++;
      for (const dependency of dependencies) {
        const to = local(dependency.code?.specifier ?? dependency.type?.specifier ?? "npm:");
        if (to && !to.startsWith(folder) && !api.includes(to)) deep.push(`${from} → ${to}`);
      }
    }
    assert(seen > 0, `${entry} has no modules in ${folder}`);
  }
  assert.deepEqual(deep, []);
});

Deno.test("Hono is imported by routes alone", async () => {
  for (const entry of ["src/mod.ts", "src/server.ts", "src/cli/main.ts"]) {
    const found = (await modules(entry)).filter(({ specifier }) => specifier.includes("hono"));
    assert.deepEqual(found, [], entry);
  }
});

Deno.test("every kernel has a float64 twin, a wasm twin and a shader", () => {
  const stem = (kernel: string) =>
    kernel.replace(/_backward$/, "").replace(/^posterior_observations$/, "observation");
  const exists = (path: string) => {
    try {
      return Deno.statSync(new URL(path, root)).isFile;
    } catch {
      return false;
    }
  };
  for (const kernel of Object.keys(KERNELS)) {
    for (const folder of ["src/reference", "wasm"]) {
      assert(
        [kernel, stem(kernel)].some((name) => exists(`${folder}/${name}.ts`)),
        `${folder} lacks ${kernel}`,
      );
    }
    assert(exists(`shaders/${kernel}.wgsl`), `shaders lacks ${kernel}`);
  }
});
