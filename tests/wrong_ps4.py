"""Wrong submissions of PS4, and the marks that they must get: 2 points are for the repair, 2 for the test."""

import re
from pathlib import Path

from wrong_submissions import Wrong, edit_all_tests, remove_all_cells

SOURCE = (Path(__file__).parent.parent / "notebooks" / "problem_sets" / "ps4_find_the_bug.py").read_text()


def cell(grade_id):
    """The model solution of a cell, without the marks of nbgrader."""
    (text,) = re.findall(rf'^# %% nbgrader={{"grade_id": "{grade_id}", .*\n((?:(?!^# %%).*\n)*)', SOURCE, re.MULTILINE)
    return re.sub(r".*### (BEGIN|END) SOLUTION\n", "", text)


def changed(grade_id, old, new):
    """A model solution with one change."""
    source = cell(grade_id)
    assert source.count(old) >= 1, (grade_id, old)
    return source.replace(old, new)


def other_test(grade_id, name, body):
    """The model's repair with another test."""
    source = cell(grade_id)
    return source[: source.index(f"def {name}")] + f"def {name}(candidate):\n    {body}\n"


WRONG = {
    "empty": Wrong(start="release", change=remove_all_cells),
    "loops": Wrong({"trace": "while True: pass"}, {"trace-tests": 0}),
    "loops in the test": Wrong({"trace": other_test("trace", "test_trace", "while True: pass")}, {"trace-tests": 0}),
    "raises": Wrong({"batch": "raise RuntimeError('unfinished')"}, {"batch-tests": 0}),
    "edits the tests": Wrong({"noise": "pass"}, {"noise-tests": 0}, change=edit_all_tests),
    "prints the answer": Wrong(
        {"trace": "print(15.0)\ntrace = lambda f_vjp, z: 15.0\n" + cell("trace").split("\n\n\n")[1]}, {"trace-tests": 2}
    ),
    "returns None": Wrong(
        {"boundary": changed("boundary", "    return -a0", "    return None\n    return -a0")}, {"boundary-tests": 2}
    ),
    "calls odelearn": Wrong(
        {
            "stale": "import odelearn\ndef heun_solve(f, z0, ts):\n"
            "    return odelearn.odesolve(np.asarray(z0, float), lambda z, t, theta: f(z, t), ts, None, odelearn.heun(n=1)).zs\n"
            + cell("stale").split("\n\n\n")[1]
        },
        {"stale-tests": 2},
    ),
    # ---- repairs that repair nothing, or something else
    "broken code handed in again": Wrong({"nodes": changed("nodes", "c[i]", "c[max(i - 1, 0)]")}, {"nodes-tests": 2}),
    "other weights for both": Wrong(
        {"weights": changed("weights", "h * sum((b[i] - BOSH3_HAT[i])", "h * sum((BOSH3_HAT[i] - b[i])")},
        {"weights-tests": 2},
    ),
    "absolute h": Wrong({"nodes": changed("nodes", "return z + h *", "return z + abs(h) *")}, {"nodes-tests": 2}),
    "divided instead of multiplied": Wrong(
        {
            "estimate": changed("estimate", "e = h * np.tensordot", "e = np.tensordot").replace(
                "e = np.tensordot(BOSH3[1] - BOSH3_HAT, k, 1)", "e = np.tensordot(BOSH3[1] - BOSH3_HAT, k, 1) / h"
            )
        },
        {"estimate-tests": 2},
    ),
    "signs of both times": Wrong(
        {"boundary": changed("boundary", "a1 * theta * z1 * np.cos(t1)\n", "-a1 * theta * z1 * np.cos(t1)\n")},
        {"boundary-tests": 2},
    ),
    "mean of the other cotangent": Wrong(
        {"batch": changed("batch", "return a_pre @ W.T, x.T @ a_pre", "return a_pre @ W.T / len(x), x.T @ a_pre")},
        {"batch-tests": 2},
    ),
    "a draw a step": Wrong(
        {
            "noise": changed(
                "noise",
                "    for _ in range(n):\n        k",
                "    for _ in range(n):\n        noise[:] = rng.choice([-1.0, 1.0], size=len(z0))\n        k",
            )
        },
        {"noise-tests": 2},
    ),
    # ---- tests that test nothing, too much, or by the wrong means
    "accepts everything": Wrong({"nodes": other_test("nodes", "test_rk4_step", "pass")}, {"nodes-tests": 2}),
    "refuses everything": Wrong(
        {"nodes": other_test("nodes", "test_rk4_step", "raise AssertionError('no')")}, {"nodes-tests": 2}
    ),
    "autonomous problems only": Wrong(
        {
            "nodes": other_test(
                "nodes",
                "test_rk4_step",
                "assert np.allclose(candidate(lambda z, t: -z, np.ones(1), 0.0, 0.1), np.exp(-0.1), atol=1e-6)",
            )
        },
        {"nodes-tests": 2},
    ),
    "reads the source": Wrong(
        {
            "nodes": other_test(
                "nodes", "test_rk4_step", "import inspect\n    assert 'i - 1' not in inspect.getsource(candidate)"
            )
        },
        {"nodes-tests": 2},
    ),
    "asks for the name": Wrong(
        {"trace": other_test("trace", "test_trace", "assert 'broken' not in candidate.__name__")}, {"trace-tests": 2}
    ),
    "to the last bit": Wrong(
        {
            "stale": other_test(
                "stale",
                "test_heun_solve",
                "f, ts = lambda z, t: np.cos(t) * z, np.linspace(0.1, 1.3, 30)\n"
                "    assert np.array_equal(candidate(f, np.array([1.0, 2.0]), ts), heun_solve(f, np.array([1.0, 2.0]), ts))",
            )
        },
        {"stale-tests": 2},
    ),
    "a batch of one": Wrong(
        {
            "batch": other_test(
                "batch",
                "test_layer_vjp",
                "x, W = np.ones((1, 2)), np.full((2, 2), 0.3)\n    y, pullback = candidate(x, W)\n"
                "    assert np.allclose(pullback(np.ones((1, 2)))[1], np.outer([1, 1], 1 - y[0] ** 2))",
            )
        },
        {"batch-tests": 2},
    ),
    "h of one": Wrong(
        {
            "estimate": other_test(
                "estimate",
                "test_scaled_error",
                "k = np.arange(8.0).reshape(4, 2)\n    e = (BOSH3[1] - BOSH3_HAT) @ k\n"
                "    assert np.isclose(candidate(k, np.ones(2), np.ones(2), 1.0, 0.0, 1.0), np.sqrt(np.mean(e**2)))",
            )
        },
        {"estimate-tests": 2},
    ),
    "absolute values": Wrong(
        {
            "boundary": other_test(
                "boundary",
                "test_time_gradients",
                "dt0, dt1 = candidate(1.3, 0.2, 1.1, 0.7)\n    L = (1.3 * np.exp(0.7 * (np.sin(1.1) - np.sin(0.2)))) ** 2\n"
                "    assert np.isclose(abs(dt0), 1.4 * np.cos(0.2) * L) and np.isclose(abs(dt1), 1.4 * np.cos(1.1) * L)",
            )
        },
        {"boundary-tests": 2},
    ),
    "multiples of the identity": Wrong(
        {
            "trace": other_test(
                "trace",
                "test_trace",
                "assert candidate(lambda z: (2 * z, lambda a: 2 * a), np.ones(1)) == 2.0",
            )
        },
        {"trace-tests": 2},
    ),
    "one seed, one step": Wrong(
        {
            "noise": other_test(
                "noise",
                "test_log_density_change",
                "diagonal = lambda z: (np.array([0.5, -0.2]) * z, lambda a: np.array([0.5, -0.2]) * a)\n"
                "    assert np.isclose(candidate(diagonal, np.ones(2), 1.0, 1, np.random.default_rng(0)), -0.3)",
            )
        },
        {"noise-tests": 2},
    ),
    "only the estimate": Wrong(
        {
            "weights": other_test(
                "weights",
                "test_pair_step",
                "_, e = candidate(lambda z, t: 3 * t**2 + 0 * z, np.zeros(1), 0.0, 0.5)\n"
                "    assert np.isclose(e[0], 0.5 * sum((BOSH3[1] - BOSH3_HAT) * 3 * (0.5 * BOSH3[2]) ** 2))",
            )
        },
        {"weights-tests": 2},
    ),
}
