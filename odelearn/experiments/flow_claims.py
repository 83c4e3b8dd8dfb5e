"""The claims of section 4 of the paper, each judged by the numbers of the experiment `flow`."""

import numpy as np

from .claims import Claim, judge, mean_and_spread
from .density_matching import SIZES

FIGURE_4, FIGURE_5 = "section 4.2, Figure 4", "section 4.3, Figure 5"
SAVED = 0.05  # nats that penalties may cost


def claims(methods):
    """A list of Claims from {method: its results, one a seed}."""
    values = lambda method, key: np.array([r[key] for r in methods[method]], float)
    return [*matching_claims(values), *likelihood_claims(values), cost_claim(values)]


def matching_claims(values):
    """CNF below NF on each target: at one size and equal iterations, at equal parameters, at equal time."""
    rows = []
    rivals = {
        "nf": "at M = K and equal iterations",
        "nf-params": "at equal numbers of parameters and iterations",
        "nf-time": "at M = K and about equal time of training",
    }
    for target in "U1", "U2", "U4":
        for rival, how in rivals.items():
            cnf, nf = (np.array([values(f"{kind}-{target}-{n}", "loss") for n in SIZES]) for kind in ("cnf", rival))
            ours = ", ".join(f"{a:.2f} / {b:.2f}" for a, b in zip(cnf.mean(axis=1), nf.mean(axis=1), strict=True))
            seconds = [values(f"{m}-{target}-{SIZES[-1]}", "train_seconds").mean() for m in ("cnf", rival)]
            rows.append(
                Claim(
                    f"A planar CNF fits {target} better than a planar NF {how}",
                    FIGURE_4,
                    "pictures only: CNF visibly better at M = K = 2, 8, 32 (CNF 10,000 iterations, NF 500,000)",
                    f"CNF / NF: {ours} nats ({cnf.shape[1]} seeds)",
                    judge((nf - cnf).min(axis=0)),
                    "The worst of the sizes 2, 8, 32 decides, seed by seed. Both get U slowly. At size 32 "
                    f"the CNF trains {seconds[0]:.1f} s, the NF {seconds[1]:.1f} s",
                )
            )
    return rows


def likelihood_claims(values):
    """What Figure 5 shows, what it rests on, and the two later methods."""
    rows = []
    for data, allowed in ("circles", 0.131), ("moons", 0.131):
        test, true = values(f"likelihood-{data}", "test"), values(f"likelihood-{data}", "true")
        entropy = values(f"likelihood-{data}", "entropy")[0]
        rows.append(
            Claim(
                f"Maximum likelihood with a CNF of 64 units learns two {data}",
                FIGURE_5,
                "pictures only",
                f"{mean_and_spread(test, 4)} nats; the true density {true.mean():.3f} (entropy {entropy:.3f})",
                judge(true + allowed - test),
                f"At most {allowed} nats above the true density on the same test points, solved to 1e-6",
            )
        )
    ways = values("likelihood-moons", "evaluations_sampling") / values("likelihood-moons", "evaluations")
    trip = values("likelihood-moons", "round_trip")
    rows.append(
        Claim(
            "A CNF is sampled at about the cost of its density",
            FIGURE_5,
            "about the same cost",
            f"evaluations, sampling / density: {mean_and_spread(ways)}; there and back differ by {trip.max():.0e}",
            judge(1.5 - np.maximum(ways, 1 / ways)),
            "Both ways are one solve at tolerance 1e-5; neither may take 1.5 times the other's evaluations",
        )
    )
    claimed, tight = values("coarse-moons", "claimed"), values("coarse-moons", "test")
    rows.append(
        Claim(
            "The solver of the training can be trusted to report the likelihood",
            "training with few fixed steps",
            "none: it trains with a tolerance of 1e-5",
            f"rk4(n=2) claims {mean_and_spread(claimed, 4)} nats, a tight solve says {mean_and_spread(tight, 4)}",
            judge(0.01 - (tight - claimed)),
            "The two may differ by 0.01 nats. A coarse map does not have the determinant that its trace claims, and "
            f"training finds that out; the true density has {values('coarse-moons', 'true').mean():.3f}",
        )
    )
    return [*rows, penalty_claim(values), flow_matching_claim(values)]


def penalty_claim(values):
    evaluations = values("penalised-circles", "evaluations") / values("likelihood-circles", "evaluations")
    nats = values("penalised-circles", "test") - values("likelihood-circles", "test")
    return Claim(
        "Kinetic and Jacobian penalties halve the evaluations at little loss",
        "Finlay et al. 2020",
        "faster training at a comparable likelihood, on images",
        f"two circles: {mean_and_spread(evaluations)} of the evaluations, at {mean_and_spread(nats, 2)} nats",
        judge(np.minimum(0.5 - evaluations, SAVED - nats)),
        f"At most half of the evaluations (dopri5, 1e-5), and at most {SAVED} nats lost, in every seed",
    )


def flow_matching_claim(values):
    seconds = values("matching-moons", "train_seconds") / values("likelihood-moons", "train_seconds")
    nats = values("matching-moons", "test") - values("likelihood-moons", "test")
    return Claim(
        "Flow matching trains the same net to the same likelihood in less time, without a solve",
        "Lipman et al. 2023",
        "better likelihoods and faster training on images",
        f"two moons: {mean_and_spread(seconds)} of the time, {mean_and_spread(nats, 2)} nats above maximum likelihood",
        judge(np.minimum(1 - seconds, SAVED - nats)),
        f"Less time, and at most {SAVED} nats worse, in every seed; solved to 1e-6",
    )


def cost_claim(values):
    trace, determinant = values("cost", "trace_slope"), values("cost", "determinant_slope")
    return Claim(
        "With a trace instead of a determinant the cost grows linearly with the width M, not as M^3",
        "section 4.1, Theorem 1",
        "O(M) against O(M^3)",
        f"time ~ M^p: p = {mean_and_spread(trace)} for the trace, {mean_and_spread(determinant)} for the determinant",
        judge(np.minimum(1.2 - trace, determinant - 2)),
        "p at most 1.2 for the trace, above 2 for the determinant of an M x M matrix (M up to 512, where LAPACK has "
        "not come to its final 3 yet)",
    )
