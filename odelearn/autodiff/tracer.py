"""Stand-ins for arrays, which write down on a tape what is computed with them.

Python hands an operator (x + y) to the stand-in's own methods, and NumPy any of its functions to `__array_ufunc__` and
`__array_function__`. We do the operation on the values, and note on the tape what went in. So np.tanh(z @ W + b) works
as it stands, and `tape.py` makes derivatives of it.
"""

import itertools
import operator

import numpy as np

RULES = {}  # fun -> for each argument x of y = fun(*args) its rule, (a, y, *args) -> a_x; the table is in rules.py
COMPOSED = {}  # fun -> the same for traced arguments, written in functions that have rules


NO_OPTIONS = {}


class Tape:
    """What was computed, in order, as nodes (links, y, args, kwargs).

    A link (i, rule) says that node i went into y, and that its cotangent is rule(a, y, *args, **kwargs).
    """

    __slots__ = ("number", "nodes", "closed")
    numbers = itertools.count()

    def __init__(self):
        self.number, self.nodes, self.closed = next(Tape.numbers), [], False

    def append(self, links, y, args, kwargs):
        if self.closed:
            raise RuntimeError(
                "a traced value was used after its vjp (or grad) call had ended; return it from the function, "
                "do not keep it in a variable outside"
            )
        self.nodes.append((links, y, args, kwargs))
        return Traced(y, self, len(self.nodes) - 1)


def record(fun, rules, args, kwargs=NO_OPTIONS):
    """y = fun(*args, **kwargs), with a node for it on the innermost tape among the arguments.

    rules[i](a, y, *args, **kwargs) is the cotangent of argument i; options such as an axis have none.
    """
    tape = find_innermost(args)
    if tape is None:
        return fun(*args, **kwargs)
    values, links = [], []
    for i, x in enumerate(args):
        if type(x) is Traced:
            if x.tape is tape:  # otherwise it is a constant to this tape, even if an outer one traces it
                links.append((x.index, rules[i]))
                x = x.value
        elif type(x) is not np.ndarray and isinstance(x, np.ndarray):
            refuse_subclass(x)
        values.append(x)
    return tape.append(links, fun(*values, **kwargs), values, kwargs)


def find_innermost(args):
    """The latest tape that traces one of the arguments, or None."""
    tape = None
    for x in args:
        if type(x) is Traced and (tape is None or x.tape.number > tape.number):
            tape = x.tape
    return tape


def dispatch(fun, args, kwargs=NO_OPTIONS):
    """fun(*args, **kwargs) of traced arguments: composed of other functions, or by a rule of its own."""
    if fun in COMPOSED:
        return COMPOSED[fun](*args, **kwargs)
    if fun not in RULES:
        raise TypeError(
            f"the tape has no rule for {name_of(fun)}: write it with functions that have one (see "
            "odelearn/autodiff/rules.py), or bring a pullback of your own: odelearn.custom. "
            "To add a rule to the table takes one line there, rules.unary or rules.binary"
        )
    rules = RULES[fun]
    if kwargs and not kwargs.keys() <= (known := {*rules[-1].__code__.co_varnames[2:]}):
        raise TypeError(
            f"the tape's rule for {name_of(fun)} does not know {sorted(kwargs.keys() - known)}; write it without"
        )
    return record(fun, rules, args, kwargs)


def name_of(fun):
    """How a user calls a NumPy function: np.sinc, np.linalg.eigh, or np.add.outer, a method of a ufunc."""
    if isinstance(ufunc := getattr(fun, "__self__", None), np.ufunc):
        return f"np.{ufunc.__name__}.{fun.__name__}"
    return f"{getattr(fun, '__module__', 'numpy').replace('numpy', 'np')}.{fun.__name__}"


def untrace(x):
    """The ordinary value under any number of tapes."""
    while type(x) is Traced:
        x = x.value
    return x


def as_constant(fun):
    """A function whose derivative is zero, of traced arguments: it gives ordinary values, and needs no node."""

    def untraced(*args, **kwargs):
        values = [untrace(x) for x in args]
        for x in values:
            refuse_subclass(x)
        return fun(*values, **kwargs)

    return untraced


