"""LFADS in PyTorch, float32: the peer that latentd is timed against. See common.py for the protocol.

Eager autograd over a Python loop in time. Everything that does not depend on the recurrence is one
call for all bins; both encoder directions share each step as one batched product; `baddbmm`, `addmm`
and `lerp` fuse what they can; Adam is the fused one. Arrays are time-major inside. `torch.nn.GRU`
cannot be used: it applies the reset gate after the recurrent product. TORCH_PEER_COMPILE=1 compiles
the cells with Inductor. On a GPU everything is made there and products are in float32 (torch's default),
as latentd's are. Names are those of src/compute/kernels.ts.
"""

import os

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

import numpy as np  # noqa: E402
import torch  # noqa: E402

torch.set_num_threads(threads())
HAS_DEVICE = not ON_GPU or torch.cuda.is_available()
if ON_GPU and HAS_DEVICE:
    torch.set_default_device("cuda")
DEVICE = torch.cuda.get_device_name() if ON_GPU and HAS_DEVICE else "cpu"
COMPILE = os.environ.get("TORCH_PEER_COMPILE", "0") == "1"
optional_compile = torch.compile if COMPILE else (lambda f: f)


@optional_compile
def gru_pair(pre_gates, pre_candidate, h, w_gates, w_candidate):
    """One step of both directions: h [2][B][E], pre-activations with every bias in them."""
    r, u = torch.sigmoid(torch.baddbmm(pre_gates, h, w_gates)).chunk(2, -1)
    c = torch.tanh(torch.baddbmm(pre_candidate, r * h, w_candidate))
    return torch.lerp(c, h, u)


@optional_compile
def gru(pre_gates, pre_candidate, h, w_gates, w_candidate):
    """One GRU step: h [B][n]."""
    r, u = torch.sigmoid(torch.addmm(pre_gates, h, w_gates)).chunk(2, -1)
    c = torch.tanh(torch.addmm(pre_candidate, r * h, w_candidate))
    return torch.lerp(c, h, u)


def update_bias(n):
    """The fixed bias of the update gate, as a row to add to [r, u, candidate] pre-activations."""
    row = torch.zeros(3 * n)
    row[n : 2 * n] = UPDATE_BIAS
    return row


def kl_normal(mean, var, prior_mean, prior_var):
    """KL(N(mean, var) ‖ N(prior_mean, prior_var)), elementwise."""
    return 0.5 * (prior_var.log() - var.log() + (var + (mean - prior_mean) ** 2) / prior_var - 1)


def encode(p, x_TBN):
    """Both encoder directions: (forward_TBE, backward_TBE), each at its own bin."""
    T, B, N = x_TBN.shape
    E = p["encoder.h0_DE"].shape[1]
    bias = (p["encoder.b_D3E"] + update_bias(E)).reshape(6 * E)
    gates = torch.addmm(bias, x_TBN.reshape(T * B, N), p["encoder.wInput_ND3E"].reshape(N, 6 * E))
    gates = gates.view(T, B, 2, 3 * E)
    both = torch.stack([gates[:, :, 0], gates[:, :, 1].flip(0)], 1)
    pre_gates = both[..., : 2 * E].contiguous().unbind(0)
    pre_candidates = both[..., 2 * E :].contiguous().unbind(0)
    h = p["encoder.h0_DE"][:, None].expand(2, B, E)
    states = []
    for pre_gate, pre_candidate in zip(pre_gates, pre_candidates):
        h = gru_pair(pre_gate, pre_candidate, h, p["encoder.wGates_DE2E"], p["encoder.wCandidate_DEE"])
        states.append(h)
    h = torch.stack(states)
    return h[:, 0], h[:, 1].flip(0)


def dropout(x, scaled_keep):
    """`scaled_keep` holds 0 and 1/keepRate; None leaves x alone."""
    return x if scaled_keep is None else x * scaled_keep


def normalised(w_GF):
    """Ŵ: each factor's weights divided by their L2 norm."""
    return w_GF / w_GF.square().sum(0).sqrt()


