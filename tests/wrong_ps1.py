"""Wrong submissions of PS1, and the marks that they must get."""

from wrong_submissions import Wrong, edit_all_tests, remove_all_cells

HEAD = "def rk_step(tableau, f, z, t, h, theta):\n    A, b, c = tableau\n    k = np.zeros((len(b), *np.shape(z)))\n"
TAIL = "    return z + h * np.tensordot(b, k, 1), k\n"


ADAPTIVE = """\
def solve_adaptive(f, z0, t0, t1, theta, rtol, atol, h0):
    z, t, h, sign = np.asarray(z0, float), t0, h0, np.sign(t1 - t0)
    ts, zs, rejected = [t], [z], 0
    while t != t1:
        if len(ts) + rejected > 10_000:
            raise ValueError("more than 10,000 steps")
        last = h >= abs(t1 - t)
        h = min(h, abs(t1 - t))
        z_next, e = pair_step(BOSH3, BOSH3_HAT, f, z, t, sign * h, theta)
        E = np.sqrt(np.mean((e / (atol + rtol * np.maximum(abs(z), abs(z_next)))) ** 2))
        if E <= 1:
            t, z = t1 if last else t + sign * h, z_next
            ts.append(t)
            zs.append(z)
        else:
            rejected += 1
        h *= min(5, max(0.2, 0.9 * E ** (-1 / 3))) if E > 0 else 5
    return np.array(ts), np.array(zs), rejected
"""

