"""LFADS in JAX, float32: the peer that latentd is timed against. See common.py for the protocol.

One jit holds the whole train step: minibatch gather, dropout masks and noise, forward, backward by
`value_and_grad`, clipping, Adam; the state is donated. What does not depend on the recurrence stands
outside the scans: the inputs' part of the gates for all bins at once, the readout, both KL terms.
Arrays are time-major inside. On a GPU products are in float32, as latentd's are, and not in the TF32 that
JAX takes by default. Names are those of src/compute/kernels.ts.
"""

import math
import os
from functools import partial

from common import (
    ON_GPU,
    UPDATE_BIAS,
    NoDevice,
    read_tensors,
    serve,
    split_case,
    threads,
    time_steps,
    write_tensors,
)

os.environ["JAX_PLATFORMS"] = "cuda" if ON_GPU else "cpu"
# others compute on the same GPU
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from jax import lax  # noqa: E402

# Tried on two EPYC cores; see bench/RESULTS.md for what each choice was worth.
UNROLL = int(os.environ.get("JAX_PEER_UNROLL", "1"))
PRNG = os.environ.get("JAX_PEER_PRNG", "threefry2x32")
DIRECTIONS = os.environ.get("JAX_PEER_DIRECTIONS", "joined")
PRECISION = os.environ.get("JAX_PEER_PRECISION", "float32")
jax.config.update("jax_default_matmul_precision", PRECISION)

scan = partial(lax.scan, unroll=UNROLL)


def gru(gates_x, h, w_gates, w_candidate):
    """One GRU step; `gates_x` [B][3n] is the inputs' part with every bias in it (r, u, candidate)."""
    n = h.shape[-1]
    ru = jax.nn.sigmoid(gates_x[..., : 2 * n] + h @ w_gates)
    r, u = ru[..., :n], ru[..., n:]
    c = jnp.tanh(gates_x[..., 2 * n :] + (r * h) @ w_candidate)
    return u * h + (1 - u) * c


def update_bias(n):
    """The fixed bias of the update gate, as a row to add to [r, u, candidate] pre-activations."""
    return jnp.repeat(jnp.array([0.0, UPDATE_BIAS, 0.0], jnp.float32), n)


def kl_normal(mean, var, prior_mean, prior_var):
    """KL(N(mean, var) ‖ N(prior_mean, prior_var)), elementwise."""
    return 0.5 * (
        jnp.log(prior_var) - jnp.log(var) + (var + (mean - prior_mean) ** 2) / prior_var - 1
    )


def encode(p, x_TBN):
    """Both encoder directions: (forward_TBE, backward_TBE), each at its own bin."""
    T, B, N = x_TBN.shape
    E = p["encoder.h0_DE"].shape[1]
    bias = p["encoder.b_D3E"] + update_bias(E)
    gates = x_TBN.reshape(T * B, N) @ p["encoder.wInput_ND3E"].reshape(N, 6 * E) + bias.reshape(6 * E)
    gates = gates.reshape(T, B, 6 * E)
    wg, wc = p["encoder.wGates_DE2E"], p["encoder.wCandidate_DEE"]
    h0 = jnp.broadcast_to(p["encoder.h0_DE"][:, None], (2, B, E))
    if DIRECTIONS == "apart":

        def one(d, gates_d, reverse):
            def step(h, gx):
                h = gru(gx, h, wg[d], wc[d])
                return h, h

            return scan(step, h0[d], gates_d, reverse=reverse)[1]

        return one(0, gates[..., : 3 * E], False), one(1, gates[..., 3 * E :], True)
    forward, backward = gates[..., : 3 * E], gates[::-1, :, 3 * E :]
    if DIRECTIONS == "batched":

        def both(h, gx):
            h = gru(gx, h, wg, wc)
            return h, h

        h = scan(both, h0, jnp.stack([forward, backward], 1))[1]
        return h[:, 0], h[::-1, 1]

    def pair(h, gx):
        h = (gru(gx[0], h[0], wg[0], wc[0]), gru(gx[1], h[1], wg[1], wc[1]))
        return h, h

    f, b = scan(pair, (h0[0], h0[1]), (forward, backward))[1]
    return f, b[::-1]


def dropout(x, keep, rate):
    return x if keep is None else jnp.where(keep, x / rate, 0)