def generator_bias(config, p):
    if config["cell"] == "gru":
        return p["generator.b_3G"] + update_bias(config["G"])
    return p["generator.b_G"]


def generator_input(config, p):
    """The inputs' weights: [U][3G] for a GRU, [U][G] for a vanilla generator."""
    return p["generator.wInput_U3G" if config["cell"] == "gru" else "generator.wInput_UG"]


def generator_step(config, p):
    """F(inputs' part of the pre-activations [.. or a row], h) of the configured generator."""
    G = config["G"]
    if config["cell"] == "gru":
        wg, wc = p["generator.wGates_G2G"], p["generator.wCandidate_GG"]
        return lambda pre, h: gru(pre[..., : 2 * G], pre[..., 2 * G :], h, wg, wc)
    sigma = {"tanh": torch.tanh, "relu": torch.relu, "identity": lambda v: v}
    sigma = sigma[config["nonlinearity"]]
    return lambda pre, h: sigma(torch.addmm(pre, h, p["generator.wRecurrent_GG"]))


def initial_condition(p, forward, backward, keep_ends):
    """(icMean_BI, icLogVar_BI) from the two ends of the encodings."""
    ends = dropout(torch.cat([backward[0], forward[-1]], -1), keep_ends)
    return torch.addmm(p["initialCondition.b_2I"], ends, p["initialCondition.w_2E2I"]).chunk(2, -1)


def controller_input(config, p, forward, backward, keep_enc):
    """The encodings' part of the controller's pre-activations, or None without a controller."""
    if config["U"] == 0:
        return None
    enc = dropout(torch.cat([forward, backward], -1), keep_enc)
    bias = p["controller.b_3C"] + update_bias(config["C"])
    return torch.addmm(bias, enc.flatten(0, 1), p["controller.wEncoding_2E3C"]).view(*enc.shape[:2], -1)


def decode(config, p, g0, con_input, eps_TRU, keep_gen):
    """The decoder over time: factors_TRF, gen_TRG, inputMean_TRU, inputLogVar_TRU, inputs_TRU.

    The last three are absent without inputs. `eps_TRU` None uses the posterior means of the inputs.
    """
    T, R, U, C = config["T"], g0.shape[0], config["U"], config["C"]
    hat = normalised(p["factors.w_GF"])
    cell, bias = generator_step(config, p), generator_bias(config, p)
    keeps = [None] * T if keep_gen is None else keep_gen.unbind(0)
    g = g0
    if U == 0:
        states = []
        for keep in keeps:
            g = dropout(cell(bias, g), keep)
            states.append(g)
        gen = torch.stack(states)
        return {"factors": gen @ hat, "gen": gen}
    c = p["controller.h0_C"].expand(R, C)
    f = torch.zeros(R, config["F"])
    pre_gates = con_input[..., : 2 * C].contiguous().unbind(0)
    pre_candidates = con_input[..., 2 * C :].contiguous().unbind(0)
    w_gates = torch.cat([p["controller.wGates_C2C"], p["controller.wFactors_F3C"][:, : 2 * C]])
    w_candidate = torch.cat([p["controller.wCandidate_CC"], p["controller.wFactors_F3C"][:, 2 * C :]])
    w_input = generator_input(config, p)
    noise = [None] * T if eps_TRU is None else eps_TRU.unbind(0)
    states, factors, outs, inputs = [], [], [], []
    for pre_gate, pre_candidate, eps, keep in zip(pre_gates, pre_candidates, noise, keeps):
        gate = torch.sigmoid(torch.addmm(pre_gate, torch.cat([c, f], 1), w_gates))
        r, u_gate = gate.chunk(2, -1)
        candidate = torch.addmm(pre_candidate, torch.cat([r * c, f], 1), w_candidate)
        c = torch.lerp(torch.tanh(candidate), c, u_gate)
        out = torch.addmm(p["inputs.b_2U"], c, p["inputs.w_C2U"])
        u = out[:, :U]
        if eps is not None:
            u = u + torch.sqrt(torch.exp(out[:, U:]) + config["varMin"]) * eps
        g = dropout(cell(torch.addmm(bias, u, w_input), g), keep)
        f = g @ hat
        states.append(g)
        factors.append(f)
        outs.append(out)
        inputs.append(u)
    out = torch.stack(outs)
    return {
        "factors": torch.stack(factors),
        # Only inference reads the states: training must not pay for stacking them.
        **({} if torch.is_grad_enabled() else {"gen": torch.stack(states)}),
        "inputMean": out[..., :U],
        "inputLogVar": out[..., U:],
        "inputs": torch.stack(inputs),
    }


