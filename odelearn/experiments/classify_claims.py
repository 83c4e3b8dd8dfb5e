"""What the paper claims in section 3, and Dupont et al. (2019) of the plane, judged by the numbers of classify."""

import numpy as np

from .claims import Claim, by_method, judge, mean_and_spread

MOST_PARAMETERS = 0.30  # an ODE form may have this share of the residual net's


def claims(results):
    """The rows of the scoreboard, from results of all methods with the same seeds: a list of Claims."""
    methods = by_method(results)
    resnet, rk, ode = methods["resnet"], methods["rk-net"], methods["ode-net"]
    return [
        fewer_parameters(methods["mlp"], resnet, rk, ode),
        constant_memory(rk, ode),
        error_falls(ode),
        time_is_evaluations(ode),
        half_the_evaluations(ode),
        evaluations_grow(ode),
        plain_cannot_separate(methods["circles-plain"], methods["circles-augmented"]),
    ]


def column(results, name):
    return np.array([result[name] for result in results], float)


def figure_3(results, name):
    """(seeds, tolerances)"""
    return np.array([result["figure_3"][name] for result in results], float)


def fewer_parameters(mlp, resnet, rk, ode):
    """A seed's margin: how far the better ODE form is below the residual net's error plus one standard error."""
    best = np.minimum(column(rk, "test_error"), column(ode, "test_error"))
    error, se = column(resnet, "test_error"), column(resnet, "standard_error")
    share = ode[0]["parameters"] / resnet[0]["parameters"]
    margins = error + se - best if share <= MOST_PARAMETERS else [-1.0]
    forms = zip(("residual net", "RK-Net", "ODE-Net"), (resnet, rk, ode), strict=True)
    ours = ", ".join(f"{name} {mean_and_spread(column(r, 'test_error'), unit=' %')}" for name, r in forms)
    return Claim(
        "An ODE has the test error of a residual net with fewer parameters",
        "section 3, Table 1",
        "0.42 % (RK-Net 0.47 %) against 0.41 % on MNIST, with 37 % of the parameters",
        f"{ours}; with {share:.0%} of the parameters",
        judge(margins),
        f"Rule: in a seed, the better ODE form is at most one standard error ({se.mean():.2f} %) above the residual "
        f"net, and has at most {MOST_PARAMETERS:.0%} of its parameters. 8 x 8 digits, 5-fold cross-validation. "
        f"One hidden layer with as many parameters: {mean_and_spread(column(mlp, 'test_error'), unit=' %')}",
    )


def constant_memory(rk, ode):
    """A seed's margin: 1.1 less the growth of the adjoint's peak from the first of depths to the last."""
    growth = lambda results: column(results, "depth_bytes")[:, -1] / column(results, "depth_bytes")[:, 0]
    first, *_, last = ode[0]["depths"]
    return Claim(
        "The memory of an ODE-Net does not grow with the number of evaluations",
        "section 3, Table 1",
        "O(1), against O(L) of backpropagation",
        f"peak of one gradient, {last} evaluations beside {first}: adjoint x {mean_and_spread(growth(ode))}, "
        f"backpropagation x {mean_and_spread(growth(rk))}",
        judge(1.1 - growth(ode)),
        f"Rule: the adjoint's peak grows by less than 10 % for {last // first} times as many evaluations. As trained, "
        f"with 8 evaluations, RK-Net needs {column(rk, 'peak_bytes').mean() / 1e6:.1f} MB, ODE-Net with about 20 "
        f"{column(ode, 'peak_bytes').mean() / 1e6:.1f} MB",
    )


def error_falls(ode):
    """A seed's margin: the correlation of log error and log evaluations must be below -0.9."""
    evals, error = figure_3(ode, "forward"), figure_3(ode, "error")
    r = [np.corrcoef(np.log(x), np.log(y))[0, 1] for x, y in zip(evals, error, strict=True)]
    return Claim(
        "Error can be traded for evaluations by the tolerance, after training",
        "section 3, Figure 3a",
        "none (a figure)",
        f"from {evals[:, 0].mean():.0f} to {evals[:, -1].mean():.0f} evaluations the error of z(1) falls by "
        f"{np.log10(error[:, 0] / error[:, -1]).mean():.1f} digits; correlation of the logarithms {mean_and_spread(r)}",
        judge(-0.9 - np.array(r)),
        "Rule: the correlation is below -0.9. The number of images that come out wrong does not depend on it: "
        f"{figure_3(ode, 'wrong')[:, 0].mean():.1f} at the loosest tolerance, "
        f"{figure_3(ode, 'wrong')[:, -1].mean():.1f} at the tightest",
    )


def time_is_evaluations(ode):
    evals, seconds = figure_3(ode, "forward"), figure_3(ode, "seconds")
    r = [np.corrcoef(x, y)[0, 1] for x, y in zip(evals, seconds, strict=True)]
    return Claim(
        "The time of the forward pass is proportional to the evaluations",
        "section 3, Figure 3b",
        "none (a figure)",
        f"correlation {mean_and_spread(r)}",
        judge(np.array(r) - 0.9),
        "Rule: the correlation is above 0.9. Seconds of CPU, the best of 3",
    )


def half_the_evaluations(ode):
    """A seed's margin: 0.6 less the mean ratio over all tolerances."""
    ratio = figure_3(ode, "backward") / figure_3(ode, "forward")
    return Claim(
        "The backward pass takes about half as many evaluations as the forward pass",
        "section 3, Figure 3c",
        "about 0.5",
        f"{mean_and_spread(ratio.mean(axis=1))}; from {ratio.min():.2f} to {ratio.max():.2f} over the tolerances",
        judge(0.6 - ratio.mean(axis=1)),
        "Rule: the mean ratio over all tolerances is below 0.6. The ratio depends on the solver and on the error norm "
        "(notebook 08); here the norm is that of [z, a]",
    )


def evaluations_grow(ode):
    """A seed's margin: evaluations at the last epoch's beginning less those at the second's."""
    at = lambda tolerance, epoch: np.array([r["figure_3"]["evaluations"][tolerance][epoch] for r in ode], float)
    own, fine = ode[0]["figure_3"]["evaluations"]
    told = [
        f"{at(tolerance, 0).mean():.0f} before, {at(tolerance, 1).mean():.0f} after one epoch, "
        f"{at(tolerance, -1).mean():.0f} at last at tolerance {float(tolerance):g}"
        for tolerance in (own, fine)
    ]
    return Claim(
        "The evaluations of a forward pass grow during training",
        "section 3, Figure 3d",
        "none (a figure)",
        "; ".join(told),
        judge(at(fine, -1) - at(fine, 1)),
        f"Rule: more at last than after one epoch, at tolerance {float(fine):g}. At the tolerance of the training, "
        f"{float(own):g}, a solve has so few steps that the count is coarse",
    )


def plain_cannot_separate(plain, augmented):
    """A seed's margin: the ratio of the losses less 50."""
    ratio = column(plain, "training_loss") / column(augmented, "training_loss")
    told = [mean_and_spread(column(results, "training_loss"), 2) for results in (plain, augmented)]
    return Claim(
        "An ODE in the plane cannot separate concentric circles, one with a dimension more can",
        "not in the paper: Dupont, Doucet and Teh (2019)",
        "none",
        f"training loss {told[0]} in the plane, {told[1]} augmented; "
        f"{ratio.min():.0f} to {ratio.max():.0f} times lower",
        judge(ratio - 50),
        "Rule: the augmented loss is at least 50 times lower. Trajectories cannot cross, so a ring stays around what "
        "it surrounds; of finitely many points some are let out through gaps of the ring",
    )
