/** The dashboard in headless Chromium: as its users meet it, with eyes, keys and screen readers. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { addKey } from "../routes/keys.ts";
import {
  datasetFromArrays,
  datasetToBytes,
  parseHyperparameters,
  simulateRotation,
} from "../src/mod.ts";
import { openZip } from "../routes/dashboard/data/zip.ts";
import { number } from "../routes/dashboard/format.ts";
import { readNpy } from "../routes/dashboard/data/npy.ts";
import { withoutChromium } from "./browser/chromium.ts";
import { audit, contrasts } from "./dashboard/audit.ts";
import { fitRun, fitted, focused, leave, settled, tabTo, visit } from "./dashboard/visit.ts";
import { inFolder } from "./folders.ts";
import { ServerProcess, SMALL, withProcess } from "./server_helpers.ts";

const DATA = { kind: "rotation", trials: 12, T: 10, N: 6 };
const RECORDING = fileURLToPath(new URL("fixtures/recording.nwb", import.meta.url));
/** Two units, so that the portrait has arrows. */
const PLANAR = { ...SMALL, cell: "vanilla" };

function browserTest(name: string, test: () => Promise<void>): void {
  Deno.test({
    name,
    ...withoutChromium,
    // Chromium's pipes belong to its library
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async () => {
      try {
        await test();
      } finally {
        await leave();
      }
    },
  });
}

/** Fills fields by their labels. */
async function fill(page: Page, values: Readonly<Record<string, string>>): Promise<void> {
  for (const [label, value] of Object.entries(values)) {
    await page.getByLabel(label, { exact: true }).fill(value);
  }
}

const stepOf = async (page: Page) => {
  const label = await page.getByRole("img", { name: /^Negative log-likelihood/ })
    .getAttribute("aria-label") ?? "";
  return Number(/, step (\d+):/.exec(label)?.[1] ?? 0);
};

