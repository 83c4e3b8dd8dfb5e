"""Wrong submissions of PS3, and the marks that they must get."""

from wrong_submissions import Wrong, edit_all_tests, remove_all_cells

EULER = """\
def euler_vjp(f_vjp, z0, t0, t1, theta, n):
    z, h, pullbacks = z0, (t1 - t0) / n, []
    for i in range(n):
        dz, pullback = f_vjp(z, t0 + i * h, theta)
        pullbacks.append(pullback)
        z = z + h * dz
    def back(a):
        a_theta = np.zeros_like(theta)
        for pullback in reversed(pullbacks):
            step_z, _, step_theta = pullback(a)
            a, a_theta = a + h * step_z, a_theta + h * step_theta
        return a, a_theta
    return z, back
"""
AUGMENTED = """\
def augmented_dynamics(f_vjp, theta, D):
    def g(s, t):
        dz, pullback = f_vjp(s[:D], t, theta)
        a_z, _, a_theta = pullback(s[D : 2 * D])
        return np.concatenate([dz, -a_z, -a_theta])
    return g
"""
ALGORITHM_1 = """\
def algorithm_1(f_vjp, z1, a1, t0, t1, theta, n):
    D = len(z1)
    s = np.concatenate([z1, a1, np.zeros_like(theta)])
    s = integrate(augmented_dynamics(f_vjp, theta, D), s, t1, t0, n)
    return s[:D], s[D : 2 * D], s[2 * D :]
"""
JUMPS = """\
def adjoint_with_jumps(f_vjp, zs, a_zs, ts, theta, n):
    a, a_theta = a_zs[-1], np.zeros_like(theta)
    for i in range(len(ts) - 1, 0, -1):
        _, a, more = algorithm_1(f_vjp, zs[i], a, ts[i - 1], ts[i], theta, n)
        a, a_theta = a + a_zs[i - 1], a_theta + more
    return a, a_theta
"""
TIMES = """\
def time_gradients(f_vjp, z1, a1, t0, t1, theta, n):
    D = len(z1)
    dL_dt1 = np.sum(a1 * f_vjp(z1, t1, theta)[0])
    def g(s, t):
        dz, pullback = f_vjp(s[:D], t, theta)
        a_z, a_t, _ = pullback(s[D : 2 * D])
        return np.concatenate([dz, -a_z, [-a_t]])
    s = integrate(g, np.concatenate([z1, a1, [-dL_dt1]]), t1, t0, n)
    return s[-1], dL_dt1
"""
ALL_ADJOINT = {"algorithm1-tests": 0, "jumps-tests": 0, "gap-tests": 0}


def changed(source, old, new):
    assert source.count(old) == 1, old
    return source.replace(old, new)


