/**
 * What the server uses of prom-client, without the rest of it: the process's own metrics, clusters and the
 * push gateway load much of Node, and a server starts sooner without.
 */
import type * as client from "prom-client";
import counter from "prom-client/lib/counter.js";
import gauge from "prom-client/lib/gauge.js";
import histogram from "prom-client/lib/histogram.js";
import registry from "prom-client/lib/registry.js";

type Client = typeof client;

export const Counter = counter as unknown as Client["Counter"];
export const Gauge = gauge as unknown as Client["Gauge"];
export const Histogram = histogram as unknown as Client["Histogram"];
export const Registry = registry as unknown as Client["Registry"];
