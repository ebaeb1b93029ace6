/** `deno task mutants` can be believed: a smoke run of what takes long in full. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { KERNELS } from "../src/compute/kernels.ts";
import { SHADERS } from "../src/compute/webgpu/kernels/index.ts";
import { ALL } from "./mutants/all.ts";
import type { Mutation } from "./mutants/mutation.ts";
import { ROOT, Workshop } from "./mutants/workshop.ts";

Deno.test("every kernel of every executor has three mistakes and more, whose texts stand in their files", async () => {
  const kernels = Object.keys(KERNELS);
  const wanted = {
    reference: kernels,
    wasm: kernels,
    webgpu: Object.keys(SHADERS),
  };
  for (const [executor, names] of Object.entries(wanted)) {
    for (const name of names) {
      const own = ALL.filter((one) => one.executor === executor && one.kernel === name);
      assert.ok(own.length >= 3, `${executor} ${name} has ${own.length}`);
    }
  }
  for (const { file, find, replace, executor, kernel, mistake } of ALL) {
    const times = (await Deno.readTextFile(join(ROOT, file))).split(find).length - 1;
    assert.equal(times, 1, `${executor} ${kernel}, ${mistake}: ${file} has ${find}`);
    assert.notEqual(find, replace);
  }
});

Deno.test("a mistake is noticed in its copy of the tree; a harmless change and a lost text are not", async () => {
  const workshop = await Workshop.open();
  try {
    const first = (executor: string, kernel: string) =>
      ALL.find((one) => one.executor === executor && one.kernel === kernel)!;
    for (const mutation of [first("reference", "adam"), first("wasm", "fixed_points")]) {
      const path = join(ROOT, mutation.file), before = await Deno.readTextFile(path);
      const { noticed, by } = await workshop.tryOut(mutation, 100);
      assert.ok(noticed, by);
      assert.equal(await Deno.readTextFile(path), before);
    }
    const tests = ["tests/equations.test.ts"];
    const adam: Mutation = { ...first("reference", "adam"), tests };
    const outcome = async (find: string, replace: string) =>
      await workshop.tryOut({ ...adam, find, replace }, 100);
    const harmless = await outcome(" * Clip by", " * Clips by");
    assert.deepEqual(harmless, { noticed: false, by: "no test of tests/equations.test.ts" });
    assert.match((await outcome("no such text", "")).by, /has 0 times, not once/);
    assert.match((await outcome("for (let p = 0;", "for (let p = 0")).by, /SyntaxError/);
    assert.deepEqual(await workshop.test(tests[0], 100), { kind: "passed" });
  } finally {
    await workshop.close();
  }
});