def losses(config, p, x_TBN, noise, kl_scale):
    """Total without L2, and its terms (docs/model.md, section 2). `noise` holds scaled masks (or None), eps."""
    floor, B = config["varMin"], x_TBN.shape[1]
    forward, backward = encode(p, dropout(x_TBN, noise["keepSpikes"]))
    mean, logvar = initial_condition(p, forward, backward, noise["keepEnds"])
    var = logvar.exp() + floor
    g0 = mean + var.sqrt() * noise["epsIc"]
    con_input = controller_input(config, p, forward, backward, noise["keepEnc"])
    decoded = decode(config, p, g0, con_input, noise["epsInputs"], noise["keepGen"])
    factors = decoded["factors"]
    T, F, N = factors.shape[0], factors.shape[2], config["N"]
    log_rates = torch.addmm(p["readout.b_N"], factors.reshape(T * B, F), p["readout.w_FN"])
    nll = torch.nn.functional.poisson_nll_loss(
        log_rates, x_TBN.reshape(T * B, N), log_input=True, full=False, reduction="sum"
    ) / B
    prior_var = p["icPrior.logVar_I"].exp() + floor
    kl_ic = kl_normal(mean, var, p["icPrior.mean_I"], prior_var).sum() / B
    kl_inputs = torch.zeros(())
    if config["U"] > 0:
        phi = torch.exp(-torch.exp(-p["inputPrior.logTau_U"]))
        s2 = p["inputPrior.logNoiseVar_U"].exp() + floor
        u_mean, u = decoded["inputMean"], decoded["inputs"]
        m, u_var = p["inputPrior.mean_U"], decoded["inputLogVar"].exp() + floor
        kl_inputs = (
            kl_normal(u_mean[0], u_var[0], m, s2 / (1 - phi * phi)).sum()
            + kl_normal(u_mean[1:], u_var[1:], m + phi * u[:-1], s2).sum()
        ) / B
    return nll + kl_scale * (kl_ic + kl_inputs), {"nll": nll, "klIc": kl_ic, "klInputs": kl_inputs}


@torch.no_grad()
def add_l2(config, params):
    """Adds the gradient of l2 * Σ p² to every parameter's gradient; returns the term itself."""
    for w in params:  # the generator's own first state is read by nothing else
        w.grad = torch.zeros_like(w) if w.grad is None else w.grad
    torch._foreach_add_([w.grad for w in params], params, alpha=2 * config["l2"])
    return config["l2"] * sum(n * n for n in torch._foreach_norm(params))


def draw_noise(config):
    """Fresh scaled masks and normals for one step, time-major."""
    B, T, rate = config["B"], config["T"], config["keepRate"]
    E, G, U = config["E"], config["G"], config["U"]

    def mask(rate, *shape):
        return None if rate == 1 else torch.empty(shape).bernoulli_(rate).div_(rate)

    return {
        "keepSpikes": mask(rate, T, B, config["N"]),
        "keepEnds": mask(rate, B, 2 * E),
        "keepEnc": mask(rate, T, B, 2 * E) if U else None,
        "keepGen": mask(config["generatorKeepRate"], T, B, G),
        "epsIc": torch.randn(B, G),
        "epsInputs": torch.randn(T, B, U) if U else None,
    }


@torch.inference_mode()
def infer_mean(config, p, x_BTN):
    """Posterior mean: one deterministic pass; every output, trials first."""
    forward, backward = encode(p, x_BTN.swapaxes(0, 1).float())
    mean, _ = initial_condition(p, forward, backward, None)
    con_input = controller_input(config, p, forward, backward, None)
    decoded = decode(config, p, mean, con_input, None, None)
    outputs = {k: v.swapaxes(0, 1).contiguous() for k, v in decoded.items()}
    log_rates = outputs["factors"] @ p["readout.w_FN"] + p["readout.b_N"]
    return {"rates": log_rates.exp(), "logRates": log_rates, **outputs}