/** Waits until something holds. */
async function until(what: string, holds: () => Promise<boolean>, ms = 30_000): Promise<void> {
  const end = performance.now() + ms;
  while (!await holds()) {
    assert(performance.now() < end, `it never came that ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

browserTest(
  "from nothing: simulate, fit, watch losses, cancel, and see rates, trajectories and fixed points",
  () =>
    withProcess(async (_, address) => {
      await visit(address, async ({ page, open }) => {
        await open("/");
        await page.getByRole("heading", { name: "Welcome" }).waitFor();
        await page.getByRole("link", { name: "Fit a model" }).click();
        // without data the page says what comes first
        await page.getByRole("link", { name: "Add data" }).click();
        await fill(page, { Trials: "12", "Time bins": "10", Neurons: "6" });
        await page.getByRole("button", { name: "Simulate" }).click();
        const row = page.getByRole("list", { name: "Datasets" }).getByRole("listitem");
        await row.getByText("12 trials × 10 bins × 6 neurons").waitFor();
        await row.getByRole("link", { name: "Fit a model" }).click();

        await fill(page, { "Generator units": "2", Factors: "2", "Batch size": "4" });
        await page.getByLabel("Cell", { exact: true }).selectOption("vanilla");
        await page.getByText(/^More: \d+ hyperparameters$/).click();
        await fill(page, {
          Steps: "1000000",
          "Encoder units": "3",
          "Evaluate every": "50",
          "Checkpoint every": "100",
        });
        await page.getByRole("button", { name: "Start the run" }).click();
        await page.getByText("running", { exact: true }).waitFor();
        // the losses arrive while it runs
        await until("a loss is there", async () => await stepOf(page) > 0);
        const before = await stepOf(page);
        await until("losses arrive", async () => await stepOf(page) > before + 100);
        await page.getByText(/^wasm: one thread, /).waitFor();
        await page.getByText("Evaluations as a table").click();
        const evaluations = page.getByRole("region", { name: /^Evaluations/ }).getByRole("row");
        await until("evaluations fill the table", async () => await evaluations.count() > 1);
        const rows = await evaluations.count();
        await until("and go on to", async () => await evaluations.count() > rows);

        await page.getByRole("button", { name: "Cancel the run" }).click();
        await page.getByRole("dialog").getByRole("button", { name: "Cancel the run" }).click();
        await page.getByText("cancelled", { exact: true }).waitFor();
        await page.getByRole("link", { name: "Open the model" }).waitFor();
        await page.getByRole("link", { name: "Fit again with changes" }).click();
        await page.getByText(/^More: /).click();
        assert.equal(await page.getByLabel("Encoder units", { exact: true }).inputValue(), "3");
        await fill(page, { Steps: "40", "Evaluate every": "10" });
        await page.getByRole("button", { name: "Start the run" }).click();
        await page.getByText("completed", { exact: true }).waitFor();
        await page.getByRole("link", { name: "Open the model" }).click();
        await settled(page);

        const rates = page.getByRole("img", { name: /^Inferred rates of 6 neurons in trial 0/ });
        await rates.waitFor();
        assert.equal(await rates.locator("image").count(), 1);
        assert.match(await rates.locator(".spikes").getAttribute("d") ?? "", /^M[\d.]+ /);
        await page.getByRole("img", { name: /^True rates/ }).waitFor();
        await page.getByRole("button", { name: "Next trial" }).click();
        await page.getByRole("img", { name: /^Inferred rates of 6 neurons in trial 1/ }).waitFor();
        await page.getByRole("button", { name: "Next neuron" }).click();

        await page.getByRole("link", { name: "Trajectories" }).click();
        const factors = page.getByRole("img", { name: /^factors of 12 trials/ });
        await factors.waitFor();
        // one path each, the chosen one again with its halo
        assert.equal(await factors.locator(".path").count(), 14);
        await page.getByLabel("Show", { exact: true }).selectOption("states");
        await page.getByRole("img", { name: /^generator states of 12 trials/ }).waitFor();

        await page.getByRole("link", { name: "Dynamics" }).click();
        await page.getByText("No fixed points yet").waitFor();
        await fill(page, { Candidates: "50" });
        await page.getByRole("button", { name: "Find fixed points" }).click();
        const portrait = page.getByRole("img", { name: /and \d+ fixed points?$/ });
        await page.getByRole("region", { name: /^Slowest first/ }).waitFor();
        assert.equal(await portrait.locator(".flow").count(), 1);
        assert(await portrait.locator(".point-label").count() >= 1);
        const spectrum = page.getByRole("img", { name: /^Eigenvalues at/ });
        assert.equal(await spectrum.locator(".unit-circle").count(), 1);
        assert(await spectrum.locator(".eigenvalue").count() >= 2);
      });
    }),
);

browserTest(
  "a keyboard alone comes from the data to the model",
  () =>
    withProcess(async (_, address) => {
      await visit(address, async ({ page, open }) => {
        const { keyboard } = page;
        await open("/");
        await tabTo(page, "Skip to the content");
        await keyboard.press("Enter");
        assert.equal(await page.evaluate("document.activeElement.id"), "main");
        await page.evaluate("document.activeElement.blur()");
        await tabTo(page, "Data");
        await keyboard.press("Enter");
        // whoever follows a link stands at the heading of where it leads
        await until("the heading has the focus", async () => await focused(page) === "Data");
        await tabTo(page, "Trials");
        await keyboard.type("12");
        await tabTo(page, "Time bins");
        await keyboard.type("10");
        await tabTo(page, "Neurons");
        await keyboard.type("6");
        await keyboard.press("Enter");
        await until(
          "the new dataset has the focus",
          async () => await focused(page) === "rotation",
        );
        await tabTo(page, "Fit a model");
        await keyboard.press("Enter");
        await until("the form is there", async () => await focused(page) === "New run");
        await tabTo(page, "Generator units");
        await keyboard.type("2");
        await tabTo(page, "Factors");
        await keyboard.type("2");
        await tabTo(page, "Steps");
        await keyboard.type("40");
        await tabTo(page, /^More: /);
        await keyboard.press("Enter");
        await tabTo(page, "Encoder units");
        await keyboard.type("3");
        await tabTo(page, "Start the run");
        await keyboard.press("Enter");
        await page.getByText("completed", { exact: true }).waitFor();
        await tabTo(page, "Open the model");
        await keyboard.press("Enter");
        await settled(page);
        await tabTo(page, "Next trial");
        await keyboard.press("Space");
        await page.getByRole("img", { name: /^Inferred rates .* trial 1/ }).waitFor();
        await tabTo(page, "Dynamics");
        await keyboard.press("Enter");
        await page.getByRole("img", { name: /^Generator states/ }).waitFor();
        await tabTo(page, "Find fixed points");
      });
    }),
);

browserTest(
  "every page is labelled, and as wide as its window, from 360 pixels to 1900",
  () =>
    withProcess(async (_, address) => {
      const { dataset, run, model } = await fitted(address, DATA, PLANAR);
      const paths = [
        ...["/", "/data", `/data/${dataset}`, "/runs", "/runs/new", `/runs/${run}`, "/models"],
        ...["", "/trajectories", "/dynamics", "/infer", "/details"].map((tab) =>
          `/models/${model}${tab}`
        ),
        ...[`/runs/new?from=${run}`, "/nowhere"],
      ];
      for (const width of [360, 1900]) {
        await visit(address, async ({ page, open }) => {
          for (const path of paths) {
            await open(path);
            for (const fold of await page.locator("main details:not([open])").all()) {
              if (await fold.isVisible()) await fold.locator("> summary").click();
            }
            assert.deepEqual(await audit(page), [], `${path} at ${width} pixels`);
          }
        }, { width });
      }
    }),
);

browserTest(
  "text stands out 4.5 to 1 and signs 3 to 1, in light and dark",
  () =>
    withProcess(async (_, address) => {
      const surfaces = ["--paper", "--panel", "--raised"];
      const on = (names: readonly string[], grounds: readonly string[]) =>
        names.flatMap((name) => grounds.map((ground) => [name, ground] as const));
      const text = [
        ...on(["--ink", "--muted", "--accent", "--bad"], surfaces),
        ...["accent", "good", "odd", "bad"].map((tone) => [`--${tone}`, `--${tone}-soft`] as const),
        ["--ink", "--bad-soft"],
        ["--ink", "--odd-soft"],
        ["--ink", "--accent-soft"],
        ["--muted", "--accent-soft"],
        ["--on-accent", "--accent"],
        ["--paper", "--bad"],
        ["--good", "--raised"],
      ] as const;
      const colors = Array.from({ length: 8 }, (_, i) => `--color-${i + 1}`);
      const signs = [
        ...on(["--line", "--accent", "--model", "--truth", ...colors], surfaces),
        ...on(["--spike"], ["--heat-0", "--heat-1", "--heat-2", "--heat-3"]),
      ];
      for (const theme of ["light", "dark"] as const) {
        await visit(address, async ({ page, open }) => {
          await open("/");
          for (const [pairs, least] of [[text, 4.5], [signs, 3]] as const) {
            const found = await contrasts(page, pairs);
            const weak = pairs.map(([a, b], i) => `${a} on ${b}: ${found[i].toFixed(2)}`)
              .filter((_, i) => found[i] < least);
            assert.deepEqual(weak, [], `${theme}, at least ${least}`);
          }
        }, { theme });
      }
    }),
);

browserTest(
  "light and dark follow the system until one is chosen, which stays",
  () =>
    withProcess(async (_, address) => {
      const { model } = await fitted(address, DATA, PLANAR);
      await visit(address, async ({ page, open }) => {
        const ground = () => page.evaluate("getComputedStyle(document.body).backgroundColor");
        const picture = () =>
          page.getByRole("img", { name: /^Inferred rates/ }).locator("image").getAttribute("href");
        await open(`/models/${model}`);
        const light = await ground(), lightPicture = await picture();
        await page.emulateMedia({ colorScheme: "dark" });
        const dark = await ground();
        assert.notEqual(dark, light);
        // what is painted is painted again
        await until("the picture is dark", async () => await picture() !== lightPicture);
        await page.getByRole("button", { name: "Theme: system. Change to light" }).click();
        assert.equal(await ground(), light);
        await until("the picture is light", async () => await picture() === lightPicture);
        await page.reload();
        await settled(page);
        assert.equal(await ground(), light);
        await page.getByRole("button", { name: "Theme: light. Change to dark" }).click();
        await page.emulateMedia({ colorScheme: "light" });
        assert.equal(await ground(), dark);
      });
    }),
);

browserTest("who wants no motion sees none", () =>
  withProcess(async (_, address) => {
    for (const reducedMotion of [false, true]) {
      await visit(address, async ({ page, open }) => {
        await open("/");
        const moves = await page.evaluate(`(() => {
          const button = document.body.appendChild(document.createElement("button"));
          button.setAttribute("aria-busy", "true");
          return getComputedStyle(button, "::after").animationName;
        })()`);
        assert.equal(moves === "none", reducedMotion);
      }, { reducedMotion });
    }
  }));

browserTest(
  "wrong input is answered in the server's words, at the field that is wrong",
  () =>
    withProcess(async (_, address, folder) => {
      await fitted(address, DATA, SMALL);
      await visit(address, async ({ page, open }) => {
        const alert = page.getByRole("alert");
        await open("/data");
        await fill(page, { Trials: "1" });
        await page.getByRole("button", { name: "Simulate" }).click();
        const answer = await fetch(`${address}/v1/datasets`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ kind: "rotation", trials: 1 }),
        });
        const { error, details: [detail] } = await answer.json();
        assert.equal(await alert.locator("p").textContent(), error);
        const trials = page.getByLabel("Trials", { exact: true });
        assert.equal(await trials.getAttribute("aria-invalid"), "true");
        assert.equal(await focused(page), "Trials");
        const [described] = (await trials.getAttribute("aria-describedby") ?? "").split(" ");
        assert.equal(
          await page.locator(`#${described}`).textContent(),
          `Expected ${detail.wanted}, found ${detail.found}.`,
        );
        // and what is put right is not wrong any more
        await trials.fill("4");
        await page.getByRole("button", { name: "Simulate" }).click();
        await page.getByText("4 trials × 50 bins × 100 neurons").waitFor();
        assert.equal(await alert.count(), 0);
        assert.equal(await trials.getAttribute("aria-invalid"), null);

        const file = join(folder, "x.npz");
        await Deno.writeTextFile(file, "no array");
        await page.getByRole("button", { name: "Upload" }).click();
        await page.getByText("Choose a file first.").waitFor();
        assert.equal(await focused(page), "A file of spikes");
        await page.getByLabel("A file of spikes").setInputFiles(file);
        await page.getByRole("button", { name: "Upload" }).click();
        await alert.getByText(/^Cannot .*: expected .*, found .*/).waitFor();

        await open("/runs/new");
        await page.getByText(/^More: /).click();
        await fill(page, { Factors: "many", "KL end": "0" });
        await page.getByText(/^More: /).click();
        await page.getByRole("button", { name: "Start the run" }).click();
        await alert.getByText("hyperparameters.klEnd").waitFor();
        assert.equal(await focused(page), "Factors");
        // a field that is folded away comes to light
        await page.getByText("Expected at least 1, found 0.").waitFor();
        await page.getByText('Expected of type number, found "many".').waitFor();

        await open("/models/m-0000000000000000");
        await alert.getByText(/found no model|found none|m-0000000000000000/).waitFor();
      }, { allowed: /status of 4\d\d/ });
    }),
);

