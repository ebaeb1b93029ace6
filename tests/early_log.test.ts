/** Lines that are logged before the log's library is loaded. */
import assert from "node:assert/strict";
import { earlyLog } from "../routes/early_log.ts";
import { createLogger } from "../routes/logs.ts";

Deno.test("lines wait for the log's library, in order, and none is lost", async () => {
  const lines: string[] = [];
  let opened = 0;
  const log = earlyLog("info", () => {
    opened++;
    return Promise.resolve(createLogger("info", (line) => lines.push(line)));
  });
  log.info({ n: 1 }, "first");
  log.error({ n: 2 }, "second");
  assert.deepEqual(lines, []);
  await Promise.all([log.load(), log.load()]);
  log.warn({ n: 3 }, "third");
  const found = lines.map((line) => JSON.parse(line)).map(({ level, n, msg }) => [level, n, msg]);
  assert.deepEqual(found, [["info", 1, "first"], ["error", 2, "second"], ["warn", 3, "third"]]);
  assert.equal(opened, 1);
});
