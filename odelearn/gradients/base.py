"""What every gradient method returns, and what they have in common."""

from contextlib import nullcontext
from functools import partial

import numpy as np

from ..dynamics import refuse_subclass


class BackwardStats:
    """What a backward pass took.

    evals, pullbacks   of f
    bytes              held between the passes: zs, and what the pullback keeps; counted when it is read first
    ledger             of the attempted steps, if Backsolve or Interpolating was asked for it; otherwise None
    """

    def __init__(self, evals, pullbacks, held, ledger=None):
        self.evals, self.pullbacks, self.ledger = evals, pullbacks, ledger
        self.held = held  # bytes, or a function that counts them

    @property
    def bytes(self):
        if callable(self.held):
            self.held = self.held()
        return self.held

    def __repr__(self):
        return (
            f"BackwardStats(evals={self.evals}, pullbacks={self.pullbacks}, bytes={self.bytes}, ledger={self.ledger})"
        )

    def __reduce__(self):
        return BackwardStats, (self.evals, self.pullbacks, self.bytes, self.ledger)


class Gradients:
    """What the pullback of a solve returns: the cotangents of z0, ts and theta.

    z0 (*z0.shape)   dL/dz0
    ts (T,)          dL/dts, with the mesh held constant as fractions of each interval, or of the whole for dense=True
    theta (P,)       dL/dtheta, summed over the batch; (0,) for theta = None, (E, P) for an ensemble
    stats            a BackwardStats
    drift            the largest |z(t_i) rebuilt - zs[i]|, from Backsolve and Reversible; otherwise None
    """

    def __init__(self, z0, ts, theta, stats, drift=None):
        self.z0, self.ts, self.theta, self.stats, self.drift = z0, ts, theta, stats, drift

    def __repr__(self):
        return (
            f"Gradients(z0={self.z0!r}, ts={self.ts!r}, theta={self.theta!r}, stats={self.stats}, drift={self.drift})"
        )


def cotangent_of(a_zs, zs):
    """a_zs = dL/dzs as an array like zs, and a copy.

    Raises ValueError for another shape or a value that is not finite, TypeError if complex where zs is not.
    """
    refuse_subclass("a_zs", a_zs)
    a_zs = np.asarray(a_zs)
    if a_zs.shape != zs.shape:
        raise ValueError(f"a_zs = dL/dzs must have the shape of zs, {zs.shape}, got {a_zs.shape}")
    if a_zs.dtype.kind == "c" and zs.dtype.kind != "c":
        raise TypeError(f"a_zs is complex but zs is {zs.dtype}; the gradient of a real loss is real")
    if np.isnan(zs).any():  # a member of an ensemble that diverged: it has no say in the loss
        a_zs = np.where(np.isnan(zs), 0, a_zs)
    if not np.isfinite(a_zs).all():
        i = tuple(np.argwhere(~np.isfinite(a_zs))[0].tolist())
        raise ValueError(
            f"a_zs = dL/dzs must be finite, got a_zs{list(i)} = {a_zs[i]}. Is a value missing in the data? Leave it "
            "out of the loss: index what was observed, or weigh it"
        )
    return np.array(a_zs, zs.dtype, order="C")


def ignoring_nan(zs):
    """A context in which the nan of members that diverged raise no warnings of NumPy; for finite zs it does nothing."""
    return np.errstate(all="ignore") if np.isnan(zs).any() else nullcontext()


class ThetaSum:
    """dL/dtheta = sum_i weight_i a_i df/dtheta(Z_i, t_i, theta)  over many stages i, (P,); (0,) for theta = None.

    Terms are summed in blocks by the `sum_theta` of the bound field: one large product instead of many small ones, of
    no more than the cache holds.
    """

    block = 16

    def __init__(self, sum_theta, theta, dtype):
        self.sum_theta, self.theta = sum_theta, theta
        self.terms, self.weights = [], []
        self.summed = np.zeros(0 if theta is None else theta.shape, dtype)

    def add(self, terms, weights=()):
        """Stages, each with its weight; without weights they are all 1, here and in every other call."""
        if self.theta is not None:
            self.terms += terms
            self.weights += weights
            if len(self.terms) >= self.block:
                self.sum_block()

    def sum_block(self):
        weights = np.array(self.weights, self.summed.real.dtype) if self.weights else None
        a_theta = self.sum_theta(self.terms, weights)
        if a_theta.shape != self.theta.shape:
            raise ValueError(f"the pullback of f gave a_theta of shape {a_theta.shape}, theta has {self.theta.shape}")
        self.summed = self.summed + a_theta
        self.terms, self.weights = [], []

    @property
    def total(self):
        if self.terms:
            self.sum_block()
        return self.summed


def held_by(nbytes, steps, theta):
    """A function that counts the bytes of the arrays that steps hold, and adds nbytes. It takes time, so it is put off.

    Counted is as many times what the first step holds, the same for those with extra stages of the interpolant, and
    once what they share. The function keeps these two steps alive, and no others.
    """
    if not steps:
        return lambda: nbytes
    scheme = getattr(steps[0], "scheme", None)  # a step of SciPy's has none
    shared = [scheme.field, scheme.Z, scheme.stages] if scheme else []
    parts = [(1, shared), (len(steps), steps[0].held)]
    extras = [step.extra for step in steps if getattr(step, "extra", None) is not None]
    if extras:
        k, kept = extras[0]
        parts.append((len(extras), [k, *kept[len(steps[0].k) :]]))
    return lambda: nbytes + sum(count * bytes_of(things, theta) for count, things in parts)


SHARED_BLOCK = 2**22  # an array so large is cut into the arrays of many steps, and each counts by itself


def bytes_of(things, theta):
    """Of all arrays found in lists, partial functions and closures; theta, which all share, does not count."""
    arrays, seen, todo = {}, set(), [*things]
    while todo:
        x = todo.pop()
        if id(x) in seen:
            continue
        seen.add(id(x))
        if isinstance(x, np.ndarray):
            whole = owner(x) if owner(x).nbytes < SHARED_BLOCK else x
            arrays[id(whole)] = whole.nbytes
        elif isinstance(x, list | tuple):
            todo += x
        elif isinstance(x, partial):
            todo += x.args
        elif hasattr(x, "__closure__"):
            todo += [cell.cell_contents for cell in x.__closure__ or ()]
    arrays.pop(id(owner(theta)), None)
    return sum(arrays.values())


def owner(x):
    """The array whose memory x looks at."""
    return x if getattr(x, "base", None) is None else x.base