@torch.inference_mode()
def infer_samples(config, p, x_BTN, eps_ic, eps_inputs):
    """Posterior sample and average: every output averaged over the samples, trials first.

    Row r = trial * S + sample; the readout runs bin by bin, so that no sample's rates are kept.
    """
    S, B = config["S"], x_BTN.shape[0]
    forward, backward = encode(p, x_BTN.swapaxes(0, 1).float())
    mean, logvar = initial_condition(p, forward, backward, None)
    spread = torch.sqrt(logvar.exp() + config["varMin"])
    g0 = mean.repeat_interleave(S, 0) + spread.repeat_interleave(S, 0) * eps_ic
    con_input = controller_input(config, p, forward, backward, None)
    if con_input is not None:
        con_input = con_input.repeat_interleave(S, 1)
    decoded = decode(config, p, g0, con_input, eps_inputs, None)
    rates, log_rates = [], []
    for f in decoded["factors"]:
        by_trial = torch.addmm(p["readout.b_N"], f, p["readout.w_FN"]).view(B, S, -1)
        log_rates.append(by_trial.mean(1))
        rates.append(by_trial.exp_().mean(1))
    means = {
        k: v.reshape(v.shape[0], B, S, -1).mean(2).swapaxes(0, 1) for k, v in decoded.items()
    }
    return {"rates": torch.stack(rates, 1), "logRates": torch.stack(log_rates, 1), **means}


def fixed_points(config, p, points, star):
    """Adam on every candidate alone for `iterations`; (points, q before the last update)."""
    bias = generator_bias(config, p)
    if config["U"] > 0:
        bias = bias + star @ generator_input(config, p)
    cell = generator_step(config, p)
    h = points.clone().requires_grad_()
    adam = torch.optim.Adam(
        [h], config["stepSize"], betas=(config["adamB1"], config["adamB2"]), eps=config["adamEps"], fused=True
    )
    q = None
    for i in range(config["iterations"]):
        q = (cell(bias, h) - h).square().mean(-1)
        (h.grad,) = torch.autograd.grad(q.sum(), h)
        adam.param_groups[0]["lr"] = config["stepSize"] * config["decayFactor"] ** i
        adam.step()
    return h.detach(), q.detach()


def wait(_):
    """Returns when everything that was started is done."""
    if ON_GPU:
        torch.cuda.synchronize()


def to_host(outputs):
    """A caller's copy of every output."""
    return {k: v.cpu() for k, v in outputs.items()}


