#!/usr/bin/env python3
"""Trial by trial, as in a closed loop: spikes out, factors back, over one connection that stays open.

    python3 examples/closed_loop.py m-0123456789abcdef data.npz --trials 500 --rate 100

The posterior mean (samples=0) is one deterministic pass; counts and factors travel as plain bytes.
Prints how long each trial took from end to end and on the device: the median, the 99th percentile and
the most. Exit codes: 0 done; 1 the server refused; 2 the command line cannot be used.
"""

import argparse
import http.client
import os
import re
import sys
import time
import urllib.parse

import numpy


class Loop:
    """A model to be asked one trial at a time."""

    def __init__(self, server, model, outputs="factors", key=None, timeout=10):
        address = urllib.parse.urlsplit(server)
        kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
        self.connection = kind(address.hostname, address.port, timeout=timeout)
        self.path = f"{address.path.rstrip('/')}/v1/models/{model}/infer?samples=0&outputs={outputs}"
        self.headers = {
            "Content-Type": "application/octet-stream",
            "Accept": "application/octet-stream",
            "X-Tensor-Dtype": "uint8",
        }
        if key:
            self.headers["Authorization"] = f"Bearer {key}"

    def infer(self, spikes):
        """Counts [bins, neurons] in; factors [bins, factors] and the device's milliseconds out."""
        counts = spikes.astype(numpy.uint8)
        headers = {**self.headers, "X-Tensor-Shape": f"1,{counts.shape[0]},{counts.shape[1]}"}
        self.connection.request("POST", self.path, counts.tobytes(), headers)
        answer = self.connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{answer.status} {body.decode(errors='replace')}")
        shape = [int(n) for n in answer.headers["X-Tensor-Shape"].split(",")]
        compute = re.search(r"compute;dur=([\d.]+)", answer.headers["Server-Timing"])
        factors = numpy.frombuffer(body, numpy.dtype(answer.headers["X-Tensor-Dtype"]))
        return factors.reshape(shape)[0], float(compute[1])


def main():
    parser = argparse.ArgumentParser(description="Posterior-mean inference, one trial at a time.")
    parser.add_argument("model")
    parser.add_argument("data", help="a .npz with spikes [trials, bins, neurons]")
    parser.add_argument("--server", default="http://127.0.0.1:8000")
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--rate", type=float, default=100, help="trials per second")
    parser.add_argument("--out", help="a .npz for the factors")
    args = parser.parse_args()
    with numpy.load(args.data) as archive:
        spikes = archive["spikes"]
    if spikes.max() > 255:
        parser.error("expected counts of at most 255 in each bin")

    loop = Loop(args.server, args.model, key=os.environ.get("LATENTD_KEY"))
    loop.infer(spikes[0])  # the first one loads the model
    factors, total_ms, compute_ms = [], [], []
    begin = time.perf_counter()
    for trial in range(args.trials):
        time.sleep(max(0, begin + trial / args.rate - time.perf_counter()))
        start = time.perf_counter()
        answer, compute = loop.infer(spikes[trial % len(spikes)])
        total_ms.append(1000 * (time.perf_counter() - start))
        compute_ms.append(compute)
        factors.append(answer)

    print(f"{args.trials} trials of {spikes.shape[1]} bins and {spikes.shape[2]} neurons, in ms:")
    for name, times in (("end to end", total_ms), ("on the device", compute_ms)):
        median, late, most = numpy.percentile(times, [50, 99, 100])
        print(f"  {name:14} median {median:.2f}   p99 {late:.2f}   most {most:.2f}")
    if args.out:
        numpy.savez(args.out, factors=numpy.stack(factors))


if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        sys.exit(f"{error}")