WRONG = {
    "empty": Wrong(start="release", change=remove_all_cells),
    "loops": Wrong({"solve": "while True: pass"}, {"solve-tests": 0}),
    "raises": Wrong({"conditions": "raise RuntimeError('unfinished')"}, {"conditions-tests": 0}),
    "edits the tests": Wrong(
        {"euler": "def euler_step(f, z, t, h, theta): return z"}, {"euler-tests": 0}, change=edit_all_tests
    ),
    "prints the answer": Wrong(
        {"observe": "print([2.0, 2.0])\nobserved_orders = lambda errors: [2.0, 2.0]"}, {"observe-tests": 0}
    ),
    "returns None": Wrong({"adaptive": "def solve_adaptive(*args): return None"}, {"adaptive-tests": 0}),
    "calls odelearn": Wrong(
        {
            "rk": "def rk_step(tableau, f, z, t, h, theta):\n"
            "    method = odelearn.ButcherTableau('own', *tableau, order=1)\n"
            "    solver = odelearn.Solver(method, odelearn.FixedSteps(n=1))\n"
            "    step = odelearn.odesolve(z, f, [t, t + h], theta, solver).steps[0]\n"
            "    return step.z_next, step.k",
        },
        {"rk-tests": 0, "pair-tests": 0, "adaptive-tests": 0},
    ),
    # ---- plausible mistakes
    "stale time in Euler": Wrong(
        {"euler": "def euler_step(f, z, t, h, theta):\n    return z + h * f(z, t + h, theta)"}, {"euler-tests": 0}
    ),
    "absolute h": Wrong(
        {"euler": "def euler_step(f, z, t, h, theta):\n    return z + abs(h) * f(z, t, theta)"}, {"euler-tests": 0}
    ),
    "in place": Wrong(
        {"euler": "def euler_step(f, z, t, h, theta):\n    z += h * f(z, t, theta)\n    return z"}, {"euler-tests": 0}
    ),
    "midpoint at time t": Wrong(
        {
            "midpoint": "def midpoint_step(f, z, t, h, theta):\n    return z + h * f(z + h / 2 * f(z, t, theta), t, theta)"
        },
        {"midpoint-tests": 0},
    ),
    "nodes shifted by a stage": Wrong(
        {
            "rk": f"{HEAD}    for i in range(len(b)):\n        k[i] = f(z + h * np.tensordot(A[i, :i], k[:i], 1), "
            f"t + c[i - 1] * h, theta)\n{TAIL}"
        },
        {"rk-tests": 0, "pair-tests": 0, "adaptive-tests": 0},
    ),
    "transposed A": Wrong(
        {
            "rk": f"{HEAD}    for i in range(len(b)):\n        k[i] = f(z + h * np.tensordot(A[:i, i], k[:i], 1), "
            f"t + c[i] * h, theta)\n{TAIL}"
        },
        {"rk-tests": 0, "pair-tests": 0, "adaptive-tests": 0},
    ),
    "times by adding h": Wrong(
        {
            "solve": "def solve(step, f, z0, t0, t1, n, theta):\n    h, ts, zs = (t1 - t0) / n, [t0], [z0]\n    for _ in range(n):\n"
            "        zs.append(step(f, zs[-1], ts[-1], h, theta))\n        ts.append(ts[-1] + h)\n"
            "    return np.array(ts), np.array(zs)"
        },
        {"solve-tests": 0},
    ),
    "one state too few": Wrong(
        {
            "solve": "def solve(step, f, z0, t0, t1, n, theta):\n    ts, zs = np.linspace(t0, t1, n), [z0]\n    for t in ts[:-1]:\n"
            "        zs.append(step(f, zs[-1], t, ts[1] - ts[0], theta))\n    return ts, np.array(zs)"
        },
        {"solve-tests": 0},
    ),
    "natural logarithm": Wrong(
        {"observe": "def observed_orders(errors):\n    e = np.array(errors)\n    return np.log(e[:-1] / e[1:])"},
        {"observe-tests": 0},
    ),
    "error estimate without h": Wrong(
        {
            "pair": "def pair_step(tableau, b_hat, f, z, t, h, theta):\n    z_next, k = rk_step(tableau, f, z, t, h, theta)\n"
            "    return z_next, np.tensordot(tableau[1] - b_hat, k, 1)"
        },
        {"pair-tests": 0, "adaptive-tests": 0},
    ),
    "swapped weights": Wrong(
        {
            "pair": "def pair_step(tableau, b_hat, f, z, t, h, theta):\n    z_next, k = rk_step((tableau[0], b_hat, tableau[2]), f, z, "
            "t, h, theta)\n    return z_next, h * np.tensordot(tableau[1] - b_hat, k, 1)"
        },
        {"pair-tests": 0, "adaptive-tests": 0},
    ),
    "rejected steps move on": Wrong(
        {"adaptive": ADAPTIVE.replace("        if E <= 1:\n", "        rejected += E > 1\n        if True:\n")},
        {"adaptive-tests": 0},
    ),
    "wrong exponent": Wrong({"adaptive": ADAPTIVE.replace("-1 / 3", "-1 / 4")}, {"adaptive-tests": 0}),
    "forwards only": Wrong({"adaptive": ADAPTIVE.replace("np.sign(t1 - t0)", "1.0")}, {"adaptive-tests": 0}),
    "a step beyond the end": Wrong(
        {"adaptive": ADAPTIVE.replace("h = min(h, abs(t1 - t))", "pass")}, {"adaptive-tests": 0}
    ),
    "conditions with c and A mixed up": Wrong(
        {
            "conditions": "def order_residuals(tableau):\n    A, b, c = tableau\n"
            "    return np.array([b.sum() - 1, b @ c - 1 / 2, b @ c**2 - 1 / 3, b @ c @ c - 1 / 6 if False else c @ A @ b - 1 / 6])"
        },
        {"conditions-tests": 0},
    ),
    "stability of Euler for all": Wrong(
        {"stability": "def stability_function(tableau, x):\n    return 1 + x"}, {"stability-tests": 0}
    ),
    "rejected rows counted as steps": Wrong(
        {
            "ledger": "def read_ledger(ledger):\n    h = [abs(row.h) for row in ledger]\n    n = sum(row.accepted for row in ledger)\n"
            "    return {'accepted': n, 'rejected': len(ledger) - n, 'longest': max(h), 'hardest': ledger[int(np.argmin(h))].t}"
        },
        {"ledger-tests": 0},
    ),
}