browserTest(
  "the form of a run shows the defaults that hold, for every hyperparameter",
  () =>
    withProcess(async (_, address) => {
      await fitted(address, DATA, SMALL);
      await visit(address, async ({ page, open }) => {
        await open("/runs/new");
        await page.getByText(/^More: /).click();
        for (const [name, value] of Object.entries(parseHyperparameters({}))) {
          const field = page.locator(`form [name="${name}"]`);
          const shown = await field.getAttribute("placeholder") ??
            (await field.locator("option").first().textContent())?.replace(" (default)", "");
          assert.equal(
            typeof value === "number" ? Number(shown) : shown,
            value,
            `the default of ${name}`,
          );
        }
      });
    }),
);

browserTest(
  "real numbers are numbers with expected values, on the pages of their dataset and their model",
  () =>
    withProcess(async (_, address) => {
      const [trials, T, N] = [8, 10, 3];
      const values = Float64Array.from({ length: trials * T * N }, (_, i) => Math.sin(i / 7) - 0.5);
      values[4] = NaN; // one that was not observed
      const spikes = { shape: [trials, T, N], data: values };
      const numbers = datasetFromArrays({ name: "calcium", spikes, binWidth: 0.1 });
      const stored = await fetch(`${address}/v1/datasets?name=calcium.npz`, {
        method: "POST",
        headers: { "content-type": "application/x-npz" },
        body: datasetToBytes(numbers) as Uint8Array<ArrayBuffer>,
      });
      const { id: dataset } = await stored.json();
      const settings = { ...SMALL, steps: 4, observation: "gaussian" };
      const { model } = await fitRun(address, dataset, settings);
      await visit(address, async ({ page, open }) => {
        await open(`/data/${dataset}`);
        const map = page.getByRole("img", { name: "Numbers of 3 neurons in trial 0" });
        assert.equal(await map.locator("image").count(), 1);
        assert.equal(await map.locator(".spikes").count(), 0);
        await open(`/models/${model}`);
        await page.getByRole("img", { name: /^Expected values of 3 neurons in trial 0, from / })
          .waitFor();
        const trace = page.getByRole("img", { name: /: observed and expected value$/ });
        assert.equal(await trace.locator(".stems").count(), 0);
        const paths = await trace.locator("path[stroke]").all();
        const drawn = await Promise.all(paths.map((path) => path.getAttribute("d")));
        assert.equal(drawn.length, 2);
        assert(drawn.every((d) => d!.length > 40 && !d!.includes("NaN")), drawn.join("\n"));
        const shown = await page.locator("main").innerText();
        assert.doesNotMatch(shown, /spike|inferred rate/i);
        await page.getByRole("link", { name: "Infer", exact: true }).click();
        await page.getByText("expected values, in the data's unit").waitFor();
        assert.equal(await page.getByLabel("rates_hz").count(), 0);
        await page.getByRole("button", { name: "Infer and download", exact: true }).click();
        await page.getByText(/rates\.npz \(.*\) is in your downloads/).waitFor();
      });
    }),
);

