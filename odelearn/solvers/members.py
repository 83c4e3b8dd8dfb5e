"""The members of an ensemble in one solve: one that diverges becomes nan, and the others go on."""

import math
import warnings
from copy import copy

import numpy as np

from . import errors


class EnsembleWarning(UserWarning):
    """A member of an ensemble diverged. Its rows are nan from there on; the others go on."""


def members_of(theta, z, axis=0):
    """The Members of a solve that begins with state z, for theta (E, P); None if theta is no ensemble."""
    return Members(z, axis) if theta is not None and theta.ndim == 2 else None


class Members:
    """Which members of an ensemble go on. They stand along one axis of the state: (E, ..., D), or (2, E, ..., D).

    alive (E,)    False for a member that was not finite at the beginning, or has been dropped
    complete      whether all are alive
    """

    def __init__(self, z, axis=0):
        self.axis = axis
        self.alive = self.finite(z)
        self.complete = bool(self.alive.all())

    def finite(self, x):
        """(E,) whether all components of a member are finite."""
        return np.isfinite(np.moveaxis(x, self.axis, 0).reshape(x.shape[self.axis], -1)).all(axis=1)

    def put(self, value, x, who, axis=None):
        """x as a new array, in which the rows of some members have this value."""
        x = x.copy()
        np.moveaxis(x, self.axis if axis is None else axis, 0)[who] = value
        return x

    def fill(self, x, axis=None):
        """x with 0 in the rows of those who have been dropped, so that nobody stumbles over their nan."""
        return x if self.complete else self.put(0, x, ~self.alive, axis)

    def norm(self, norm):
        """The norm over the components of those who go on."""
        return lambda x: norm(np.compress(self.alive, x, self.axis))

    def accept(self, controller, step):
        """What the controller says of a step, without those who have been dropped.

        Where it gives up, the members that are not finite, or else the one with the largest error, are dropped and the
        step is accepted. Raises its SolverError if nobody is left.
        """
        try:
            return controller.accept(self.seen(step))
        except errors.SolverError as error:
            bad = self.alive & ~self.finite(step.z_next)
            if not bad.any():
                bad[errors.largest(self.seen(step).error)[self.axis]] = True
            self.drop(bad, error)
            step.z_next = self.put(np.nan, step.z_next, ~self.alive)
            return math.nan, True

    def seen(self, step):
        """The step as a controller may see it: rows of those who have been dropped are 0."""
        if self.complete:
            return step
        step = copy(step)
        step.z, step.z_next, step.k = self.fill(step.z), self.fill(step.z_next), self.fill(step.k, self.axis + 1)
        return step

    def drop(self, bad, error):
        """The members `bad` (E,) go on no more. The warning has the words of the SolverError that stopped them."""
        self.alive, self.complete = self.alive & ~bad, False
        if not self.alive.any():
            raise error
        who = ", ".join(map(str, np.flatnonzero(bad)))
        warnings.warn(f"member {who} diverged and is nan from there on; the others go on. {error}", EnsembleWarning, 2)