def normalised(w_GF):
    """Ŵ: each factor's weights divided by their L2 norm."""
    return w_GF / jnp.sqrt(jnp.sum(w_GF * w_GF, 0))


def generator_step(config, p):
    """F(h, inputs' part of the pre-activations, bias included) of the configured generator."""
    if config["cell"] == "gru":
        wg, wc = p["generator.wGates_G2G"], p["generator.wCandidate_GG"]
        return lambda pre, g: gru(pre, g, wg, wc)
    sigma = {"tanh": jnp.tanh, "relu": jax.nn.relu, "identity": lambda v: v}[config["nonlinearity"]]
    return lambda pre, g: sigma(g @ p["generator.wRecurrent_GG"] + pre)


def generator_bias(config, p):
    if config["cell"] == "gru":
        return p["generator.b_3G"] + update_bias(config["G"])
    return p["generator.b_G"]


def generator_input(config, p):
    """The inputs' weights: [U][3G] for a GRU, [U][G] for a vanilla generator."""
    return p["generator.wInput_U3G" if config["cell"] == "gru" else "generator.wInput_UG"]


def initial_condition(p, forward, backward, keep_ends, rate):
    """(icMean_BI, icLogVar_BI) from the two ends of the encodings."""
    ends = dropout(jnp.concatenate([backward[0], forward[-1]], -1), keep_ends, rate)
    return jnp.split(ends @ p["initialCondition.w_2E2I"] + p["initialCondition.b_2I"], 2, -1)


def decode(config, p, g0, con_input, eps_TRU, keep_gen):
    """The decoder over time: factors_TRF, gen_TRG, inputMean_TRU, inputLogVar_TRU, inputs_TRU.

    The last three are absent without inputs. `eps_TRU` None uses the posterior means of the inputs; a
    trial's `con_input` is repeated for its samples by the caller.
    """
    hat = normalised(p["factors.w_GF"])
    cell, bias = generator_step(config, p), generator_bias(config, p)
    rate = config["generatorKeepRate"]
    if config["U"] == 0:

        def autonomous(g, keep):
            g = dropout(cell(bias, g), keep, rate)
            return g, g

        gen = scan(autonomous, g0, keep_gen, length=config["T"])[1]
        return {"factors": gen @ hat, "gen": gen}

    U = config["U"]

    def step(carry, xs):
        c, g, f = carry
        gates_x, eps, keep = xs
        c = gru(gates_x + f @ p["controller.wFactors_F3C"], c, p["controller.wGates_C2C"], p["controller.wCandidate_CC"])
        out = c @ p["inputs.w_C2U"] + p["inputs.b_2U"]
        mean, logvar = out[:, :U], out[:, U:]
        u = mean
        if eps is not None:
            u = mean + jnp.sqrt(jnp.exp(logvar) + config["varMin"]) * eps
        g = dropout(cell(u @ generator_input(config, p) + bias, g), keep, rate)
        f = g @ hat
        outputs = {"factors": f, "gen": g, "inputMean": mean, "inputLogVar": logvar, "inputs": u}
        return (c, g, f), outputs

    R = g0.shape[0]
    c0 = jnp.broadcast_to(p["controller.h0_C"], (R, config["C"]))
    f0 = jnp.zeros((R, config["F"]), jnp.float32)
    return scan(step, (c0, g0, f0), (con_input, eps_TRU, keep_gen))[1]


