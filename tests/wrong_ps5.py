"""Wrong submissions of PS5, and the marks that they must get."""

import re
from pathlib import Path

from wrong_submissions import Wrong, edit_all_tests, remove_all_cells

SOURCE = (Path(__file__).parent.parent / "notebooks" / "problem_sets" / "ps5_lynx_and_hare.py").read_text()


def changed(grade_id, *pairs):
    """The model solution of a cell with changes: changed("lv", old, new, old, new)"""
    (text,) = re.findall(rf'^# %% nbgrader={{"grade_id": "{grade_id}", .*\n((?:(?!^# %%).*\n)*)', SOURCE, re.MULTILINE)
    source = re.sub(r".*### (BEGIN|END) SOLUTION\n", "", text)
    for old, new in zip(pairs[::2], pairs[1::2], strict=True):
        assert source.count(old) == 1, (grade_id, old)
        source = source.replace(old, new)
    return source


WRONG = {
    "empty": Wrong(start="release", change=remove_all_cells),
    "loops": Wrong({"score": "while True: pass"}, {"score-tests": 0, "experiment-tests": 0}),
    "raises": Wrong({"lv": "raise RuntimeError('unfinished')"}, {"lv-tests": 0}),
    "edits the tests": Wrong({"lv": "lotka_volterra = lambda z, t, theta: z"}, {"lv-tests": 0}, change=edit_all_tests),
    "prints the answer": Wrong(
        {
            "bands": "print(1.0, 3.0)\nbands = lambda p, level: (1.0 + 0 * p[0], 3.0 + 0 * p[0])\n"
            "coverage = lambda y, low, high: float(np.mean((low <= y) & (y <= high)))"
        },
        {"bands-tests": 0},
    ),
    "returns None": Wrong(
        {"ensemble": "def train_ensemble(*args): return None"}, {"ensemble-tests": 0, "experiment-tests": 0}
    ),
    "calls odelearn": Wrong(
        {
            "lv-vjp": "def lotka_volterra_vjp(z, t, theta):\n    def f(z, t, theta):\n        p = np.exp(theta)\n"
            "        return np.stack([p[0] - p[1] * np.exp(z[..., 1]), -p[2] + p[3] * np.exp(z[..., 0])], axis=-1)\n"
            "    return odelearn.Dynamics(f).vjp(z, t, theta)"
        },
        {"lv-vjp-tests": 0},
    ),
    # ---- plausible mistakes
    "scaled with all rows": Wrong(
        {"split": changed("split", "z[:n].mean(0), z[:n].std(0)", "z.mean(0), z.std(0)")},
        {"split-tests": 0, "experiment-tests": 0},
    ),
    "no logarithm": Wrong(
        {"split": changed("split", "np.log(counts)", "counts")}, {"split-tests": 0, "experiment-tests": 0}
    ),
    "score about the held-out mean": Wrong(
        {"score": changed("score", "np.sum(y**2)", "np.sum((y - y.mean(0)) ** 2)")},
        {"score-tests": 0, "experiment-tests": 0},
    ),
    "the last held-out value": Wrong(
        {"score": changed("score", "np.repeat(y_train[-1:], n, axis=0)", "np.repeat(y_train[:1], n, axis=0)")},
        {"score-tests": 0, "experiment-tests": 0},
    ),
    "one row too early": Wrong(
        {"score": changed("score", "len(y_train) - period + i % period", "len(y_train) - period - 1 + i % period")},
        {"score-tests": 0, "experiment-tests": 0},
    ),
    "delta without its hares": Wrong(
        {"lv": changed("lv", "delta * np.exp(z[..., 0])", "delta * np.exp(z[..., 1])")}, {"lv-tests": 0}
    ),
    "for one state only": Wrong({"lv": changed("lv", "z[..., 1]", "z[1]", "z[..., 0]", "z[0]")}, {"lv-tests": 0}),
    "sign of the predators": Wrong({"lv": changed("lv", "alpha - beta", "alpha + beta")}, {"lv-tests": 0}),
    "theta not as logarithms": Wrong(
        {"lv-vjp": changed("lv-vjp", "np.sum(a_u) * alpha", "np.sum(a_u)")}, {"lv-vjp-tests": 0}
    ),
    "averaged over the batch": Wrong(
        {"lv-vjp": changed("lv-vjp", "np.sum(a_u) * alpha", "np.mean(a_u) * alpha")}, {"lv-vjp-tests": 0}
    ),
    "transposed Jacobian": Wrong(
        {"lv-vjp": changed("lv-vjp", "[a_v * delta * x, -a_u * beta * y]", "[-a_v * beta * y, a_u * delta * x]")},
        {"lv-vjp-tests": 0},
    ),
    "a sum for a mean": Wrong(
        {"loss": changed("loss", "np.mean((zs - y) ** 2)", "np.sum((zs - y) ** 2)")}, {"loss-tests": 0}
    ),
    "gradient of another loss": Wrong(
        {"loss": changed("loss", "2 * (zs - y) / y.size", "(zs - y) / y.size")},
        {"loss-tests": 0},
    ),
    "theta before z0": Wrong(
        {"loss": changed("loss", "[g.z0, g.theta]", "[g.theta, g.z0]")}, {"loss-tests": 0, "stop-tests": 0}
    ),
    "trained on all rows": Wrong({"stop": changed("stop", "ts[:n], y[:n]", "ts, y")}, {"stop-tests": 0}),
    "chosen by the training loss": Wrong(
        {"stop": changed("stop", "(zs[n:] - y[n:]) ** 2", "(zs[:n] - y[:n]) ** 2")}, {"stop-tests": 0}
    ),
    "the last step": Wrong({"stop": changed("stop", "if loss < best:", "if True:")}, {"stop-tests": 0}),
    "mean over members": Wrong(
        {
            "ensemble": changed(
                "ensemble", "/ y.size)", "/ y.size / len(starts) ** 3)", "odelearn.Adam(lr=lr)", "odelearn.SGD(lr=lr)"
            )
        },
        {"ensemble-tests": 0},
    ),
    "one member for all": Wrong(
        {
            "ensemble": changed(
                "ensemble", "    return parameters", "    return np.repeat(parameters[:1], len(parameters), axis=0)"
            )
        },
        {"ensemble-tests": 0},
    ),
    "levels as quantiles": Wrong(
        {"bands": changed("bands", "[(1 - level) / 2, (1 + level) / 2]", "[1 - level, level]")},
        {"bands-tests": 0},
    ),
    "quantiles over the times": Wrong(
        {"bands": changed("bands", "axis=0)\n    return low", "axis=1)\n    return low")},
        {"bands-tests": 0, "experiment-tests": 0},
    ),
    "looks at the held-out years": Wrong(
        {
            "experiment": changed(
                "experiment",
                "r_squared(y_test, last_value(y_train, HELD))",
                "r_squared(y_test, last_value(y_test, HELD))",
            )
        },
        {"experiment-tests": 0},
    ),
    "five members": Wrong({"experiment": changed("experiment", "range(10)", "range(5)")}, {"experiment-tests": 0}),
}
