"""Reverse mode for ordinary NumPy code.

    y, pullback = vjp(fun, x)               # y = fun(x)
    (a_x,) = pullback(a_y)                  # a_x = a_y . dy/dx

vjp calls fun on traced stand-ins for its arguments (`tracer.py`). What is computed with them is written on a tape, in
order: the list that Wengert described in 1964. A value always comes after those it was made of, so the pullback is one
walk from the last to the first, with the rule of each operation from the table in `rules.py`.

Tapes nest, because what one tape calls a value may itself be traced by another. They are numbered, and an operation is
written on the innermost (latest) tape among its arguments, which takes what outer tapes trace for constants:

    grad(lambda x: x * grad(lambda y: x + y)(1.0))(2.0)     # d/dx (x * 1) = 1; on a single tape d(x + y)/dy would be 2

Nothing is conjugated: a_x = a . dy/dx also for complex holomorphic functions, so the complex step runs through a
gradient. Ordinary arrays that fun uses must not be changed between the value and the pullback.

Sources: R. E. Wengert, A simple automatic derivative evaluation program, Comm. ACM 7 (1964); A. Griewank, A. Walther,
Evaluating Derivatives, 2nd edition (2008), section 3.2.
"""

import operator

import numpy as np

from . import rules, rules_linalg  # noqa: F401, importing them fills the table
from .rules_arrays import Pieces, add_up
from .tracer import CutTrace, Tape, Traced, find_innermost, refuse_subclass, shape_of, untrace


def vjp(fun, *args):
    """y = fun(*args), and its pullback, which makes of a cotangent a of y one of each argument x:  a_x = a . dy/dx.

    Entry by entry, a_x[j] = sum_i a[i] dy[i]/dx[j], where i and j are indices of the whole shapes of y and x.

    fun:      a function of NumPy arrays that returns one array or number. It is called once, on traced stand-ins.
    args:     arrays of any shape, numbers or lists of numbers; integers count as float64. None is handed on untouched.
    Returns y, of the shape and dtype that fun returns, and pullback(a): a has the shape of y. The result is a tuple of
    one cotangent for each argument, of its shape and precision (complex where a or y is), 0 for one that does not
    matter, and None for None. A pullback may be called any number of times, also on traced values.

        >>> y, pullback = vjp(lambda A, x: A @ x, np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([5.0, 6.0]))
        >>> y
        array([17., 39.])
        >>> a_A, a_x = pullback(np.array([1.0, 10.0]))
        >>> a_A
        array([[ 5.,  6.],
               [50., 60.]])
        >>> a_x
        array([31., 42.])

    Raises TypeError at the line of fun that the tape cannot follow (a NumPy function without a rule, an array written
    into, float(x)), for masked arrays and other subclasses of ndarray, for arguments that are not numbers, and for a
    result that is not one array; ValueError for a cotangent of another shape; RuntimeError for a traced value that fun
    kept and that is used later.
    """
    require_function("vjp", fun)
    args = [as_argument(x) for x in args]
    tape = Tape()
    leaves = [tape.append((), x, (), {}) for x in args]  # arguments are nodes that nothing went into
    y = call_traced(fun, [None if leaf.value is None else leaf for leaf in leaves])
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
                if type(a) is Pieces:
                    a = a.sum()
                for i, rule in links:
                    a_x = rule(a, value, *values, **kwargs)
                    cotangents[i] = a_x if cotangents[i] is None else add_up(cotangents[i], a_x)
        return tuple(
            zero_cotangent(x) if a_x is None else as_cotangent(a_x, x) for a_x, x in zip(cotangents, args, strict=True)
        )

    return y, pullback


def value_and_grad(fun, argnum=0):
    """The function (*args) -> (y, dy/dx)  for  y = fun(*args),  a scalar, and  x = args[argnum].

    fun:      a function of NumPy arrays that returns a number or an array of shape ().
    argnum:   which argument is x, counted from 0; negative numbers count from the end.
    What is returned takes the arguments of fun. The gradient has the shape and precision of x (complex where y is).

        >>> value, g = value_and_grad(lambda theta: np.sum(theta**2))(np.array([1.0, 2.0]))
        >>> print(value, g)
        5.0 [2. 4.]

    Raises TypeError for a result that is not a scalar, IndexError for an argnum that there is not, and what vjp raises.
    """
    require_function("value_and_grad", fun)
    argnum = as_index(argnum)

    def both(*args):
        y, pullback = vjp(*isolate_argument(fun, argnum, args))
        if shape_of(y) != ():
            raise TypeError(f"grad wants a scalar result, got an array of shape {shape_of(y)}; sum it, or use jacobian")
        return y, pullback(1.0)[0]

    return both