class Peer:
    """The state between commands."""

    def load(self, file):
        if not HAS_DEVICE:
            raise NoDevice("torch sees no GPU")
        arrays, self.config = read_tensors(file)
        params, rest = split_case(arrays)
        self.params = {k: torch.tensor(v) for k, v in params.items()}
        torch.manual_seed(self.config["seed"])
        getattr(self, "load_" + self.config["task"])(rest)
        return {
            "name": "torch",
            "versions": {"torch": torch.__version__, "numpy": np.__version__},
            "threads": threads(),
            "settings": {"device": DEVICE, "compile": COMPILE},
        }

    def load_train(self, rest):
        config = self.config
        spikes_TBN = torch.tensor(np.ascontiguousarray(rest["spikes_BTN"].swapaxes(0, 1)))
        params = [w.requires_grad_() for w in self.params.values()]
        adam = torch.optim.Adam(
            params,
            config["stepSize"],
            betas=(config["adamB1"], config["adamB2"]),
            eps=config["adamEps"],
            fused=True,
        )
        count = 0

        def run():
            nonlocal count
            trials = torch.randint(spikes_TBN.shape[1], (config["B"],))
            x = spikes_TBN.index_select(1, trials).float()
            ramp = (count - config["klStart"]) / (config["klEnd"] - config["klStart"])
            kl_scale = config["klMin"] + (config["klMax"] - config["klMin"]) * min(max(ramp, 0), 1)
            total, _ = losses(config, self.params, x, draw_noise(config), kl_scale)
            total.backward()
            loss = total.detach() + add_l2(config, params)
            torch.nn.utils.clip_grad_norm_(params, config["maxGradNorm"])
            rate = config["stepSize"] * config["decayFactor"] ** (count / config["decaySteps"])
            adam.param_groups[0]["lr"] = rate
            adam.step()
            adam.zero_grad()
            count += 1
            return loss

        self.step = run

    def load_infer(self, rest):
        config, p = self.config, self.params
        # from the caller's array to the caller's arrays, as latentd's call is timed
        counts = rest["spikes_BTN"].copy()
        if config["S"] == 0:
            self.step = lambda: to_host(infer_mean(config, p, torch.tensor(counts)))
            return
        R, T, G, U = counts.shape[0] * config["S"], config["T"], config["G"], config["U"]

        def run():
            eps_inputs = torch.randn(T, R, U) if U else None
            x = torch.tensor(counts)
            return to_host(infer_samples(config, p, x, torch.randn(R, G), eps_inputs))

        self.step = run

    def load_fixed_points(self, rest):
        points, star = torch.tensor(rest["points_KG"]), torch.tensor(rest["input_U"])
        self.step = lambda: fixed_points(self.config, self.params, points, star)

    def run(self, steps):
        queued = ON_GPU and self.config["task"] == "train"
        return {"ms": time_steps(self.step, steps, wait, queued)}

    def verify(self, file, out=None):
        """Computes a case with everything explicit; see bench/peers.ts for what each task holds."""
        arrays, config = read_tensors(file)
        params, rest = split_case(arrays)
        params = {k: torch.tensor(v) for k, v in params.items()}
        rest = {k: torch.tensor(v) for k, v in rest.items()}
        results, answer = getattr(self, "verify_" + config["task"])(config, params, rest)
        if out is not None:
            write_tensors(out, {k: v.detach().cpu().numpy() for k, v in results.items()})
        return {"losses": {k: float(v) for k, v in answer.items()}}

    def verify_train(self, config, params, rest):
        def mask(name, rate="keepRate", swap=True):
            keep = rest.get(name)
            if keep is None:
                return None
            return (keep.swapaxes(0, 1) if swap else keep).float() / config[rate]

        noise = {
            "keepSpikes": mask("keepSpikes_BTN"),
            "keepEnds": mask("keepEnds_B2E", swap=False),
            "keepEnc": mask("keepEnc_BT2E"),
            "keepGen": mask("keepGen_RTG", "generatorKeepRate"),
            "epsIc": rest["epsIc_RI"],
            "epsInputs": rest["epsInputs_TRU"] if config["U"] else None,
        }
        leaves = [w.requires_grad_() for w in params.values()]
        x = rest["spikes_BTN"].swapaxes(0, 1).float()
        total, terms = losses(config, params, x, noise, config["klScale"])
        total.backward()
        l2 = add_l2(config, leaves)
        norm = torch.nn.utils.get_total_norm([w.grad for w in leaves])
        grads = {k: w.grad for k, w in params.items()}
        answer = {"total": total + l2, **terms, "l2": l2, "gradNorm": norm}
        return grads, {k: v.detach() for k, v in answer.items()}

    def verify_infer(self, config, params, rest):
        x = rest["spikes_BTN"]
        if config["S"] == 0:
            outputs = infer_mean(config, params, x)
        else:
            eps = rest["epsInputs_TRU"] if config["U"] else None
            outputs = infer_samples(config, params, x, rest["epsIc_RI"], eps)
        return outputs, {"meanRate": outputs["rates"].mean()}

    def verify_fixed_points(self, config, params, rest):
        points, q = fixed_points(config, params, rest["points_KG"], rest["input_U"])
        return {"points": points, "speeds": q}, {"meanSpeed": q.mean()}


if __name__ == "__main__":
    peer = Peer()
    serve({"load": peer.load, "verify": peer.verify, "run": peer.run})
