/** What the dashboard reads and computes by itself, against the library that does the same. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { unzipSync, zipSync } from "fflate";
import type * as Dashboard from "../routes/dashboard/types.ts";
import { ticks } from "../routes/dashboard/maths/ticks.ts";
import { coordinates, turned } from "../routes/dashboard/maths/coordinates.ts";
import { generatorStep } from "../routes/dashboard/maths/cell.ts";
import { principalComponents } from "../routes/dashboard/maths/pca.ts";
import { columns, happened, newProgress } from "../routes/dashboard/data/progress.ts";
import { readNpy } from "../routes/dashboard/data/npy.ts";
import { readSafetensors } from "../routes/dashboard/data/safetensors.ts";
import { openZip } from "../routes/dashboard/data/zip.ts";
import { follow } from "../routes/dashboard/events.ts";
import { every, number } from "../routes/dashboard/format.ts";
import { splitDefault } from "../routes/dashboard/schema.ts";
import {
  architecture,
  generatorCell,
  initialise,
  type Model,
  npyArray,
  parameterLayout,
  parseHyperparameters,
  type RunEvent,
  step,
  type StoredDataset,
  type StoredModel,
  type StoredRun,
  tensor,
  writeNpz,
  writeSafetensors,
} from "../src/mod.ts";
import { planeOf } from "../src/report/projection.ts";

// the compiler's part: whatever the server may answer is something that the dashboard knows
const known = <Wide>() => <Narrow extends Wide>(_?: Narrow): void => {};
known<Dashboard.Dataset>()<StoredDataset>();
known<Dashboard.Run>()<StoredRun>();
known<Dashboard.Model>()<StoredModel>();
known<Dashboard.RunEvent>()<RunEvent>();
known<RunEvent["kind"]>()<Dashboard.RunEvent["kind"]>();

const small = (list: readonly number[]) => Uint8Array.from(list.map((x) => Math.abs(x) % 255));
const value = fc.double({ min: -1e6, max: 1e6, noNaN: true });

Deno.test("an archive of arrays is read as it was written, packed or not", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(value, { minLength: 1, maxLength: 40 }), { minLength: 1, maxLength: 4 }),
      fc.boolean(),
      async (lists, packed) => {
        const bytes = await writeNpz(Object.fromEntries(lists.flatMap((list, i) => [
          [`wide${i}`, npyArray([list.length, 1], Float64Array.from(list))],
          [`small${i}`, npyArray([list.length], small(list))],
        ])));
        const archive = openZip(
          new Uint8Array(packed ? bytes : zipSync(unzipSync(bytes), { level: 0 })),
        );
        assert.equal(archive.names.length, 2 * lists.length);
        for (const [i, list] of lists.entries()) {
          const wide = readNpy((await archive.read(`wide${i}.npy`))!);
          assert.deepEqual(wide, { shape: [list.length, 1], data: Float64Array.from(list) });
          const counts = readNpy((await archive.read(`small${i}.npy`))!);
          assert.deepEqual(counts.data, small(list));
        }
        assert.equal(await archive.read("none.npy"), null);
      },
    ),
    { numRuns: 30 },
  );
});

Deno.test("what is no archive and no array is refused in words", () => {
  const noise = new Uint8Array(100).fill(7);
  assert.throws(() => openZip(noise), /expected a \.npz file/);
  assert.throws(() => readNpy(noise), /expected a \.npy file/);
});

Deno.test("tensors are read as they were written", () => {
  const small = Float32Array.of(1, 2.5, -3), wide = Float64Array.of(1e300, -0);
  const bytes = writeSafetensors(
    { "a.small": tensor([3, 1], small), wide: tensor([2], wide) },
    { format: "test" },
  );
  const read = readSafetensors(new Uint8Array(bytes).buffer);
  assert.deepEqual(
    read,
    new Map([
      ["wide", { shape: [2], data: wide }],
      ["a.small", { shape: [3, 1], data: small }],
    ]),
  );
});

/** Of one size; doubles of any exponent would leave all variance to one row. */
const whole = fc.integer({ min: -1_000_000, max: 1_000_000 });

