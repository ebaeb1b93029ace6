import { h } from "../dom.ts";

/** Lets the browser keep a file. */
export function keep(data: Blob, name: string): void {
  const url = URL.createObjectURL(data);
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