WRONG = {
    "empty": Wrong(start="release", change=remove_all_cells),
    "loops": Wrong({"inner-times": "while True: pass"}, {"inner-times-tests": 0}),
    "raises": Wrong({"euler": "raise RuntimeError('unfinished')"}, {"euler-tests": 0}),
    "edits the tests": Wrong({"jumps": "adjoint_with_jumps = None"}, {"jumps-tests": 0}, change=edit_all_tests),
    "prints the answer": Wrong(
        {"inner-times": "print([0.0, 0.0])\nobservation_time_gradients = lambda *args: np.zeros(2)"},
        {"inner-times-tests": 0},
    ),
    "returns None": Wrong({"algorithm2": "def time_gradients(*args): return None"}, {"algorithm2-tests": 0}),
    "calls odelearn": Wrong(
        {
            "euler": "import odelearn\ndef euler_vjp(f_vjp, z0, t0, t1, theta, n):\n"
            "    f = odelearn.Dynamics(lambda z, t, theta: f_vjp(z, t, theta)[0], f_vjp)\n"
            "    zs, back = odelearn.odesolve_vjp(z0, f, [t0, t1], theta, odelearn.euler(n=n), odelearn.Discrete())\n"
            "    def pullback(a):\n        g = back(np.stack([0 * a, a]))\n        return g.z0, g.theta\n"
            "    return zs[-1], pullback"
        },
        {"euler-tests": 0},
    ),
    # ---- plausible mistakes
    "one-sided differences": Wrong(
        {
            "differences": "def central_differences(fun, x, eps=1e-5):\n    x = np.asarray(x, float)\n    g = np.zeros_like(x)\n"
            "    for i in np.ndindex(x.shape):\n        e = np.zeros_like(x)\n        e[i] = eps\n        g[i] = (fun(x + e) - fun(x)) / eps\n    return g"
        },
        {"differences-tests": 0, "gap-tests": 0},
    ),
    "stale states on the way back": Wrong(
        {"euler": changed(EULER, "pullbacks.append(pullback)", "pullbacks.append(f_vjp(z0, t0, theta)[1])")},
        {"euler-tests": 0},
    ),
    "forwards on the way back": Wrong(
        {"euler": changed(EULER, "reversed(pullbacks)", "pullbacks")}, {"euler-tests": 0}
    ),
    "theta by the next adjoint": Wrong(
        {
            "euler": changed(
                EULER,
                "a, a_theta = a + h * step_z, a_theta + h * step_theta",
                "a = a + h * step_z\n            a_theta = a_theta + h * pullback(a)[2]",
            )
        },
        {"euler-tests": 0},
    ),
    "no h for theta": Wrong({"euler": changed(EULER, "a_theta + h *", "a_theta +")}, {"euler-tests": 0}),
    "times of the ends of steps": Wrong(
        {"euler": changed(EULER, "t0 + i * h", "t0 + (i + 1) * h")}, {"euler-tests": 0}
    ),
    "sign of (35)": Wrong({"augmented": changed(AUGMENTED, "-a_z,", "a_z,")}, {"augmented-tests": 0} | ALL_ADJOINT),
    "sign of a_theta": Wrong(
        {"augmented": changed(AUGMENTED, "-a_theta]", "a_theta]")},
        {"augmented-tests": 0, "algorithm1-tests": 0, "jumps-tests": 0},
    ),
    "a is not that of the state": Wrong(
        {"augmented": changed(AUGMENTED, "pullback(s[D : 2 * D])", "pullback(np.ones(D))")},
        {"augmented-tests": 0} | ALL_ADJOINT,
    ),
    "integrated forwards": Wrong({"algorithm1": changed(ALGORITHM_1, "s, t1, t0, n", "s, t0, t1, n")}, ALL_ADJOINT),
    "minus twice": Wrong(
        {"algorithm1": changed(ALGORITHM_1, "s[2 * D :]\n", "-s[2 * D :]\n")}, {"algorithm1-tests": 0, "jumps-tests": 0}
    ),
    "one step for all": Wrong(
        {"algorithm1": changed(ALGORITHM_1, "t0, n)\n    return", "t0, 1)\n    return")}, ALL_ADJOINT
    ),
    "no jump at the start": Wrong(
        {"jumps": changed(JUMPS, "a + a_zs[i - 1]", "a + (a_zs[i - 1] if i > 1 else 0)")}, {"jumps-tests": 0}
    ),
    "last jump twice": Wrong(
        {"jumps": changed(JUMPS, "a, a_theta = a_zs[-1]", "a, a_theta = 2 * a_zs[-1]")}, {"jumps-tests": 0}
    ),
    "theta of the last interval": Wrong({"jumps": changed(JUMPS, "a_theta + more", "more")}, {"jumps-tests": 0}),
    "a replaced, not added": Wrong({"jumps": changed(JUMPS, "a + a_zs[i - 1]", "a_zs[i - 1]")}, {"jumps-tests": 0}),
    "a_t starts at plus": Wrong({"algorithm2": changed(TIMES, "[-dL_dt1]", "[dL_dt1]")}, {"algorithm2-tests": 0}),
    "start time flipped": Wrong(
        {"algorithm2": changed(TIMES, "return s[-1]", "return -s[-1]")}, {"algorithm2-tests": 0}
    ),
    "a_t without its start": Wrong({"algorithm2": changed(TIMES, "[-dL_dt1]", "[0.0]")}, {"algorithm2-tests": 0}),
    "f that does not depend on t": Wrong({"algorithm2": changed(TIMES, "[-a_t]]", "[0.0]]")}, {"algorithm2-tests": 0}),
    "f at the wrong time": Wrong(
        {"algorithm2": changed(TIMES, "f_vjp(z1, t1, theta)[0]", "f_vjp(z1, t0, theta)[0]")}, {"algorithm2-tests": 0}
    ),
    "whole adjoint for inner times": Wrong(
        {
            "inner-times": "def observation_time_gradients(f_vjp, zs, a_zs, ts, theta):\n    a = np.cumsum(a_zs[::-1], 0)[::-1]\n"
            "    return np.array([np.sum(a[i] * f_vjp(zs[i], ts[i], theta)[0]) for i in range(1, len(ts))])"
        },
        {"inner-times-tests": 0},
    ),
    "gap to itself": Wrong(
        {
            "gap": "def adjoint_gaps(f_vjp, z0, t0, t1, theta, ns):\n    end = lambda z0, n: integrate(lambda z, t: f_vjp(z, t, theta)[0], z0, t0, t1, n)\n"
            "    g = [algorithm_1(f_vjp, end(z0, n), np.ones_like(z0), t0, t1, theta, n)[1] for n in ns]\n"
            "    return np.array([1.0 / n for n in ns])"
        },
        {"gap-tests": 0},
    ),
}