def losses(config, p, x_TBN, noise, kl_scale):
    """Total and the loss terms of docs/model.md, section 2. `noise` holds time-major masks (or None) and eps."""
    rate, floor = config["keepRate"], config["varMin"]
    B = x_TBN.shape[1]
    forward, backward = encode(p, dropout(x_TBN, noise["keepSpikes"], rate))
    mean, logvar = initial_condition(p, forward, backward, noise["keepEnds"], rate)
    var = jnp.exp(logvar) + floor
    g0 = mean + jnp.sqrt(var) * noise["epsIc"]
    con_input = None
    if config["U"] > 0:
        enc = dropout(jnp.concatenate([forward, backward], -1), noise["keepEnc"], rate)
        con_input = enc @ p["controller.wEncoding_2E3C"] + (p["controller.b_3C"] + update_bias(config["C"]))
    decoded = decode(config, p, g0, con_input, noise["epsInputs"], noise["keepGen"])
    log_rates = decoded["factors"] @ p["readout.w_FN"] + p["readout.b_N"]
    nll = jnp.sum(jnp.exp(log_rates) - x_TBN * log_rates) / B
    prior_var = jnp.exp(p["icPrior.logVar_I"]) + floor
    kl_ic = jnp.sum(kl_normal(mean, var, p["icPrior.mean_I"], prior_var)) / B
    kl_inputs = 0.0
    if config["U"] > 0:
        phi = jnp.exp(-jnp.exp(-p["inputPrior.logTau_U"]))
        s2 = jnp.exp(p["inputPrior.logNoiseVar_U"]) + floor
        u_mean, u = decoded["inputMean"], decoded["inputs"]
        m, u_var = p["inputPrior.mean_U"], jnp.exp(decoded["inputLogVar"]) + floor
        kl_inputs = (
            jnp.sum(kl_normal(u_mean[0], u_var[0], m, s2 / (1 - phi * phi)))
            + jnp.sum(kl_normal(u_mean[1:], u_var[1:], m + phi * u[:-1], s2))
        ) / B
    l2 = config["l2"] * sum(jnp.sum(w * w) for w in jax.tree.leaves(p))
    total = nll + kl_scale * (kl_ic + kl_inputs) + l2
    return total, {"nll": nll, "klIc": kl_ic, "klInputs": kl_inputs, "l2": l2}


def global_norm(grads):
    return jnp.sqrt(sum(jnp.sum(g * g) for g in jax.tree.leaves(grads)))


def bias_correction(b, count):
    """1 - b^count, without the digits that float32 loses when b is close to 1."""
    return -jnp.expm1(count * math.log(b))


def draw_noise(config, key):
    """Fresh masks and normals for one step, time-major."""
    B, T, rate = config["B"], config["T"], config["keepRate"]
    keys = iter(jax.random.split(key, 6))

    def mask(rate, *shape):
        k = next(keys)
        if rate == 1:
            return None
        return jax.random.bits(k, shape, jnp.uint32) < np.uint32(round(rate * 2**32))

    E, G, U = config["E"], config["G"], config["U"]
    return {
        "keepSpikes": mask(rate, T, B, config["N"]),
        "keepEnds": mask(rate, B, 2 * E),
        "keepEnc": mask(rate, T, B, 2 * E) if U else None,
        "keepGen": mask(config["generatorKeepRate"], T, B, G),
        "epsIc": jax.random.normal(next(keys), (B, G), jnp.float32),
        "epsInputs": jax.random.normal(next(keys), (T, B, U), jnp.float32) if U else None,
    }


def train_step(config, spikes_TBN, state):
    """One optimiser step on a fresh minibatch; returns (state, loss)."""
    step, key, p, m, v = state
    key, k_batch, k_noise = jax.random.split(key, 3)
    trials = jax.random.randint(k_batch, (config["B"],), 0, spikes_TBN.shape[1])
    x = spikes_TBN[:, trials].astype(jnp.float32)
    noise = draw_noise(config, k_noise)
    ramp = (step - config["klStart"]) / (config["klEnd"] - config["klStart"])
    kl_scale = config["klMin"] + (config["klMax"] - config["klMin"]) * jnp.clip(ramp, 0, 1)
    (total, _), grads = jax.value_and_grad(
        lambda q: losses(config, q, x, noise, kl_scale), has_aux=True
    )(p)
    scale = jnp.minimum(1, config["maxGradNorm"] / global_norm(grads))
    b1, b2, count = config["adamB1"], config["adamB2"], step + 1
    rate = config["stepSize"] * config["decayFactor"] ** (step / config["decaySteps"])
    m = jax.tree.map(lambda a, g: b1 * a + (1 - b1) * scale * g, m, grads)
    v = jax.tree.map(lambda a, g: b2 * a + (1 - b2) * (scale * g) ** 2, v, grads)
    c1, c2 = rate / bias_correction(b1, count), 1 / bias_correction(b2, count)
    p = jax.tree.map(
        lambda w, a, s: w - c1 * a / (jnp.sqrt(s * c2) + config["adamEps"]), p, m, v
    )
    return (step + 1, key, p, m, v), total


def infer_mean(config, p, x_BTN):
    """Posterior mean: one deterministic pass; every output, trials first."""
    forward, backward = encode(p, x_BTN.transpose(1, 0, 2))
    mean, _ = initial_condition(p, forward, backward, None, 1)
    con_input = controller_input(config, p, forward, backward)
    decoded = decode(config, p, mean, con_input, None, None)
    outputs = {k: v.transpose(1, 0, 2) for k, v in decoded.items()}
    log_rates = outputs["factors"] @ p["readout.w_FN"] + p["readout.b_N"]
    return {"rates": jnp.exp(log_rates), "logRates": log_rates, **outputs}