Deno.test("the first two principal components are those of the report", () => {
  fc.assert(
    fc.property(fc.integer({ min: 3, max: 12 }), fc.infiniteStream(whole), (n, values) => {
      // variances that differ clearly: components of equal variance may turn in their plane
      const rows = Float64Array.from({ length: 60 * n }, (_, i) => {
        const x = values.next().value! / 1e6;
        return x * 3 ** -(i % n) + (i % n === 0 ? 0 : 0.1 * x);
      });
      const own = coordinates(rows, n, "state", true);
      const plane = planeOf(rows, n, "state")!;
      const spread = Math.max(...rows.map(Math.abs));
      const [first, second, third] = principalComponents(rows, n, 3).share;
      // after 200 rounds a component is right to (ratio of variances)^200, squared in the picture
      fc.pre(first > 1.2 * second && second > 1.2 * third);
      // roundings of the covariance, 2^-53 of the first variance, turn the second axis by that over the
      // gap to the third, a sixth of the second: √(first / second) times 6 * 2^-53 of the spread
      fc.pre(second > 1e-10 * first);
      for (let r = 0; r < 60; r++) {
        const [x, y] = own.at(r), [wantX, wantY] = plane.at(rows, r * n);
        const off = Math.max(
          Math.abs(Math.abs(x) - Math.abs(wantX)),
          Math.abs(Math.abs(y) - Math.abs(wantY)),
        );
        assert(off <= 1e-9 * spread * n, `row ${r}: ${x}, ${y} beside ${wantX}, ${wantY}`);
      }
    }),
    { numRuns: 50 },
  );
});

Deno.test("a state of one or two dimensions is shown as it is, and rows without variance stand at 0", () => {
  const rows = Float64Array.of(1, 2, 3, 4);
  assert.deepEqual(coordinates(rows, 2, "factor", true).at(1), [3, 4]);
  assert.deepEqual(coordinates(rows, 1, "factor", true).at(2), [3]);
  const still = new Float64Array(12).fill(5);
  assert.deepEqual(coordinates(still, 4, "factor", true).at(0), [0, 0, 0]);
  assert.deepEqual(principalComponents(still, 4, 3).share, [0, 0, 0]);
});

Deno.test("a turn by 90 degrees brings the third coordinate to the front", () => {
  const [x, y] = turned([1, 2, 3], 90);
  assert(Math.abs(x - 3) < 1e-12);
  assert.equal(y, 2);
  assert.deepEqual(turned([1, 2, 3], 0), [1, 2]);
});

Deno.test("the arrows of a portrait are the generator's own steps", () => {
  for (const cell of ["vanilla", "gru"] as const) {
    for (const nonlinearity of ["tanh", "relu", "identity"] as const) {
      const hyperparameters = parseHyperparameters({
        cell,
        nonlinearity,
        generatorUnits: 2,
        factors: 2,
        encoderUnits: 2,
        inferredInputs: 1,
        controllerUnits: 2,
      });
      const of = architecture(hyperparameters, 4, 3);
      const parameters = initialise(of, hyperparameters, 7, Float64Array.of(1, 2, 3)).map((x, i) =>
        x + Math.sin(i)
      );
      const model = {
        architecture: of,
        params_P: parameters,
        hyperparameters,
        seed: 7,
        step: 0,
        binWidth: null,
      } as unknown as Model;
      const cellOf = generatorCell(model);
      const arrays = new Map(
        parameterLayout(of).slices.map(({ name, shape, offset, length }) => [
          name,
          { shape, data: parameters.slice(offset, offset + length) },
        ]),
      );
      const own = generatorStep({ hyperparameters }, arrays);
      for (const state of [[0, 0], [0.3, -0.8], [2, 1.5]]) {
        const want = [...step(cellOf, state, [0])];
        own(state).forEach((x, i) => {
          // both add up three products in float64, in another order at most
          assert(
            Math.abs(x - want[i]) <= 1e-13 * (1 + Math.abs(want[i])),
            `${cell} ${nonlinearity}`,
          );
        });
      }
    }
  }
});