def refuse_subclass(x):
    """Raises TypeError for an array that means something else by the same operations: a masked one, an np.matrix."""
    if not isinstance(x, np.ndarray) or type(x) in (np.ndarray, np.memmap):  # a memmap is an ordinary array in a file
        return
    if isinstance(x, np.ma.MaskedArray):
        raise TypeError(
            "the tape does not know masks, and the gradient of a masked array would be wrong. Index what was observed, "
            "z[seen] - y[seen], or weigh it, np.sum(w * (z - y) ** 2) / np.sum(w), with "
            "seen = ~np.ma.getmaskarray(y), w = seen.astype(float), and y.filled(0) in the place of y"
        )
    raise TypeError(
        f"the tape knows ordinary arrays only, got {type(x).__name__}, a subclass of np.ndarray that may give another "
        "meaning to *, to indices or to units; if its numbers are what you mean, pass np.asarray(x)"
    )


def as_operand(x):
    """Lists and tuples of numbers are arrays wherever NumPy takes arrays."""
    return np.asarray(x) if isinstance(x, (list, tuple)) else x


def shape_of(x):
    """np.shape of an array or a number (not a list), traced or not; np.shape itself is slower."""
    return getattr(x, "shape", ())


# --- The stand-in -----------------------------------------------------------------------------------------------------


def make_operators(op, ufunc):
    """The methods for x op other, other op x, and x op= other: straight to `record`, past NumPy's slower dispatch."""

    def forward(self, other):
        return record(op, RULES[ufunc], (self, as_operand(other)))

    def reflected(self, other):
        return record(op, RULES[ufunc], (as_operand(other), self))

    def in_place(self, other):
        if self.ndim > 0:  # of dimension 0 it stands for a NumPy scalar, for which x += y means x = x + y
            raise TypeError("y += x writes into an array the tape has already used; write y = y + x")
        return op(self, other)

    return forward, reflected, in_place


def method(fun):
    """x.fun(...) is np.fun(x, ...)."""
    return lambda self, *args, **kwargs: dispatch(fun, (self, *args), kwargs)


def reshape(x, shape):
    """np.reshape, without its detour."""
    return x.reshape(shape)


class CutTrace(TypeError):
    """An ordinary number was asked for in the place of a traced one. NumPy may put an error of its own on top."""


