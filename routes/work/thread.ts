/** The module of the thread. */
import { expose, transfer } from "comlink";
import type { Dataset } from "../../src/server.ts";
import { ArrayHost } from "./host.ts";

const host = new ArrayHost();

expose({
  toNpz(data: Dataset) {
    const bytes = host.toNpz(data);
    return transfer(bytes, [bytes.buffer]);
  },
});
