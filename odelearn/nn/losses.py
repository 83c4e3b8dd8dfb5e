"""Loss functions in plain NumPy: arrays in, one number out, and a traced number where an argument is traced.

The last axis holds the components of one item and is summed over; all axes before it are batch, and the mean is taken
over them. So a loss, and the step of an optimiser with it, does not depend on how large a batch is.
"""

import math

import numpy as np

from ..autodiff.tape import custom


def softmax_cross_entropy(logits, labels):
    """The mean of -log p_n over the batch, where p_n is the probability that softmax gives to the right class:

        L = mean_n [ log sum_c exp(x_nc) - x_n,label(n) ],   x = logits

    logits  (..., C), one score for each of C classes, of any size: each row's largest is taken off before exp
    labels  (...,) integers from 0 to C - 1, the right classes

    Returns a number in the precision of logits. Raises TypeError for labels that are not integers, ValueError for
    labels of another shape or outside of 0 ... C - 1, and for an empty batch.

    >>> logits = np.array([[0.0, 0.0], [0.0, 1000.0]])
    >>> print(softmax_cross_entropy(logits, [0, 1]))     # log 2 for the first row, 0 for the second
    0.34657
    """
    logits, labels = as_operand(logits), np.asarray(labels)
    if labels.dtype.kind not in "iu":
        raise TypeError(f"labels must be integers, the numbers of the classes, got dtype {labels.dtype}")
    if logits.ndim < 1 or labels.shape != logits.shape[:-1]:
        raise ValueError(
            f"labels must have one class for each row of logits: logits (..., C) and labels (...,), "
            f"got {logits.shape} and {labels.shape}"
        )
    if logits.size == 0:
        raise ValueError(f"logits of shape {logits.shape}: the mean over an empty batch is not defined")
    C = logits.shape[-1]
    if labels.min() < 0 or labels.max() >= C:
        raise ValueError(f"labels must lie in 0 ... {C - 1} for {C} classes, got {labels.min()} to {labels.max()}")
    right = labels[..., np.newaxis] == np.arange(C)  # (..., C), one True in every row

    def value_and_pullback(x):
        x = x - np.maximum.reduce(x, axis=-1, keepdims=True)
        e = np.exp(x)
        total = np.add.reduce(e, axis=-1, keepdims=True)
        log_p = x - np.log(total)
        L = -np.add.reduce(log_p[right]) / labels.size
        return L, lambda a: (a / labels.size * (e / total - right),)  # dL/dx_nc = (p_nc - [c is right]) / N

    return custom(value_and_pullback, logits)  # one operation on the tape, instead of ten


def gaussian_log_likelihood(x, mean, log_std):
    """The mean over the batch of log N(x; mean, std^2), components independent of each other:

        log N = sum_d [ -1/2 ((x_d - mean_d) / std_d)^2 - log std_d - 1/2 log 2 pi ]

    x        (..., D), what was observed
    mean     (..., D), or anything that broadcasts with x
    log_std  the logarithm of the standard deviation in the units of x; a number, (D,), or as mean

    Returns a number, to be maximised. Raises ValueError for shapes that do not broadcast to that of x or of mean.

    >>> print(gaussian_log_likelihood(np.zeros((5, 2)), 0.0, 0.0))     # -log 2 pi
    -1.83788
    """
    x, mean, log_std = as_operand(x), as_operand(mean), as_operand(log_std, like=x)
    N = count_rows({"x": x, "mean": mean}, log_std)
    z = (x - mean) * np.exp(-log_std)
    return np.sum(-0.5 * z * z - log_std - 0.5 * math.log(2 * math.pi)) / N


def gaussian_kl(mean, log_std):
    """The mean over the batch of KL(q || p) for q = N(mean, std^2) and p = N(0, I), components independent:

        KL = E_q [log q - log p] = 1/2 sum_d (mean_d^2 + std_d^2 - 1 - 2 log std_d)  >=  0

    mean     (..., D)
    log_std  the logarithm of the standard deviation; a number, (D,), or (..., D)

    Returns a number: 0 where q = p. Raises ValueError for a log_std that does not broadcast to the shape of mean.
    Source: Kingma and Welling (2014), Auto-encoding variational Bayes, Appendix B.

    >>> print(gaussian_kl(np.zeros((5, 2)), 0.0), gaussian_kl(np.ones((5, 2)), 0.0))
    0.0 1.0
    """
    mean, log_std = as_operand(mean), as_operand(log_std, like=mean)
    N = count_rows({"mean": mean}, log_std)
    return 0.5 * np.sum(mean * mean + np.exp(2 * log_std) - 1 - 2 * log_std) / N


# ---- what may come in


def as_operand(x, like=None):
    """Lists and tuples as arrays; a Python number in the precision of `like`, for np.exp makes it float64."""
    if isinstance(x, list | tuple):
        return np.asarray(x)
    return x if like is None or hasattr(x, "shape") else np.asarray(x, np.result_type(like, x))


def count_rows(named, log_std):
    """The size of the batch. Raises ValueError where broadcasting makes what none of the named arrays is.

    (N, 1) and (N,) make (N, N), which NumPy would sum without a word.
    """
    shapes = {**{name: np.shape(x) for name, x in named.items()}, "log_std": np.shape(log_std)}
    told = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
    try:
        whole = np.broadcast_shapes(*shapes.values())
    except ValueError:
        whole = None
    if whole is None or whole not in [shapes[name] for name in named]:
        raise ValueError(f"the shapes must broadcast to that of {' or '.join(named)}, got {told}")
    if math.prod(whole) == 0 or whole == ():
        raise ValueError(f"each item is a vector, and there is one at least: {' or '.join(named)} (..., D), got {told}")
    return math.prod(whole[:-1])
