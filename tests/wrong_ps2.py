"""Wrong submissions of PS2, and the marks that they must get."""

from wrong_submissions import Wrong, edit_all_tests, remove_all_cells

DENSE = "def dense_vjp(x, W, b):\n    return x @ W + b, lambda a: ({a_x}, {a_W}, {a_b})"
NETWORK = """\
def network_vjp(z, params):
    W0, b0, W1, b1 = params
    pre, dense0 = dense_vjp(z, W0, b0)
    hidden, tanh0 = tanh_vjp(pre)
    y, dense1 = dense_vjp(hidden, W1, b1)
    def pullback(a_y):
        a_hidden, a_W1, a_b1 = dense1(a_y)
        a_z, a_W0, a_b0 = dense0({a_pre})
        return a_z, (a_W0, a_b0, a_W1, a_b1)
    return y, pullback
"""
TIME = """\
def dynamics_vjp(z, t, params):
    dz, network = network_vjp(np.column_stack({input}), params)
    def pullback(a):
        a_input, a_params = network(a)
        return {result}, a_params
    return dz, pullback
"""
SWEEP = """\
def gradient(fun, x):
    start = Node(x)
    end = fun(start)
    {body}
"""
RECURSIVE = """found = [np.zeros_like(start.value)]
    def back(node, a):
        if node is start:
            found[0] = found[0] + a
        for parent, pullback in node.links:
            back(parent, pullback(a))
    back(end, np.ones(()))
    return found[0]"""
EARLY = """cotangents, queue = {id(end): np.ones(())}, [end]
    while queue:
        node = queue.pop(0)
        for parent, pullback in node.links:
            if id(parent) not in cotangents:
                queue.append(parent)
            cotangents[id(parent)] = cotangents.get(id(parent), 0) + pullback(cotangents[id(node)])
    return cotangents.get(id(start), np.zeros_like(start.value))"""
DENSE_LOST = {"dense-tests": 0, "network-tests": 0}