Deno.test("ticks are even, inside their axis, and about as many as wanted", () => {
  fc.assert(fc.property(value, fc.double({ min: 1e-6, max: 1e6, noNaN: true }), (low, size) => {
    const found = ticks([low, low + size], 5);
    const slack = 1e-6 * (Math.abs(low) + size);
    assert(found.length >= 2 && found.length <= 7, `${found}`);
    for (const tick of found) assert(tick >= low - slack && tick <= low + size + slack);
    const gaps = found.slice(1).map((tick, i) => tick - found[i]);
    for (const gap of gaps) assert(Math.abs(gap - gaps[0]) <= slack);
  }));
  assert.deepEqual(ticks([3, 3], 5), [3]);
  assert.deepEqual(ticks([0, 3], 20, true), [0, 1, 2, 3]);
});

Deno.test("numbers are short and true", () => {
  fc.assert(fc.property(value, (x) => {
    const back = Number(number(x).replaceAll("−", "-"));
    assert(Math.abs(back - x) <= 0.5e-3 * Math.abs(x), `${x} reads ${number(x)}`);
  }));
  assert.deepEqual([number(null), number(NaN), number(-0.5)], ["–", "–", "−0.5"]);
  assert.deepEqual([1, 2, 3, 11, 21, 22].map(every), [
    "each",
    "every other",
    "every 3rd",
    "every 11th",
    "every 21st",
    "every 22nd",
  ]);
});

Deno.test("a description is parted from the default that it names", () => {
  assert.deepEqual(splitDefault("optimiser steps (default 2000)"), {
    words: "optimiser steps",
    otherwise: "2000",
  });
  assert.deepEqual(splitDefault('default "auto"'), { words: "", otherwise: "auto" });
  assert.deepEqual(splitDefault("fits side by side, of which the best is kept; default 1"), {
    words: "fits side by side, of which the best is kept",
    otherwise: "1",
  });
  assert.deepEqual(splitDefault("inputs; 0 is the autonomous model (default 0)"), {
    words: "inputs; 0 is the autonomous model",
    otherwise: "0",
  });
  assert.deepEqual(splitDefault("most Adam iterations; 1000"), {
    words: "most Adam iterations",
    otherwise: "1000",
  });
  assert.deepEqual(splitDefault("from and to, in seconds; the whole trial"), {
    words: "from and to, in seconds",
    otherwise: "the whole trial",
  });
  assert.deepEqual(splitDefault("see the classes"), { words: "see the classes", otherwise: null });
});

const losses = (nll: number): Dashboard.Losses => ({
  total: nll,
  nll,
  klIc: 1,
  klInputs: 0,
  l2: 0,
  gradNorm: 1,
  klIcScale: 1,
  klInputsScale: 1,
  learningRate: 0.01,
});

/** Events of a run that makes so many steps, numbered from 1. */
function events(steps: readonly number[]): Dashboard.RunEvent[] {
  return steps.map((step, i) => ({
    id: i + 1,
    at: "2026-01-01T00:00:00Z",
    kind: "step",
    step,
    of: 100,
    train: losses(step),
    stepsPerSecond: 1,
    secondsLeft: 1,
  }));
}

Deno.test("steps that are made again after a crash replace those that were lost", () => {
  const run = { step: 0 } as Dashboard.Run;
  const progress = newProgress(run);
  for (const event of events([1, 5, 9, 6, 7])) happened(progress, event);
  assert.deepEqual(progress.steps.map(({ step }) => step), [1, 5, 6, 7]);
  assert.equal(progress.run.step, 7);
  const [steps, nll, none] = columns(progress, [
    { of: "train", value: ({ nll }) => nll },
    { of: "evaluation", value: ({ nll }) => nll },
  ]);
  assert.deepEqual([steps, nll, none], [[1, 5, 6, 7], [1, 5, 6, 7], Array(4).fill(null)]);
});

