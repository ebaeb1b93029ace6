/** Visits to the dashboard in headless Chromium, by what a user sees: names, roles, keys. */
import assert from "node:assert/strict";
import { type Browser, chromium, type Page } from "playwright-core";
import { chromiumPath } from "../browser/chromium.ts";

let browser: Promise<Browser> | null = null;

/** Closes Chromium, where a visit has opened it. */
export async function leave(): Promise<void> {
  await (await browser)?.close();
  browser = null;
}

export interface VisitOptions {
  readonly width?: number;
  readonly theme?: "light" | "dark";
  readonly reducedMotion?: boolean;
  /** what the console may say: requests that are refused on purpose */
  readonly allowed?: RegExp;
}

export interface Visit {
  readonly page: Page;
  readonly address: string;
  /** Opens a page of the dashboard and waits until it stands. */
  open(path: string): Promise<void>;
}

/** A visit in a window of its own; afterwards nothing may have gone wrong or elsewhere. */
export async function visit(
  address: string,
  test: (visit: Visit) => Promise<void>,
  { width = 1200, theme = "light", reducedMotion = false, allowed }: VisitOptions = {},
): Promise<void> {
  const executablePath = chromiumPath();
  // nothing of the tests is secret, and a container's root has no sandbox
  browser ??= chromium.launch({ executablePath, chromiumSandbox: false });
  const context = await (await browser).newContext({
    viewport: { width, height: 900 },
    colorScheme: theme,
    reducedMotion: reducedMotion ? "reduce" : "no-preference",
  });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  const complaints: string[] = [];
  page.on("console", (message) => {
    const text = `${message.text()} (${message.location().url})`;
    if (["error", "warning"].includes(message.type()) && !allowed?.test(text)) {
      complaints.push(text);
    }
  });
  page.on("pageerror", (error) => complaints.push(error.stack ?? error.message));
  page.on("request", (request) => {
    const { origin, protocol } = new URL(request.url());
    if (origin !== address && protocol !== "data:" && protocol !== "blob:") {
      complaints.push(`a request to ${origin}`);
    }
  });
  try {
    await test({
      page,
      address,
      open: async (path) => {
        // a page of its own: the one before is not taken for it
        await page.goto("about:blank");
        await page.goto(`${address}/#${path}`);
        await settled(page);
      },
    });
    assert.deepEqual(complaints, []);
  } catch (error) {
    const seen = await page.locator("body").innerText().catch(() => "nothing");
    console.error(
      `${[...complaints, page.url()].join("\n")}\nThe page reads: ${seen.slice(0, 2000)}`,
    );
    throw error;
  } finally {
    await context.close();
  }
}

/** Waits until a page stands: its heading is there, and nothing is being loaded. */
export async function settled(page: Page): Promise<void> {
  await page.locator("main:not([aria-busy]) h1").waitFor();
  await page.locator("[aria-busy=true]").waitFor({ state: "detached" });
}

/** Posts JSON to the server, past the page. */
export async function post<T>(address: string, path: string, value: unknown): Promise<T> {
  const answer = await fetch(`${address}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(value),
  });
  const result = await answer.json();
  assert(answer.ok, JSON.stringify(result));
  return result;
}

/** A dataset, and a model that was fitted to it in a moment. */
export async function fitted(
  address: string,
  data: Record<string, unknown>,
  hyperparameters: Record<string, unknown>,
): Promise<{ dataset: string; run: string; model: string }> {
  const { id: dataset } = await post<{ id: string }>(address, "/v1/datasets", data);
  return { dataset, ...await fitRun(address, dataset, hyperparameters) };
}

/** A model that was fitted to a dataset in a moment. */
export async function fitRun(
  address: string,
  dataset: string,
  hyperparameters: Record<string, unknown>,
): Promise<{ run: string; model: string }> {
  const { id: run } = await post<{ id: string }>(address, "/v1/runs", { dataset, hyperparameters });
  for (;;) {
    const { state, model, failure } = await (await fetch(`${address}/v1/runs/${run}`)).json();
    if (state === "completed") return { run, model };
    assert(!["failed", "cancelled"].includes(state), failure);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** What is named by its label or its text where the focus is. */
export async function focused(page: Page): Promise<string> {
  return await page.evaluate(`(() => {
    const element = document.activeElement;
    const label = element.getAttribute("aria-label") ?? element.labels?.[0]?.textContent;
    return (label ?? element.textContent ?? "").trim();
  })()`);
}

/** Presses Tab until the focus is on what has this name. */
export async function tabTo(page: Page, name: string | RegExp): Promise<void> {
  const seen: string[] = [];
  for (let presses = 0; presses < 80; presses++) {
    await page.keyboard.press("Tab");
    const now = await focused(page);
    if (typeof name === "string" ? now === name : name.test(now)) return;
    seen.push(now.slice(0, 40));
  }
  assert.fail(`Tab never came to ${name}, but to ${seen.join(" | ")}`);
}