browserTest(
  "a run that hides samples shows their likelihood, as chart and in the table; another shows none",
  () =>
    withProcess(async (_, address) => {
      const settings = { ...SMALL, steps: 20, evaluateEvery: 10 };
      const { dataset, run } = await fitted(address, DATA, { ...settings, sampleValidation: 0.3 });
      const { run: plain } = await fitRun(address, dataset, settings);
      const events = await (await fetch(`${address}/v1/runs/${run}/events`)).text();
      const told = [...events.matchAll(/"hidden":(-?[\d.]+)/g)].map(([, value]) => Number(value));
      assert.equal(told.length, 2);
      await visit(address, async ({ page, open }) => {
        await open(`/runs/${run}`);
        const chart = page.getByRole("img", { name: /likelihood of hidden samples/ });
        await page.getByText("20 of 20 steps").waitFor();
        const wanted = `step 20: held out, hidden ${number(told[1])}`;
        await until("it is plotted", async () =>
          (await chart.getAttribute("aria-label"))?.endsWith(wanted) ?? false);
        await page.getByText("Evaluations as a table").click();
        const table = page.getByRole("region", { name: /^Evaluations/ });
        const heads = await table.getByRole("columnheader").allTextContents();
        const cells = await table.getByRole("row").nth(1).locator("th, td").allTextContents();
        assert.equal(cells[heads.indexOf("nll, hidden samples")], number(told[1]));
        await open(`/runs/${plain}`);
        await page.getByText("20 of 20 steps").waitFor();
        assert.equal(await chart.count(), 0);
      });
    }),
);

