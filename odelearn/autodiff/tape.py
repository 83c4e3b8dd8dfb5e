"""Reverse mode for ordinary NumPy code.

    y, pullback = vjp(fun, x)               # y = fun(x)
    (a_x,) = pullback(a_y)                  # a_x = a_y . dy/dx

vjp calls fun on traced stand-ins for its arguments (`traced.py`). What is computed with them is written on a tape, in
order: the list that Wengert described in 1964. A value always comes after those it was made of, so the pullback is one
walk from the last to the first, with the rule of each operation from the table in `rules.py`.

Tapes nest, because what one tape calls a value may itself be traced by another. They are numbered, and an operation is
written on the innermost (latest) tape among its arguments, which takes what outer tapes trace for constants:

    grad(lambda x: x * grad(lambda y: x + y)(1.0))(2.0)     # d/dx (x * 1) = 1; on a single tape d(x + y)/dy would be 2

Nothing is conjugated: a_x = a . dy/dx also for complex holomorphic functions, so the complex step runs through a
gradient. Ordinary arrays that fun uses must not be changed between the value and the pullback.
"""

import numpy as np

from . import rules, rules_arrays, rules_linalg  # noqa: F401, importing them fills the table
from .tracer import Tape, Traced, innermost, plain, shape


def vjp(fun, *args):
    """y = fun(*args), and its pullback: a -> (a . dy/dx for each argument x).

    fun returns one array; a has the shape of y, and each a . dy/dx the shape and precision of its x (complex where a
    or y is). Integers count as float64. An argument None is handed on untouched, and its cotangent is None.
    """
    args = [as_argument(x) for x in args]
    tape = Tape()
    leaves = [tape.append((), x, (), {}) for x in args]  # arguments are nodes that nothing went into
    y = fun(*[None if leaf.value is None else leaf for leaf in leaves])
    tape.closed = True
    y, last = (y.value, y.index) if type(y) is Traced and y.tape is tape else (as_result(y), None)
    nodes = tape.nodes[len(args) : last + 1] if last is not None else []  # what y was made by

    def pullback(a):
        a = as_cotangent(a, y)
        cotangents = [None] * (len(args) + len(nodes))
        if last is not None:
            cotangents[last] = a
        for links, value, values, kwargs in reversed(nodes):
            a = cotangents.pop()  # whatever this value went into comes later on the tape, so a is complete
            if a is not None:
                for i, rule in links:
                    a_x = rule(a, value, *values, **kwargs)
                    cotangents[i] = a_x if cotangents[i] is None else cotangents[i] + a_x
        return tuple(zeros(x) if a_x is None else as_cotangent(a_x, x) for a_x, x in zip(cotangents, args, strict=True))

    return y, pullback


def value_and_grad(fun, argnum=0):
    """The function (*args) -> fun(*args), d fun / d args[argnum], for a scalar fun."""

    def both(*args):
        y, pullback = vjp(*in_one_argument(fun, argnum, args))
        if shape(y) != ():
            raise TypeError(f"grad wants a scalar result, got an array of shape {shape(y)}; sum it, or use jacobian")
        return y, pullback(1.0)[0]

    return both


def grad(fun, argnum=0):
    """The function (*args) -> d fun / d args[argnum], of the shape of that argument, for a scalar fun."""
    both = value_and_grad(fun, argnum)
    return lambda *args: both(*args)[1]


def jacobian(fun, argnum=0):
    """The function (*args) -> dy/dx (*y.shape, *x.shape), for y = fun(*args) and x = args[argnum]: a pullback a row."""

    def rows(*args):
        y, pullback = vjp(*in_one_argument(fun, argnum, args))
        basis = np.eye(np.size(y)).reshape(-1, *shape(y))
        return np.stack([pullback(e)[0] for e in basis]).reshape(*shape(y), *np.shape(args[argnum]))

    return rows


def in_one_argument(fun, argnum, args):
    """fun as a function of args[argnum] alone, and that argument."""

    def fun_of_x(x):
        return fun(*[x if i == argnum % len(args) else other for i, other in enumerate(args)])

    return fun_of_x, args[argnum]


def custom(fun, *args):
    """y, of a function that brings its own derivative: fun(*args) -> y, pullback, on the tape as one operation.

    pullback(a) -> a cotangent for each argument; those of untraced arguments are not looked at. Where tapes nest, fun
    sees values that outer tapes trace, and y has derivatives of derivatives if fun and its pullback are traceable.
    """
    tape = innermost(args)
    if tape is None:
        return fun(*args)[0]
    links = [(x.index, part(i)) for i, x in enumerate(args) if type(x) is Traced and x.tape is tape]
    values = tuple(x.value if type(x) is Traced and x.tape is tape else x for x in args)
    y, pullback = fun(*values)
    if type(y) is Traced and y.tape.number >= tape.number:
        raise TypeError("the function given to custom uses a traced value from outside; pass it as an argument")

    def joint(a, y, values):
        cotangents = tuple(pullback(a))
        if len(cotangents) != len(values):
            raise ValueError(f"a custom pullback gave {len(cotangents)} cotangents for {len(values)} arguments")
        return cotangents

    # A rule gives one cotangent, so this takes two nodes: the tuple of the arguments, and y as a function of the tuple.
    together = tape.append(links, values, (), {})
    return tape.append([(together.index, joint)], y, (values,), {})


def part(i):
    """The rule by which the cotangent of a tuple becomes that of its i-th part."""
    return lambda a, values: as_cotangent(a[i], values[i])


# --- What goes in and what comes out ----------------------------------------------------------------------------------


def as_argument(x):
    """x in floating point. A Python float stays one: as an array it would turn the float32 it meets into float64."""
    if x is None or isinstance(x, (Traced, float, complex, np.inexact)):
        return x
    if isinstance(x, int):
        return float(x)
    x = np.asarray(x)
    if x.dtype.kind not in "biufc":
        raise TypeError(f"derivatives need numbers, got an array of dtype {x.dtype}")
    return x if x.dtype.kind in "fc" else x.astype(float)


def as_result(y):
    """The value of a function that does not depend on its arguments, if it is one value."""
    if y is None or isinstance(y, (tuple, list, dict)) or (type(y) is Traced and y.tape.closed):
        raise TypeError(
            f"the function to differentiate must return one array, got {type(y).__name__}; "
            "join several by np.stack or np.concatenate"
        )
    return as_argument(y)


def as_cotangent(a, x):
    """a as a fresh array with the shape and the precision of x; complex it may be though x is real."""
    if type(a) is not Traced:
        a, dtype = np.array(a), np.result_type(plain(x))  # a copy, since rules may return views, or one array twice
        if a.dtype != dtype:
            a = a.astype(np.result_type(dtype, np.complex64) if a.dtype.kind == "c" else dtype, casting="same_kind")
        a = a[()]  # a NumPy scalar if the shape is ()
    if shape(a) != shape(x):
        raise ValueError(f"the cotangent of a value of shape {shape(x)} has that shape, got one of shape {shape(a)}")
    return a


def zeros(x):
    """The cotangent of an argument that the result does not depend on."""
    return None if x is None else np.zeros(shape(x), np.result_type(plain(x)))[()]