def controller_input(config, p, forward, backward):
    if config["U"] == 0:
        return None
    enc = jnp.concatenate([forward, backward], -1)
    return enc @ p["controller.wEncoding_2E3C"] + (p["controller.b_3C"] + update_bias(config["C"]))


def infer_samples(config, p, x_BTN, eps_ic, eps_inputs):
    """Posterior sample and average: every output averaged over the samples, trials first.

    Row r = trial * S + sample. The encoder runs once per trial; the readout runs bin by bin, so that
    no sample's rates are kept.
    """
    S = config["S"]
    B = x_BTN.shape[0]
    forward, backward = encode(p, x_BTN.transpose(1, 0, 2))
    mean, logvar = initial_condition(p, forward, backward, None, 1)
    spread = jnp.sqrt(jnp.exp(logvar) + config["varMin"])
    g0 = jnp.repeat(mean, S, 0) + jnp.repeat(spread, S, 0) * eps_ic
    con_input = controller_input(config, p, forward, backward)
    if con_input is not None:
        con_input = jnp.repeat(con_input, S, 1)
    decoded = decode(config, p, g0, con_input, eps_inputs, None)

    def readout(f):
        log_rates = f @ p["readout.w_FN"] + p["readout.b_N"]
        by_trial = log_rates.reshape(B, S, -1)
        return jnp.exp(by_trial).mean(1), by_trial.mean(1)

    rates, log_rates = lax.map(readout, decoded["factors"])
    means = {k: v.reshape(v.shape[0], B, S, -1).mean(2) for k, v in decoded.items()}
    outputs = {"rates": rates, "logRates": log_rates, **means}
    return {k: v.transpose(1, 0, 2) for k, v in outputs.items()}


def speeds(config, p, points, bias):
    """q(h) = mean over units of (F(h, u*) - h)², for every candidate."""
    return jnp.mean((generator_step(config, p)(bias, points) - points) ** 2, -1)


def fixed_points(config, p, points, star):
    """Adam on every candidate alone for `iterations`; (points, q before the last update)."""
    bias = generator_bias(config, p)
    if config["U"] > 0:
        bias = bias + star @ generator_input(config, p)
    b1, b2 = config["adamB1"], config["adamB2"]

    def total(h):
        q = speeds(config, p, h, bias)
        return jnp.sum(q), q

    def body(i, state):
        h, m, v, _ = state
        (_, q), g = jax.value_and_grad(total, has_aux=True)(h)
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        rate = config["stepSize"] * config["decayFactor"] ** i
        c1, c2 = rate / bias_correction(b1, i + 1), 1 / bias_correction(b2, i + 1)
        return h - c1 * m / (jnp.sqrt(v * c2) + config["adamEps"]), m, v, q

    zeros = jnp.zeros_like(points)
    q0 = jnp.zeros(points.shape[0], jnp.float32)
    h, _, _, q = lax.fori_loop(0, config["iterations"], body, (points, zeros, zeros, q0))
    return h, q