browserTest(
  "a stream of events that breaks is taken up where it broke",
  () =>
    withProcess(async (_, address) => {
      const { run } = await fitted(address, DATA, { ...SMALL, steps: 60 });
      const all = await (await fetch(`${address}/v1/runs/${run}/events`)).text();
      const blocks = all.split("\n\n").filter((block) => block.startsWith("id: "));
      assert(blocks.length > 6);
      await visit(address, async ({ page, open }) => {
        const asked: (string | null)[] = [];
        await page.route("**/events", async (route) => {
          asked.push(await route.request().headerValue("last-event-id"));
          if (asked.length > 1) return await route.continue();
          const body = `retry: 10\n\n${blocks.slice(0, 4).join("\n\n")}\n\nid: 5\ndata: {"ki`;
          await route.fulfill({ contentType: "text/event-stream", body });
        });
        await open(`/runs/${run}`);
        await page.getByText(/^The connection is lost\. Tries again in 1 s/).waitFor();
        await page.getByText("60 of 60 steps").waitFor();
        await until("all has come", async () => await stepOf(page) === 60);
        assert.deepEqual(asked, [null, "4"]);
        assert.equal(await page.getByText(/^The connection is lost/).isVisible(), false);
        await page.getByText("Evaluations as a table").click();
        const table = page.getByRole("region", { name: /^Evaluations/ });
        const steps = await table.getByRole("rowheader").allTextContents();
        assert.deepEqual(steps, ["60", "50", "40", "30", "20", "10"]);
      });
    }),
);

