"""Which trajectories are solved together: those that share their times, counted from their start."""

from collections import namedtuple

import numpy as np

from .forcing import Inputs
from .models import field_for

# Rows first ... first + length - 1 of trial k: one trajectory. In a Group several of them share their times.
Piece = namedtuple("Piece", "k first length")
# ts (n,), the times of the first piece; pieces; the field f; rows (n, K), places in the series; observed (n, K, D),
# 1 or 0; targets (n, K, D), 0 where nothing was observed. Where a training has one trial, there is no axis of K.
Group = namedtuple("Group", "ts pieces f rows observed targets")


class Grouping:
    """Makes Groups of the trials of one series, for one model."""

    def __init__(self, series, model, interpolation, by_rows):
        self.series, self.model, self.interpolation, self.by_rows = series, model, interpolation, by_rows
        self.values = np.where(series.observed, series.zs, 0.0)
        self.inputs = {}

    def groups(self, pieces):
        """The Groups of these pieces."""
        sharing = {}
        for piece in pieces:
            trial = self.series.trials[piece.k]
            sharing.setdefault(self.clock(trial, piece), []).append(piece)
        return [self.group(pieces) for pieces in sharing.values()]

    def clock(self, trial, piece):
        """What pieces have in common that can be solved together: their times from their start, to nine digits."""
        if not self.by_rows:
            return piece
        ts = trial.ts[piece.first : piece.first + piece.length]
        gap = (ts[-1] - ts[0]) / max(1, len(ts) - 1) or 1.0
        return piece.length, float(f"{gap:.9g}"), np.round((ts - ts[0]) / gap, 9).tobytes()

    def group(self, pieces):
        trials = [self.series.trials[piece.k] for piece in pieces]
        starts = np.array([trial.ts[piece.first] for trial, piece in zip(trials, pieces, strict=True)])
        first, n = pieces[0], pieces[0].length
        ts = trials[0].ts[first.first : first.first + n]
        begin = np.array([trial.start + piece.first for trial, piece in zip(trials, pieces, strict=True)])
        rows = begin + np.arange(n)[:, np.newaxis] if self.by_rows else begin[0] + np.arange(n)
        return Group(ts, pieces, self.field(trials, starts - starts[0]), rows,
                     self.series.observed[rows], self.values[rows])  # fmt: skip

    def field(self, trials, offsets):
        """The field for these trials, which are `offsets` ahead of the first of them."""
        inputs = Inputs(self.series, trials, offsets, self.interpolation, self.inputs) if self.series.inputs else None
        return field_for(self.model, len(trials) if self.by_rows else None, offsets, inputs)

    def windows(self, length, part="learned"):
        """Where windows of `length` rows may begin: (k, first) for every row that is observed whole, (M, 2).

        part  "learned": within the rows that are trained on; "valid": from the last of these on, within the others that
              are not held out
        """
        places = []
        for k, trial in enumerate(self.series.trials):
            low, high = (0, trial.learned) if part == "learned" else (trial.learned - 1, trial.rows)
            whole = np.flatnonzero(trial.observed[low : max(low, high - length + 1)].all(axis=1)) + low
            places.append(np.column_stack([np.full(len(whole), k), whole]))
        return np.concatenate(places)
