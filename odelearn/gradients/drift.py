"""How far a state that is rebuilt backwards may be from the true one, and the warning when it is further."""

import warnings

import numpy as np

from ..solvers.step_size import AdaptiveSteps

SAFETY = 10  # drift is called unexplained from ten times the explanation on


class DriftWarning(UserWarning):
    """The states rebuilt backwards are not those of the solution, so the gradient made with them is wrong."""


class Drift:
    """What the tolerance explains of the gaps |z(t_i) rebuilt - zs[i]|.

    Each of n steps errs by atol + rtol max|z|, on the way there and on the way back, so a field that neither contracts
    nor expands leaves a gap of up to  2 n (atol + rtol max|z|).  A gap of more than ten times that has been amplified:
    the field contracts forwards, and whatever contracts forwards expands backwards.
    Fixed steps have no tolerance, and may be as coarse as one likes: there the limit is max|z|, a z no better than 0.

    For y' = lambda y over T = 1 with DOPRI5 at rtol = 1e-6, atol = 1e-9 the gap passes the limit at lambda = -17, where
    the gradient is wrong by a thousand times rtol.
    """

    def __init__(self, z0, intervals, solvers, reset, observations=None):
        self.observations = observations  # the Observations of a dense forward solve, or None
        self.controls, self.reset = [solver.control for solver in solvers], reset
        self.steps = [0] * intervals  # in each interval [ts[i], ts[i+1]]
        self.sizes = [float(np.abs(z0).max())] + [0.0] * intervals  # max|z| in it; one too many, to hand on its end

    def note(self, i, step):
        """Count a step of the forward solve in the interval [ts[i], ts[i+1]]. The step itself is not kept.

        A step of a dense solve counts in every interval of which it has a part.
        """
        touched = [i]
        if self.observations is not None:
            seen = self.observations.inside(step)
            touched = range(seen.start - 1, seen.stop)
        size = float(np.fmax.reduce(np.abs(step.z_next), axis=None))
        for i in touched:
            self.steps[i] += 1
            self.sizes[i : i + 2] = max(self.sizes[i], size), size

    def explained(self):
        """(N,) the largest gap at each ts[0] ... ts[N-1] that needs no warning."""
        steps, sizes = np.array(self.steps), np.array(self.sizes[:-1])
        if not self.reset:  # what was wrong at ts[i+1] is still wrong at ts[i]
            steps, sizes = np.cumsum(steps[::-1])[::-1], np.maximum.accumulate(sizes[::-1])[::-1]
        if not all(isinstance(control, AdaptiveSteps) for control in self.controls):
            return sizes
        tolerance = np.max([np.max(c.atol) + np.max(c.rtol) * sizes for c in self.controls], axis=0)
        return SAFETY * 2 * steps * tolerance

    def warn(self, gaps, ts):
        """Say so, for the interval where it is worst, if a gap is not explained."""
        explained = np.maximum(self.explained(), np.finfo(float).tiny)
        excess = gaps / explained
        if excess.size and excess.max() > 1:
            i = int(excess.argmax())
            warnings.warn(
                f"z rebuilt backwards at ts[{i}] = {ts[i]:g} is {gaps[i]:.2g} from the true one, where the solver "
                f"explains {explained[i]:.2g}: f contracts, errors grow on the way back, and with them the "
                "gradient is off. Interpolating(), Checkpointed() and Discrete() rebuild no z; more observation "
                "times, each of which resets z, or tighter tolerances help as well",
                DriftWarning,
                stacklevel=3,
            )
