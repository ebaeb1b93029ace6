/** All runs, newest first. */
import { list } from "../api.ts";
import { empty, head, linkButton, type Page } from "../parts/page.ts";
import { longList, runRow } from "../parts/rows.ts";
import type { Run } from "../types.ts";

export const runs: Page = async ({ signal }) => {
  const page = await list<Run>("runs", signal);
  const start = linkButton("Fit a model", "#/runs/new", "primary");
  return {
    title: "Runs",
    body: [
      head({
        title: "Runs",
        about: "One run trains at a time on each device; the others wait in order.",
        actions: page.items.length > 0 && start,
      }),
      page.items.length > 0
        ? longList("Runs", "runs", page, (run) => runRow(run, signal))
        : empty("No runs yet", "A run fits a model to a dataset and keeps the best one.", start),
    ],
  };
};