def grad(fun, argnum=0):
    """The function (*args) -> dy/dx  for  y = fun(*args),  a scalar, and  x = args[argnum].

    fun:      a function of NumPy arrays that returns a number or an array of shape ().
    argnum:   which argument is x, counted from 0; negative numbers count from the end.
    What is returned takes the arguments of fun. The gradient has the shape and precision of x (complex where y is).
    It can be differentiated again.

        >>> print(grad(np.sin)(0.0), grad(grad(lambda x: x**3))(2.0))
        1.0 12.0

    Raises TypeError for a result that is not a scalar, IndexError for an argnum that there is not, and what vjp raises.
    """
    require_function("grad", fun)
    both = value_and_grad(fun, argnum)
    return lambda *args: both(*args)[1]


def jacobian(fun, argnum=0):
    """The function (*args) -> J  with  J[i, j] = dy[i]/dx[j]  for  y = fun(*args)  and  x = args[argnum].

    fun:      a function of NumPy arrays that returns one array.
    argnum:   which argument is x, counted from 0; negative numbers count from the end.
    What is returned takes the arguments of fun. J has the shape (*y.shape, *x.shape) and the precision of x (complex
    where y is). It takes one call of fun, and one of the pullback for each entry of y.

        >>> jacobian(lambda x: x[1:] * x[0])(np.array([2.0, 3.0, 4.0]))
        array([[3., 2., 0.],
               [4., 0., 2.]])

    Raises IndexError for an argnum that there is not, and what vjp raises.
    """
    require_function("jacobian", fun)
    argnum = as_index(argnum)

    def compute(*args):
        fun_of_x, x = isolate_argument(fun, argnum, args)
        y, pullback = vjp(fun_of_x, x)
        n = np.size(y)
        basis = np.eye(n).reshape(n or 1, *shape_of(y))  # one row also for an empty y: it tells the dtype
        return np.stack([pullback(e)[0] for e in basis])[:n].reshape(*shape_of(y), *np.shape(x))

    return compute


def custom(value_and_pullback, *args):
    """y, of a function that brings its own derivative: value_and_pullback(*args) -> y, pullback. It is one operation.

    value_and_pullback:  pullback(a) gives a_x = a . dy/dx for each argument x, in order; what it gives for an argument
                         that is not traced is not looked at. Of nested tapes it sees values that the outer ones trace:
                         y has higher derivatives if it and its pullback are written in functions that have rules.
    args:                whatever it takes; those to be differentiated are arrays or numbers.
    Returns y; traced, if one of the arguments is.

        >>> def cube(x):
        ...     return x**3, lambda a: (a * 3 * x**2,)
        >>> print(custom(cube, 2.0), grad(lambda x: custom(cube, x))(2.0), grad(grad(lambda x: custom(cube, x)))(2.0))
        8.0 12.0 12.0

    Raises TypeError for what is not a pair of one array and a function, and where a traced value is used that is not
    among its arguments. Where the gradient is taken, what the pullback gives is looked at: ValueError for too few or
    too many cotangents, or one of another shape than its argument, TypeError for one that is not made of numbers.
    """
    require_function("custom", value_and_pullback)
    tape = find_innermost(args)
    if tape is None:
        return as_pair(value_and_pullback(*args))[0]
    links = [(x.index, pick_cotangent(i)) for i, x in enumerate(args) if type(x) is Traced and x.tape is tape]
    values = tuple(x.value if type(x) is Traced and x.tape is tape else x for x in args)
    y, pullback = as_pair(value_and_pullback(*values))
    if type(y) is Traced and y.tape.number >= tape.number:
        raise TypeError("the function given to custom uses a traced value from outside; pass it as an argument")

    def joint(a, y, values):
        cotangents = pullback(a)
        if not isinstance(cotangents, tuple | list):
            raise TypeError(
                f"a custom pullback gives a tuple, one cotangent for each argument, got {type(cotangents).__name__}; "
                "for one argument write (a_x,)"
            )
        if len(cotangents) != len(values):
            raise ValueError(f"a custom pullback gave {len(cotangents)} cotangents for {len(values)} arguments")
        return tuple(cotangents)

    # A rule gives one cotangent, so this takes two nodes: the tuple of the arguments, and y as a function of the tuple.
    together = tape.append(links, values, (), {})
    return tape.append([(together.index, joint)], y, (values,), {})