Deno.test("the likelihood of hidden samples stands at its evaluations, and nowhere else", () => {
  const progress = newProgress({ step: 0 } as Dashboard.Run);
  for (const event of events([1, 2, 3])) happened(progress, event);
  for (const [step, hidden] of [[2, 40], [3, null]] as const) {
    const entry = { step, train: losses(7), evaluation: losses(8), hidden, seconds: 1 };
    happened(progress, {
      ...{ id: 9, at: "2026-01-01T00:00:00Z", kind: "evaluation", best: false },
      entry,
    });
  }
  const [steps, hidden] = columns(progress, [{ of: "hidden" }]);
  assert.deepEqual([steps, hidden], [[1, 2, 3], [null, 40, null]]);
});

Deno.test("a long run keeps its first and last points and thousands between", () => {
  const progress = newProgress({ step: 0 } as Dashboard.Run);
  for (const event of events(Array.from({ length: 30_000 }, (_, i) => i + 1))) {
    happened(progress, event);
  }
  const steps = progress.steps.map(({ step }) => step);
  assert(steps.length > 1000 && steps.length <= 4000);
  assert(steps[0] < 200);
  assert.equal(steps.at(-1), 30_000);
  assert(steps.every((step, i) => i === 0 || step > steps[i - 1]));
});

Deno.test("a stream that breaks anywhere is taken up after the last whole event", async () => {
  const all = [
    ...events([1, 2, 3, 4]),
    {
      id: 5,
      at: "2026-01-01T00:00:00Z",
      kind: "state",
      state: "completed",
      step: 4,
      reason: null,
      model: null,
    } as const,
  ];
  const text = (after: number) =>
    `retry: 1\n\n: still here\n\n${
      all.filter(({ id }) => id > after).map((event) =>
        `id: ${event.id}\ndata: ${JSON.stringify(event)}\n\n`
      ).join("")
    }`;
  const real = globalThis.fetch;
  try {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: text(0).length }), { maxLength: 6 }),
        fc.integer({ min: 1, max: 200 }),
        async (cuts, chunk) => {
          const asked: number[] = [], waits: (number | null)[] = [];
          globalThis.fetch = (_, init) => {
            const after = Number(new Headers(init?.headers).get("last-event-id") ?? 0);
            asked.push(after);
            const cut = cuts[asked.length - 1];
            if (cut === 0) return Promise.reject(new TypeError("no connection"));
            const bytes = new TextEncoder().encode(text(after).slice(0, cut));
            // in pieces of any size, also within a message
            const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
              start(controller) {
                for (let at = 0; at < bytes.length; at += chunk) {
                  controller.enqueue(bytes.slice(at, at + chunk));
                }
                controller.close();
              },
            });
            return Promise.resolve(new Response(body));
          };
          const seen: number[] = [];
          const { signal } = new AbortController();
          for await (const { id } of follow("r", signal, (wait) => waits.push(wait), 0)) {
            // no request asks for what was seen, or skips what was not
            assert.equal(asked.at(-1)! <= seen.length, true);
            seen.push(id);
          }
          assert.deepEqual(seen, [1, 2, 3, 4, 5]);
          assert.equal(waits.at(-1), null);
        },
      ),
      { numRuns: 60 },
    );
    globalThis.fetch = () =>
      Promise.resolve(Response.json({ error: "no such run", details: [] }, { status: 404 }));
    await assert.rejects(
      follow("r", new AbortController().signal, () => {}, 0).next(),
      /no such run/,
    );
  } finally {
    globalThis.fetch = real;
  }
});
