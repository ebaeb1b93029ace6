#!/usr/bin/env python3
"""A client of latentd: numpy and the standard library, nothing else.

    python3 examples/client.py data.npz --out results

uploads the spikes, trains with the losses shown as they come, infers rates and latents, finds fixed
points, and writes rates.npz, fixed_points.json and parameters.npz. Without a file it simulates spikes.
In your own code:

    from client import Client

    latentd = Client("http://127.0.0.1:8000")
    dataset = latentd.upload(spikes, bin_width_s=0.01)              # [trials, bins, neurons], counts
    run = latentd.train(dataset["id"], {"generatorUnits": 64, "factors": 20}, seed=1)
    for event in latentd.events(run["id"]):
        print(event)
    model = latentd.run(run["id"])["model"]
    rates = latentd.infer(model, spikes)["rates"]                   # expected spikes in each bin

Exit codes: 0 done; 1 the server refused, or the run failed; 2 the command line cannot be used.
"""

import argparse
import http.client
import io
import json
import os
import pathlib
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

import numpy

FINAL_STATES = ("completed", "failed", "cancelled")

# The Open Inference Protocol's names of numpy's types.
OIP_TYPES = {"BOOL": "?", "UINT8": "u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8",
             "INT8": "i1", "INT16": "<i2", "INT32": "<i4", "INT64": "<i8", "FP32": "<f4", "FP64": "<f8"}


class Problem(Exception):
    """What the server refused, in its words."""


class Client:
    """A server. `key` is needed where it listens beyond its own machine."""

    def __init__(self, server="http://127.0.0.1:8000", key=None, timeout=600):
        self.server = server.rstrip("/")
        self.timeout = timeout
        self.headers = {"Authorization": f"Bearer {key}"} if key else {}

    def request(self, method, path, body=None, headers=None, timeout=None):
        """Sends bytes, or anything else as JSON; the answer is open, to be read."""
        headers = {**self.headers, **(headers or {})}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(self.server + path, body, headers, method=method)
        try:
            return urllib.request.urlopen(request, timeout=timeout or self.timeout)
        except urllib.error.HTTPError as error:
            with error:
                text = error.read().decode(errors="replace")
            try:
                text = json.loads(text)["error"]
            except (ValueError, KeyError, TypeError):
                pass
            raise Problem(f"{method} {path}: {error.code} {text}") from None

    def json(self, method, path, body=None):
        with self.request(method, path, body) as answer:
            return json.load(answer)

    def npz(self, method, path, body=None, headers=None):
        """Arrays by name, from an answer that is a .npz archive."""
        headers = {"Accept": "application/x-npz", **(headers or {})}
        with self.request(method, path, body, headers) as answer:
            with numpy.load(io.BytesIO(answer.read())) as archive:
                return dict(archive)

    def upload(self, spikes, bin_width_s=None, condition=None, name="spikes.npz"):
        """Stores counts [trials, bins, neurons]; the dataset, with its id."""
        arrays = {"spikes": spikes, "bin_width_s": bin_width_s, "condition": condition}
        body = npz_bytes({key: array for key, array in arrays.items() if array is not None})
        query = urllib.parse.urlencode({"name": name})
        headers = {"Content-Type": "application/x-npz"}
        with self.request("POST", f"/v1/datasets?{query}", body, headers) as answer:
            return json.load(answer)

    def train(self, dataset, hyperparameters=None, **options):
        """Queues a run; options are seed, device, starts, reproducible, report, resumeFrom."""
        wanted = {"dataset": dataset, "hyperparameters": hyperparameters or {}, **options}
        return self.json("POST", "/v1/runs", wanted)

    def run(self, run):
        return self.json("GET", f"/v1/runs/{run}")

    def cancel(self, run):
        """Asks a run to stop; what it has trained becomes a model."""
        return self.json("POST", f"/v1/runs/{run}/cancel")

    def events(self, run, after=0, patience=60):
        """What happens in a run until it is over, from the first event on, each one once.

        Where the connection is lost it comes back and goes on behind the last event that it got, and
        gives up after about `patience` seconds in which nobody answers.
        """
        failures = 0
        while True:
            try:
                headers = {"Accept": "text/event-stream", "Last-Event-ID": str(after)}
                # the server shows a sign of life every 15 s
                with self.request("GET", f"/v1/runs/{run}/events", None, headers, 60) as stream:
                    if stream.status == 204:  # all is known
                        return
                    for line in stream:
                        failures = 0
                        if not line.endswith(b"\n"):  # cut off
                            break
                        if line.startswith(b"data: "):
                            event = json.loads(line[6:])
                            after = event["id"]
                            yield event
                            if event["kind"] == "state" and event["state"] in FINAL_STATES:
                                return
            except (OSError, http.client.HTTPException):
                if failures >= patience:
                    raise
            failures += 1
            time.sleep(1)

    def infer(self, model, spikes, samples=64, seed=0, **options):
        """Arrays by name: rates, factors, gen_states, gen_init …, trials first.

        `samples` posterior samples of each trial are averaged; 0 is the posterior mean. Further options
        are outputs ("rates,factors"), first_trial and bin_width_s.
        """
        query = urllib.parse.urlencode({"samples": samples, "seed": seed, **options})
        body = npz_bytes({"spikes": spikes})
        headers = {"Content-Type": "application/x-npz"}
        return self.npz("POST", f"/v1/models/{model}/infer?{query}", body, headers)

    def infer_oip(self, model, spikes, outputs=(), samples=64, seed=0):
        """The same by the Open Inference Protocol, with its binary tensors."""
        spikes = numpy.asarray(spikes)
        spikes = numpy.ascontiguousarray(spikes, spikes.dtype.newbyteorder("<"))
        datatype = {numpy.dtype(kind): name for name, kind in OIP_TYPES.items()}[spikes.dtype]
        head = json.dumps({
            "inputs": [{
                "name": "spikes",
                "shape": list(spikes.shape),
                "datatype": datatype,
                "parameters": {"binary_data_size": spikes.nbytes},
            }],
            "outputs": [{"name": name} for name in outputs],
            "parameters": {"samples": samples, "seed": seed, "binary_data_output": True},
        }).encode()
        headers = {
            "Content-Type": "application/octet-stream",
            "Inference-Header-Content-Length": str(len(head)),
        }
        body = head + spikes.tobytes()
        with self.request("POST", f"/v2/models/{model}/infer", body, headers) as answer:
            length = int(answer.headers["Inference-Header-Content-Length"])
            found, tail = json.loads(answer.read(length)), answer.read()
        arrays, at = {}, 0
        for output in found["outputs"]:
            size = output["parameters"]["binary_data_size"]
            array = numpy.frombuffer(tail[at:at + size], OIP_TYPES[output["datatype"]])
            arrays[output["name"]] = array.reshape(output["shape"])
            at += size
        return arrays

    def fixed_points(self, model, **options):
        """Points, eigenvalues, classes, time constants; options are dataset, candidates, seed, search …"""
        return self.json("POST", f"/v1/models/{model}/fixed-points", options)

    def parameters(self, model):
        """Every learned array by name, [in, out]."""
        return self.npz("GET", f"/v1/models/{model}/parameters")