WRONG = {
    "empty": Wrong(start="release", change=remove_all_cells),
    "loops": Wrong({"dot": "while True: pass"}, {"dot-tests": 0}),
    "raises": Wrong(
        {"unbroadcast": "raise RuntimeError('unfinished')"},
        {"unbroadcast-tests": 0, "operations-tests": 0, "sweep-tests": 0},
    ),
    "edits the tests": Wrong({"softmax": "softmax_vjp = None"}, {"softmax-tests": 0}, change=edit_all_tests),
    "prints the answer": Wrong(
        {"dot": "print(0.0)\ndot_product_gap = lambda fun, pullback, x, v, a: 0.0"}, {"dot-tests": 0}
    ),
    "returns None": Wrong({"sweep": "def gradient(fun, x): return None"}, {"sweep-tests": 0}),
    "calls odelearn": Wrong(
        {
            "softmax": "import odelearn\ndef softmax_vjp(x):\n"
            "    def softmax(x):\n        e = np.exp(x - np.max(x, -1, keepdims=True))\n        return e / np.sum(e, -1, keepdims=True)\n"
            "    y, pullback = odelearn.vjp(softmax, x)\n    return y, lambda a: pullback(a)[0]"
        },
        {"softmax-tests": 0},
    ),
    # ---- plausible mistakes
    "tanh without its slope": Wrong(
        {"tanh": "def tanh_vjp(x):\n    y = np.tanh(x)\n    return y, lambda a: a * (1 - y)"},
        {"tanh-tests": 0, "network-tests": 0, "time-tests": 0, "operations-tests": 0},
    ),
    "slope at y instead of x": Wrong(
        {"tanh": "def tanh_vjp(x):\n    y = np.tanh(x)\n    return y, lambda a: a / np.cosh(y) ** 2"},
        {"tanh-tests": 0, "network-tests": 0, "time-tests": 0, "operations-tests": 0},
    ),
    "W not transposed": Wrong(
        {"dense": DENSE.format(a_x="a @ W if W.shape[0] == W.shape[1] else a @ W.T", a_W="x.T @ a", a_b="a.sum(0)")},
        {"dense-tests": 0},
    ),
    "averaged over the batch": Wrong(
        {"dense": DENSE.format(a_x="a @ W.T", a_W="x.T @ a / len(x)", a_b="a.mean(0)")}, DENSE_LOST
    ),
    "bias not summed": Wrong({"dense": DENSE.format(a_x="a @ W.T", a_W="x.T @ a", a_b="a")}, DENSE_LOST),
    "tanh left out on the way back": Wrong(
        {"network": NETWORK.format(a_pre="a_hidden")}, {"network-tests": 0, "time-tests": 0}
    ),
    "slope taken at the wrong layer": Wrong(
        {"network": NETWORK.format(a_pre="a_hidden * (1 - pre * pre)")}, {"network-tests": 0, "time-tests": 0}
    ),
    "time in the first column": Wrong(
        {"time": TIME.format(input="[np.full(len(z), t), z]", result="a_input[:, 1:], a_input[:, 0].sum()")},
        {"time-tests": 0},
    ),
    "a_t averaged": Wrong(
        {"time": TIME.format(input="[z, np.full(len(z), t)]", result="a_input[:, :-1], a_input[:, -1].mean()")},
        {"time-tests": 0},
    ),
    "a_t forgotten": Wrong(
        {"time": TIME.format(input="[z, np.full(len(z), t)]", result="a_input[:, :-1], 0.0")}, {"time-tests": 0}
    ),
    "gap without scale": Wrong(
        {
            "dot": "def dot_product_gap(fun, pullback, x, v, a):\n    left = np.sum(a * (fun(x + 1e-6 * v) - fun(x - 1e-6 * v))) / 2e-6\n"
            "    return abs(left - np.sum(pullback(a) * v))"
        },
        {"dot-tests": 0},
    ),
    "gap blind to the sign": Wrong(
        {
            "dot": "def dot_product_gap(fun, pullback, x, v, a):\n    left = abs(np.sum(a * (fun(x + 1e-6 * v) - fun(x - 1e-6 * v))) / 2e-6)\n"
            "    right = abs(np.sum(pullback(a) * v))\n    return abs(left - right) / max(left, right)"
        },
        {"dot-tests": 0},
    ),
    "only leading axes": Wrong(
        {"unbroadcast": "def unbroadcast(a, shape):\n    return a.sum(tuple(range(a.ndim - len(shape))))"},
        {"unbroadcast-tests": 0, "operations-tests": 0},
    ),
    "product without the other factor": Wrong(
        {
            "operations": "def multiply(x, y):\n    return Node(x.value * y.value, [(x, lambda a: unbroadcast(a * x.value, x.value.shape)), "
            "(y, lambda a: unbroadcast(a * y.value, y.value.shape))])\ndef tanh(x):\n    y, pullback = tanh_vjp(x.value)\n    return Node(y, [(x, pullback)])"
        },
        {"operations-tests": 0},
    ),
    "a path at a time": Wrong({"sweep": SWEEP.format(body=RECURSIVE)}, {"sweep-tests": 0}),
    "passed on too early": Wrong({"sweep": SWEEP.format(body=EARLY)}, {"sweep-tests": 0}),
    "softmax by its diagonal": Wrong(
        {
            "softmax": "def softmax_vjp(x):\n    e = np.exp(x - x.max(-1, keepdims=True))\n    y = e / e.sum(-1, keepdims=True)\n"
            "    return y, lambda a: a * y * (1 - y)"
        },
        {"softmax-tests": 0},
    ),
    "softmax of the whole array": Wrong(
        {
            "softmax": "def softmax_vjp(x):\n    e = np.exp(x - x.max())\n    y = e / e.sum()\n    return y, lambda a: y * (a - np.sum(a * y))"
        },
        {"softmax-tests": 0},
    ),
    "softmax that overflows": Wrong(
        {
            "softmax": "def softmax_vjp(x):\n    e = np.exp(x)\n    y = e / e.sum(-1, keepdims=True)\n"
            "    return y, lambda a: y * (a - np.sum(a * y, -1, keepdims=True))"
        },
        {"softmax-tests": 0},
    ),
}
