/** Appends figures to RESULTS.md, with what is needed to judge them. */
import { machine } from "./machine.ts";
import type { Outcome } from "./measure.ts";
import type { Shape } from "./shapes.ts";
import type { Task } from "./task.ts";

const RESULTS = new URL("RESULTS.md", import.meta.url);

/** Adds one section: date, hardware, versions, and a line for each who took part. */
export async function record(
  name: string,
  shape: Shape,
  task: Task,
  { ours, peers }: Outcome,
): Promise<void> {
  const rows = [
    ["latentd", ours, task.device.adapter ?? task.device.arithmetic] as const,
    ...peers.map((peer) =>
      [peer.name, peer, [peer.info.versions, peer.info.settings].map(words).join("; ")] as const
    ),
  ];
  const text = [
    "",
    `### ${name} ${shape.name}, ${new Date().toISOString().slice(0, 10)}`,
    "",
    `${shape.title}. One figure is ${task.unit}. ${await machine(task.device)}` +
    `${task.device.adapter ? "" : `, ${ours.threads} threads`}.`,
    "",
    "| who | min ms | median ms | steps | × ours | with |",
    "| --- | --- | --- | --- | --- | --- |",
    ...rows.map(([who, { ms, median, steps }, what]) =>
      `| ${who} | ${ms.toPrecision(3)} | ${median.toPrecision(3)} | ${steps} | ` +
      `${(ms / ours.ms).toFixed(2)} | ${what} |`
    ),
    "",
  ].join("\n");
  await Deno.writeTextFile(RESULTS, text, { append: true });
}

/** Adds a section of text under a title with today's date. */
export async function recordText(title: string, text: string): Promise<void> {
  const date = new Date().toISOString().slice(0, 10);
  await Deno.writeTextFile(RESULTS, `\n### ${title}, ${date}\n\n${text}`, { append: true });
}

function words(values: Readonly<Record<string, unknown>>): string {
  return Object.entries(values).map(([key, value]) => `${key} ${value}`).join(", ");
}
