/**
 * A server of the tests: a data directory behind lines of JSON. It reads requests from stdin and answers
 * each when it is done: an answer acknowledges. SIGTERM closes it.
 */
import { openJobs } from "../src/jobs/jobs.ts";
import { readLines } from "../src/jobs/protocol.ts";
import { sha256 } from "../src/jobs/files.ts";
import type { RunRequest, SimulateRequest } from "../src/jobs/records.ts";

/** What the server is asked. */
export type Request =
  | { readonly do: "simulate"; readonly request: SimulateRequest }
  | { readonly do: "import"; readonly model: string }
  | { readonly do: "create"; readonly request: RunRequest }
  | { readonly do: "cancel"; readonly run: string }
  | { readonly do: "check" }
  | { readonly do: "processes" };

const [folder, executable] = Deno.args;
const jobs = await openJobs(folder, {
  threads: 1,
  maxCrashes: 100, // killed on purpose
  graceMs: 2000,
  onProblem: (error) => console.error(error),
  ...(executable === undefined ? {} : { executable }),
});
Deno.addSignalListener("SIGTERM", async () => {
  await jobs.close();
  Deno.exit(0);
});

function say(answer: unknown): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(answer)}\n`));
}

async function answer(request: Request): Promise<unknown> {
  switch (request.do) {
    case "simulate":
      return await jobs.datasets.simulate(request.request);
    case "import":
      return await jobs.models.import(Uint8Array.fromBase64(request.model));
    case "create":
      return await jobs.runs.create(request.request);
    case "cancel":
      return await jobs.runs.cancel(request.run);
    case "processes":
      return jobs.running;
    case "check": {
      // first: what a run has made by now is then among the models
      const runs = (await jobs.runs.list({ limit: 10_000 })).items;
      const datasets: Record<string, string> = {}, models: Record<string, string> = {};
      for (const { id } of (await jobs.datasets.list({ limit: 10_000 })).items) {
        datasets[id] = await sha256(await jobs.datasets.bytes(id));
      }
      for (const { id } of (await jobs.models.list({ limit: 10_000 })).items) {
        models[id] = await sha256(await jobs.models.bytes(id));
      }
      return { datasets, models, runs };
    }
  }
}

await jobs.start();
say({ ready: true });
for await (const line of readLines(Deno.stdin.readable)) {
  const { id, request }: { id: number; request: Request } = JSON.parse(line);
  answer(request).then(
    (result) => say({ id, result }),
    (error) => say({ id, error: { name: error.name, message: error.message } }),
  );
}
await jobs.close();
Deno.exit(0);