def npz_bytes(arrays):
    """A .npz archive in memory."""
    file = io.BytesIO()
    numpy.savez(file, **arrays)
    return file.getvalue()


def simulate(trials=200, bins=50, neurons=30, seed=0):
    """Neurons that see a point turn on a circle, once in a trial, each trial from an angle of its own."""
    random = numpy.random.default_rng(seed)
    start = random.uniform(0, 2 * numpy.pi, (trials, 1, 1))
    turn = numpy.linspace(0, 2 * numpy.pi, bins)[:, None]
    preferred = numpy.linspace(0, 2 * numpy.pi, neurons, endpoint=False)
    return random.poisson(numpy.exp(1.5 * numpy.cos(start + turn - preferred) - 1)).astype(numpy.uint16)


def main():
    parser = argparse.ArgumentParser(description="Spikes to rates, latents and fixed points.")
    parser.add_argument("data", nargs="?", help="a .npz with spikes and, where known, bin_width_s")
    parser.add_argument("--server", default="http://127.0.0.1:8000")
    parser.add_argument("--hyperparameters", type=json.loads, metavar="JSON",
                        default={"generatorUnits": 16, "encoderUnits": 16, "factors": 4, "steps": 500})
    parser.add_argument("--device", choices=("auto", "webgpu", "wasm", "reference"), default="auto")
    parser.add_argument("--samples", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("."))
    args = parser.parse_args()
    latentd = Client(args.server, os.environ.get("LATENTD_KEY"))

    if args.data:
        with numpy.load(args.data) as archive:
            spikes = archive["spikes"]
            bin_width_s = float(archive["bin_width_s"]) if "bin_width_s" in archive else None
    else:
        spikes, bin_width_s = simulate(seed=args.seed), 0.01

    dataset = latentd.upload(spikes, bin_width_s)
    print(f"dataset {dataset['id']}: {dataset['trials']} trials, {dataset['T']} bins, {dataset['N']} neurons")

    run = latentd.train(dataset["id"], args.hyperparameters, device=args.device, seed=args.seed)
    print(f"run {run['id']}")
    for event in latentd.events(run["id"]):
        if event["kind"] == "device":
            print(f"  on {event['device']['name']}: {event['device']['reason']}")
        if event["kind"] == "evaluation":
            losses = event["entry"]["evaluation"]
            print(f"  step {event['entry']['step']}: nll {losses['nll']:.2f}, KL {losses['klIc']:.2f}")
    run = latentd.run(run["id"])
    if run["state"] != "completed":
        raise Problem(f"The run {run['id']} is {run['state']}: {run['failure']}")
    model = run["model"]
    print(f"model {model}")

    args.out.mkdir(parents=True, exist_ok=True)
    arrays = latentd.infer(model, spikes, samples=args.samples, seed=args.seed)
    numpy.savez(args.out / "rates.npz", **arrays)
    print(f"rates.npz: {', '.join(f'{name} {array.shape}' for name, array in arrays.items())}")

    # one trial at a time by the standard protocol: the posterior mean, as in a closed loop
    first = latentd.infer_oip(model, spikes[:1], ["factors"], samples=0)["factors"]
    print(f"factors of the first trial by the Open Inference Protocol: {first.shape}")

    points = latentd.fixed_points(model, dataset=dataset["id"], seed=args.seed)
    (args.out / "fixed_points.json").write_text(json.dumps(points, indent=1))
    print(f"fixed_points.json: {points['counts']['kept']} points")
    for point in points["fixedPoints"]:
        print(f"  {point['class']}, q {point['q']:.1e}")

    parameters = latentd.parameters(model)
    numpy.savez(args.out / "parameters.npz", **parameters)
    print(f"parameters.npz: {sum(array.size for array in parameters.values())} numbers")


if __name__ == "__main__":
    try:
        main()
    except (Problem, OSError) as error:
        sys.exit(f"{error}")  # to stderr, with exit code 1