class Peer:
    """The state between commands."""

    def load(self, file):
        try:
            device = jax.devices()[0].device_kind
        except (RuntimeError, AssertionError) as error:
            raise NoDevice("JAX sees no GPU") from error
        arrays, self.config = read_tensors(file)
        self.params, rest = split_case(arrays)
        getattr(self, "load_" + self.config["task"])(rest)
        return {
            "name": "jax",
            "versions": {"jax": jax.__version__, "numpy": np.__version__},
            "threads": threads(),
            "settings": {
                "device": device,
                "unroll": UNROLL,
                "prng": PRNG,
                "directions": DIRECTIONS,
                "precision": PRECISION,
            },
        }

    def load_train(self, rest):
        config = self.config
        spikes = jnp.asarray(np.ascontiguousarray(rest["spikes_BTN"].swapaxes(0, 1)))
        step = jax.jit(partial(train_step, config), donate_argnums=1)
        p = jax.tree.map(jnp.array, self.params)
        zeros = jax.tree.map(jnp.zeros_like, p)
        key = jax.random.key(config["seed"], impl=PRNG)
        self.state = (jnp.float32(0), key, p, zeros, jax.tree.map(jnp.copy, zeros))

        def run():
            self.state, loss = step(spikes, self.state)
            return self.state[2], loss

        self.step = run

    def load_infer(self, rest):
        config = self.config
        # from the caller's array to the caller's arrays, as latentd's call is timed
        counts = rest["spikes_BTN"]
        p = jax.tree.map(jnp.array, self.params)
        if config["S"] == 0:
            apply = jax.jit(lambda p, x: infer_mean(config, p, x.astype(jnp.float32)))
            self.step = lambda: jax.device_get(apply(p, jnp.asarray(counts)))
            return
        key = jax.random.key(config["seed"], impl=PRNG)
        R = counts.shape[0] * config["S"]

        @jax.jit
        def apply(p, x, key):
            k0, k1, key = jax.random.split(key, 3)
            eps_ic = jax.random.normal(k0, (R, config["G"]), jnp.float32)
            eps_inputs = jax.random.normal(k1, (config["T"], R, config["U"]), jnp.float32)
            x = x.astype(jnp.float32)
            return infer_samples(config, p, x, eps_ic, eps_inputs if config["U"] else None), key

        self.key = key

        def run():
            out, self.key = apply(p, jnp.asarray(counts), self.key)
            return jax.device_get(out)

        self.step = run

    def load_fixed_points(self, rest):
        config = self.config
        p = jax.tree.map(jnp.array, self.params)
        points, star = jnp.asarray(rest["points_KG"]), jnp.asarray(rest["input_U"])
        apply = jax.jit(partial(fixed_points, config))
        self.step = lambda: apply(p, points, star)

    def run(self, steps):
        queued = ON_GPU and self.config["task"] == "train"
        return {"ms": time_steps(self.step, steps, jax.block_until_ready, queued)}

    def verify(self, file, out=None):
        """Computes a case with everything explicit; see bench/peers.ts for what each task holds."""
        arrays, config = read_tensors(file)
        params, rest = split_case(arrays)
        rest = {k: jnp.asarray(v) for k, v in rest.items()}
        results, answer = getattr(self, "verify_" + config["task"])(config, params, rest)
        if out is not None:
            write_tensors(out, {k: np.asarray(v, np.float32) for k, v in results.items()})
        return {"losses": {k: float(v) for k, v in answer.items()}}

    def verify_train(self, config, params, rest):
        def mask(name, swap=True):
            keep = rest.get(name)
            if keep is None:
                return None
            return (keep.swapaxes(0, 1) if swap else keep) != 0

        noise = {
            "keepSpikes": mask("keepSpikes_BTN"),
            "keepEnds": mask("keepEnds_B2E", swap=False),
            "keepEnc": mask("keepEnc_BT2E"),
            "keepGen": mask("keepGen_RTG"),
            "epsIc": rest["epsIc_RI"],
            "epsInputs": rest["epsInputs_TRU"] if config["U"] else None,
        }
        x = rest["spikes_BTN"].swapaxes(0, 1).astype(jnp.float32)

        @jax.jit
        def value(p):
            return jax.value_and_grad(
                lambda q: losses(config, q, x, noise, config["klScale"]), has_aux=True
            )(p)

        (total, terms), grads = value(jax.tree.map(jnp.asarray, params))
        return grads, {"total": total, **terms, "gradNorm": global_norm(grads)}

    def verify_infer(self, config, params, rest):
        p = jax.tree.map(jnp.asarray, params)
        x = rest["spikes_BTN"].astype(jnp.float32)
        if config["S"] == 0:
            outputs = jax.jit(partial(infer_mean, config))(p, x)
        else:
            eps = rest["epsInputs_TRU"] if config["U"] else None
            outputs = jax.jit(partial(infer_samples, config))(p, x, rest["epsIc_RI"], eps)
        return outputs, {"meanRate": outputs["rates"].mean()}

    def verify_fixed_points(self, config, params, rest):
        p = jax.tree.map(jnp.asarray, params)
        apply = jax.jit(partial(fixed_points, config))
        points, q = apply(p, rest["points_KG"], rest["input_U"])
        return {"points": points, "speeds": q}, {"meanSpeed": q.mean()}


if __name__ == "__main__":
    peer = Peer()
    serve({"load": peer.load, "verify": peer.verify, "run": peer.run})
