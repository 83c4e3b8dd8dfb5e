"""The accepted steps as numbers, kept for a second visit: (i, t, h, t_next), in interval i from t to t_next."""

from array import array
from bisect import bisect_right
from itertools import accumulate, pairwise

from ..solvers.step_size import FixedSteps


def mesh_of(control, ts):
    """An empty mesh to fill with the steps of a solve: of no size where the steps can be counted out again."""
    return RegularMesh(control, ts) if isinstance(control, FixedSteps) else RecordedMesh()


class RecordedMesh:
    """Wherever the error estimate put the steps."""

    def __init__(self):
        self.numbers = array("d")  # i, t, h, t_next, i, t, h, t_next, ...

    def __len__(self):
        return len(self.numbers) // 4

    @property
    def nbytes(self):
        return len(self.numbers) * self.numbers.itemsize

    def append(self, i, step):
        self.numbers.extend((i, step.t, step.h, step.t_next))

    def __getitem__(self, n):
        i, t, h, t_next = self.numbers[4 * n : 4 * n + 4]
        return int(i), t, h, t_next


class RegularMesh:
    """Equal steps in every interval, as FixedSteps makes them: counted out again instead of kept."""

    nbytes = 0

    def __init__(self, control, ts):
        self.ts = [float(t) for t in ts]
        self.counts = [control.count(t1 - t0) for t0, t1 in pairwise(self.ts)]
        self.starts = list(accumulate(self.counts, initial=0))  # the number of the first step in each interval

    def __len__(self):
        return self.starts[-1]

    def append(self, i, step):
        pass

    def __getitem__(self, n):
        i = bisect_right(self.starts, n) - 1
        t0, t1, count, k = self.ts[i], self.ts[i + 1], self.counts[i], n - self.starts[i]
        h = (t1 - t0) / count
        return i, t0 + k * h, h, t1 if k + 1 == count else t0 + (k + 1) * h