browserTest(
  "a server that wants a key gets it from its user, and keeps to this tab",
  () =>
    inFolder(async (folder) => {
      const { key } = await addKey(folder, "test");
      const server = new ServerProcess(folder);
      try {
        const address = await server.ready();
        const allowed = /status of 401/;
        await visit(address, async ({ page }) => {
          await page.goto(`${address}/#/data`);
          const dialog = page.getByRole("dialog", { name: "This server wants a key" });
          await dialog.getByLabel("Key").fill("latentd_wrong");
          await page.keyboard.press("Enter");
          await dialog.getByText(/expected Authorization/).waitFor();
          await dialog.getByLabel("Key").fill(key);
          await page.keyboard.press("Enter");
          await settled(page);
          await page.getByText("No data yet").waitFor();
          assert(!page.url().includes(key));
          assert.equal(await page.evaluate("localStorage.length"), 0);
          await fill(page, { Trials: "4", "Time bins": "5", Neurons: "3" });
          await page.getByRole("button", { name: "Simulate" }).click();
          await page.getByText("4 trials × 5 bins × 3 neurons").waitFor();
          await page.reload();
          await page.getByText("4 trials × 5 bins × 3 neurons").waitFor();
          await page.getByRole("button", { name: "Forget the key" }).click();
          await dialog.getByRole("button", { name: "Not now" }).click();
          await page.getByRole("alert").getByText(/expected Authorization/).waitFor();
        }, { allowed });
      } finally {
        await server.stop();
      }
    }),
);

browserTest(
  "a recording is refused until it is said what its file leaves open",
  () =>
    withProcess(async (_, address) => {
      await visit(address, async ({ page, open }) => {
        const send = page.getByRole("button", { name: "Upload" });
        const alert = page.getByRole("alert");
        await open("/data");
        await page.getByLabel("A file of spikes").setInputFiles(RECORDING);
        await send.click();
        await alert.getByText(/expected a bin width above 0 seconds/).waitFor();
        await page.getByText("What the file leaves open").click();
        await fill(page, { "Bin width in seconds": "0.02" });
        // the file is still chosen
        await fill(page, { "Which trials": "0-3" });
        await send.click();
        await page.getByText(/^4 trials × \d+ bins × \d+ neurons · .* · 20 ms bins/).waitFor();
        assert.equal(await alert.count(), 0);
      }, { allowed: /status of 400/ });
    }),
);

browserTest(
  "files go in and come out: spikes up, rates and parameters down",
  () =>
    withProcess(async (_, address, folder) => {
      const { model } = await fitted(address, DATA, SMALL);
      const fresh = simulateRotation({ trials: 3, T: 10, N: 6, seed: 5 });
      const file = join(folder, "fresh.npz");
      await Deno.writeFile(file, datasetToBytes(fresh));
      await visit(address, async ({ page, open }) => {
        const download = async (click: () => Promise<void>) => {
          const coming = page.waitForEvent("download");
          await click();
          const download = await coming;
          const archive = openZip(await Deno.readFile(await download.path()));
          return { name: download.suggestedFilename(), archive };
        };
        await open("/data");
        await page.getByLabel("A file of spikes").setInputFiles(file);
        await page.getByText("What the file leaves open").click();
        await fill(page, { "Bin width in seconds": "0.02" });
        await page.getByRole("button", { name: "Upload" }).click();
        await page.getByText("20 ms bins").waitFor();
        await page.getByText("3 trials × 10 bins × 6 neurons").waitFor();

        await open(`/models/${model}/infer`);
        await page.getByLabel("factors", { exact: true }).uncheck();
        await page.getByLabel("A file of spikes").setInputFiles(file);
        const rates = await download(() =>
          page.getByRole("button", { name: "Send, infer and download" }).click()
        );
        assert.equal(rates.name, "rates.npz");
        assert(!rates.archive.names.includes("factors.npy"));
        const inferred = readNpy((await rates.archive.read("rates.npy"))!);
        assert.deepEqual(inferred.shape, [3, 10, 6]);
        const answer = await fetch(`${address}/v1/models/${model}/infer?outputs=rates`, {
          method: "POST",
          headers: { "content-type": "application/x-npz", accept: "application/x-npz" },
          body: datasetToBytes(fresh) as Uint8Array<ArrayBuffer>,
        });
        const same = openZip(new Uint8Array(await answer.arrayBuffer()));
        assert.deepEqual(inferred, readNpy((await same.read("rates.npy"))!));

        await page.getByRole("link", { name: "Details" }).click();
        const parameters = await download(() =>
          page.getByRole("button", { name: "Parameters as .npz" }).click()
        );
        assert.equal(parameters.name, `${model}.npz`);
        assert(parameters.archive.names.includes("readout.w_FN.npy"));
        const [report] = await Promise.all([
          page.waitForEvent("popup"),
          page.getByRole("link", { name: "Report" }).click(),
        ]);
        await report.waitForLoadState();
        assert.match(await report.title(), /./);
      });
    }),
);