def as_pair(pair):
    """y and pullback, where value_and_pullback gave one array and a function."""
    if not (isinstance(pair, tuple | list) and len(pair) == 2 and callable(pair[1])):
        raise TypeError(
            f"the function given to custom must return y, pullback: a value and a function; got {type(pair).__name__}"
        )
    y, pullback = pair
    if y is None or isinstance(y, tuple | list | dict):
        raise TypeError(
            f"the y of a custom function must be one array or number, got {type(y).__name__}; join several by "
            "np.stack or np.concatenate, and take them apart outside"
        )
    return y, pullback


def pick_cotangent(i):
    """The rule by which the cotangent of a tuple becomes that of its i-th part."""
    return lambda a, values: as_cotangent(a[i], values[i])


# --- What goes in and what comes out ----------------------------------------------------------------------------------

RAVEL = "theta, unravel = odelearn.ravel(tree) makes one vector of a dict or tuple, and unravel(theta) gives it back"


def require_function(caller, fun):
    if not callable(fun):
        raise TypeError(
            f"{caller} wants a function, got {type(fun).__name__}: write {caller}(fun, ...) without calling fun"
        )


def as_index(argnum):
    try:
        return operator.index(argnum)
    except TypeError:
        raise TypeError(f"argnum is one whole number, got {argnum!r}; for several arguments take vjp") from None


def call_traced(fun, args):
    """fun(*args). For z[i] = x NumPy asks for float(x), and puts an error of its own on top of ours: ours is told."""
    try:
        return fun(*args)
    except ValueError as error:
        if not isinstance(error.__cause__, CutTrace):
            raise
        message = (
            "z[i] = x would write a traced value into an ordinary array, where the tape cannot follow it; "
            "collect the parts and join them at the end: z = np.stack([x0, x1])"
        )
        raise TypeError(message).with_traceback(error.__traceback__) from None


def isolate_argument(fun, argnum, args):
    """fun as a function of args[argnum] alone, and that argument."""
    if not -len(args) <= argnum < len(args):
        raise IndexError(f"argnum = {argnum}, but this call has {len(args)} arguments; argnum = 0 is the first")

    def fun_of_x(x):
        return fun(*[x if i == argnum % len(args) else other for i, other in enumerate(args)])

    return fun_of_x, args[argnum]


def as_argument(x):
    """x in floating point and native byte order. A Python float stays one: an array would make float64 of float32."""
    if x is None or isinstance(x, (Traced, float, complex, np.inexact)):
        return x
    if isinstance(x, int):
        return float(x)
    refuse_subclass(x)
    kind = type(x).__name__
    try:
        x = np.asarray(x)
    except ValueError as error:  # lists of several lengths
        raise TypeError(f"derivatives need one array of numbers, got a {kind} of several shapes; {RAVEL}") from error
    if x.dtype == object:
        raise TypeError(f"derivatives need one array of numbers, got {kind}; {RAVEL}")
    if x.dtype.kind not in "biufc":
        raise TypeError(f"derivatives need numbers, got an array of dtype {x.dtype}")
    if x.dtype.kind in "fc":
        return x if x.dtype.isnative else x.astype(x.dtype.newbyteorder("="))
    return x.astype(float)


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
    if type(a) is Pieces:
        a = a.sum()  # a fresh array already
    elif type(a) is not Traced:
        refuse_subclass(a)
        a = np.array(a)  # a copy, since rules may return views, or one array twice
    if (dtype := np.result_type(untrace(x))) != a.dtype:
        if a.dtype.kind not in "biufc":
            raise TypeError(f"a cotangent is made of numbers, got {a[()]!r}")
        a = a.astype(np.result_type(dtype, np.complex64) if a.dtype.kind == "c" else dtype)
    if shape_of(a) != shape_of(x):
        raise ValueError(
            f"the cotangent of a value of shape {shape_of(x)} has that shape, got one of shape {shape_of(a)}"
        )
    return a if type(a) is Traced else a[()]  # a NumPy scalar if the shape is ()


def zero_cotangent(x):
    """The cotangent of an argument that the result does not depend on."""
    return None if x is None else np.zeros(shape_of(x), np.result_type(untrace(x)))[()]
