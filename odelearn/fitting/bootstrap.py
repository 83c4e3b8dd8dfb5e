"""What the members of an ensemble learn from: the same curve, with residuals drawn anew for each of them."""

import warnings

import numpy as np

from .forecast import median


def bootstrap_targets(training, p):
    """(E, N, D): the median of the members at p, and on it residuals of the rows trained on, drawn with replacement.

    Each member so sees another sample of the noise that the data might have had. A row is drawn with all its columns;
    residuals are centred; where a column was not observed in the row drawn, its residual is one of the column's others.
    Source: Efron (1979), Bootstrap methods: another look at the jackknife (section 7, regression).
    """
    series, before = training.series, training.p
    training.p = p
    try:
        fitted = median(training.member_predictions())  # (N, D)
    finally:
        training.p = before
    learned = np.flatnonzero(series.learned & np.isfinite(fitted).all(axis=1))
    residuals = (series.zs - fitted)[learned]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mean of empty slice")
        residuals = residuals - np.nan_to_num(np.nanmean(residuals, axis=0))
    targets = np.zeros((len(p), *series.zs.shape))
    for e in range(len(p)):
        rng = np.random.default_rng([training.seed + e, 2])
        drawn = residuals[rng.integers(len(residuals), size=len(learned))]
        for column, known in zip(drawn.T, residuals.T, strict=True):
            known, missing = known[~np.isnan(known)], np.isnan(column)
            column[missing] = rng.choice(known, missing.sum()) if known.size else 0.0
        targets[e, learned] = fitted[learned] + drawn
    return targets