class Traced:
    """Behaves as the array (or float) for which it stands while a function is differentiated.

    value: that array, or what an outer tape traces of it; tape and index: where its node is.
    """

    __slots__ = ("value", "tape", "index")

    def __init__(self, value, tape, index):
        self.value, self.tape, self.index = value, tape, index

    # fmt: off
    __add__,     __radd__,     __iadd__     = make_operators(operator.add,     np.add)
    __sub__,     __rsub__,     __isub__     = make_operators(operator.sub,     np.subtract)
    __mul__,     __rmul__,     __imul__     = make_operators(operator.mul,     np.multiply)
    __truediv__, __rtruediv__, __itruediv__ = make_operators(operator.truediv, np.divide)
    __pow__,     __rpow__,     __ipow__     = make_operators(operator.pow,     np.power)
    __mod__,     __rmod__,     __imod__     = make_operators(operator.mod,     np.remainder)
    __matmul__,  __rmatmul__,  __imatmul__  = make_operators(operator.matmul,  np.matmul)

    __neg__, __pos__, __abs__ = method(np.negative), method(np.positive), method(np.absolute)

    __lt__, __le__, __eq__ = as_constant(operator.lt), as_constant(operator.le), as_constant(operator.eq)
    __gt__, __ge__, __ne__ = as_constant(operator.gt), as_constant(operator.ge), as_constant(operator.ne)
    __floordiv__, __rfloordiv__ = as_constant(operator.floordiv), as_constant(lambda x, other: other // x)

    sum,    mean,     prod,     cumsum  = method(np.sum),    method(np.mean),     method(np.prod),     method(np.cumsum)
    max,    min,      var,      std     = method(np.max),    method(np.min),      method(np.var),      method(np.std)
    argmax, argmin,   any,      all     = method(np.argmax), method(np.argmin),   method(np.any),      method(np.all)
    ravel,  flatten,  swapaxes, copy    = method(np.ravel),  method(np.ravel),    method(np.swapaxes), method(np.copy)
    repeat, take,     squeeze,  clip    = method(np.repeat), method(np.take),     method(np.squeeze),  method(np.clip)
    trace,  diagonal, dot,      round   = method(np.trace),  method(np.diagonal), method(np.dot),      method(np.round)
    # fmt: on

    def __getitem__(self, index):
        return record(operator.getitem, RULES[operator.getitem], (self, index))

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def reshape(self, *shape):
        shape = shape[0] if len(shape) == 1 else shape
        return self if shape == self.shape else record(reshape, RULES[np.reshape], (self, shape))

    def transpose(self, *axes):
        return np.transpose(self, axes[0] if len(axes) == 1 else axes or None)

    def astype(self, dtype, **options):
        def cast(x):
            x = x if hasattr(x, "astype") else np.asarray(x)[()]  # a Python float
            return x.astype(dtype, **options)

        if np.dtype(dtype).kind not in "fc":
            return cast(untrace(self))  # to integers or truths: steps, whose derivative is zero
        return record(cast, [lambda a, y, x: a], (self,))

    T = property(lambda self: record(lambda x: x.T, RULES[np.transpose], (self,)))
    mT = property(lambda self: np.swapaxes(self, -1, -2))
    shape = property(lambda self: getattr(self.value, "shape", ()))  # a Python float has none
    ndim = property(lambda self: len(self.shape))
    size = property(lambda self: np.size(untrace(self)))
    dtype = property(lambda self: np.result_type(untrace(self)))

    def __len__(self):
        return len(self.value)

    def __bool__(self):
        return bool(self.value)  # `if x:` looks at the value, as `if x > 0:` does

    def __repr__(self):
        return f"Traced({self.value!r})"

    def __format__(self, spec):
        return format(untrace(self), spec)

    def __array_ufunc__(self, ufunc, call, *args, **kwargs):
        if "out" in kwargs:
            raise TypeError("y += x (and out=y) writes into an array the tape cannot see; write y = y + x")
        fun = ufunc if call == "__call__" else getattr(ufunc, call)
        return dispatch(fun, args if len(args) == 1 else [as_operand(x) for x in args], kwargs)

    def __array_function__(self, fun, types, args, kwargs):
        return dispatch(fun, args, kwargs)

    # What would cut the trace, so that the gradient would come out wrong

    @property
    def _data(self):
        """np.ma asks for this when a masked array stands on the left: masked - x."""
        refuse_subclass(np.ma.masked)

    def __setitem__(self, index, y):
        raise TypeError("x[i] = y writes into an array the tape has already used; use np.where or np.concatenate")

    def __array__(self, dtype=None, copy=None):
        raise TypeError(
            "an ordinary array cannot hold traced values: for np.array([x, y]) write np.stack([x, y]), for "
            "np.asarray(x) just x, for A.dot(x) A @ x, for values[x] values[int(np.floor(x))] or np.interp(x, places, "
            "values), and instead of z[i] = x join the parts of z by np.stack"
        )

    def __float__(self):
        raise CutTrace(
            "float(x) would cut the trace of x: grad wants a scalar result, but as it is; for math.sin(x), which calls "
            "float, write np.sin(x), and instead of z[i] = x join the parts of z by np.stack"
        )

    __complex__ = __float__

    def __int__(self):
        raise CutTrace(
            "int(x), or x as an index, would cut the trace of x. A whole number made of x goes in steps, so its "
            "derivative is 0: int(np.floor(x)) says that this is meant. To look up values by time, np.interp(t, times, "
            "values) has a derivative; and instead of z[i] = x join the parts of z by np.stack"
        )

    __index__ = __floor__ = __ceil__ = __trunc__ = __int__

    def __round__(self, digits=None):
        return self.__int__()
