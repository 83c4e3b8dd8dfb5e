"""A trained model, to be used: its forecasts, its field and its parameters, in the units of the data."""

import warnings

import numpy as np

from ..solvers.odesolve import odesolve
from .forecast import median, no_warnings


class FittedModel:
    """What fit_series and load return.

    model(ts)                   (T, D) the forecast at times ts (T,), of an ensemble the median of its members
    model(ts, bands=True)       (T, D, 5) quantiles 5, 25, 50, 75, 95 % of an observation, for ensembles
    model(ts, series="B")       the same for one of several trials, by its label
    model.field(z, t)           the learned dz/dt, of the shape of z (..., D); its unit is that of z over that of t
    model.predict(z0, ts)       (T, D) the trajectory from another state z0 (D,) at ts[0]
    model.theta                 (P,) or (E, P) parameters of f, those of members that go on
    model.history               the losses before each step, a list
    model.columns, .labels      the names of the D states that are observed; those of the trials
    model.save(path)            as a file that load reads
    model.report(), .figure()   what the command `fit` says of it, and draws

    All is in the units of the data, also with log, where the state of the model is z = log y: the field is dy/dt then.
    Times of a series with dates count from the first of them, in its unit: model.time_of("2024-05-01") is a number.
    States that are not observed follow the columns in z, (..., D + H); forecasts have the columns alone.
    A model that was trained on windows begins anew at every window of its data, from what was observed there.
    """

    def __init__(self, training, settings):
        self.training, self.settings = training, settings

    def __repr__(self):
        t, series = self.training, self.training.series
        members = f"{int(t.alive.sum())} members of " if t.members else ""
        trials = f" in {t.K} series" if series.labels else ""
        loss = f", loss {t.history[-1]:.4g}" if t.history else ""
        return (
            f"<FittedModel {t.model.label}: {members}{t.p.shape[-1]} numbers, dz/dt for {', '.join(series.columns)}"
            f"{f' and {t.hidden} hidden states' if t.hidden else ''}"
            f"{' driven by ' + ', '.join(series.inputs) if series.inputs else ''}; {len(series.ts)} rows{trials}, "
            f"{series.time} = {series.ts.min():.6g} ... {series.ts.max():.6g}; {len(t.history)} steps{loss}>"
        )

    @property
    def columns(self):
        return list(self.training.series.columns)

    @property
    def labels(self):
        return list(self.training.series.labels)

    @property
    def theta(self):
        return self.training.split(self.training.chosen)[1].copy()

    @property
    def history(self):
        return list(self.training.history)

    def trial(self, series):
        """The number of the trial with this label. Raises ValueError if there is none, or no label for many."""
        labels = self.labels
        if series is None and len(labels) < 2:
            return 0
        if series not in labels:
            raise ValueError(f"series must be one of {', '.join(labels) or 'none: there is one'}, got {series!r}")
        return labels.index(series)

    def __call__(self, ts, bands=False, series=None):
        training, k = self.training, self.trial(series)
        if bands and training.members is None:
            raise ValueError("bands need an ensemble: fit_series(..., ensemble=20), or --ensemble 20")
        ts, times = times_array(ts), training.series.trials[k].ts
        self.warn_of_inputs(ts, k)
        start = times[training.starts(k)[0]]
        zs = np.empty((len(ts), *training.chosen.shape[:-1], training.D))
        for side in ts >= start, ts < start:  # forwards from the start, and backwards
            if side.any():
                order = np.argsort(ts[side] if ts[side][0] >= start else -ts[side], kind="stable")
                places = np.flatnonzero(side)[order]
                with no_warnings():
                    zs[places] = training.forecast(ts[places], k)[..., : training.D]
        if bands:
            return training.series.to_data(training.bands(zs))
        return training.series.to_data(zs if training.members is None else median(zs))

    def warn_of_inputs(self, ts, k):
        series = self.training.series
        times = series.trials[k].ts
        if series.inputs and len(ts) and (ts.max() > times[-1] or ts.min() < times[0]):
            warnings.warn(
                f"{', '.join(series.inputs)} known from {times[0]:g} to {times[-1]:g}; outside, the first or the last "
                "value is kept. Rows without observations may be added to the data for what is known of the inputs",
                stacklevel=3,
            )

    def field(self, z, t, series=None):
        """dz/dt (..., D), of an ensemble the median of its members', at z (..., D) or (..., D + H) and a time t."""
        training, z = self.training, np.asarray(z, float)
        x, slope = self.to_state(z)
        f, theta = training.field(self.trial(series)), training.split(training.chosen)[1]
        rows = x.reshape(-1, training.S)
        members = np.atleast_2d(theta)
        dz = np.median([[f(row, float(t), one) for row in rows] for one in members], axis=0)
        return dz.reshape(z.shape) * slope

    def to_state(self, z):
        """The state of the model from z in the units of the data, and dz/dx of that change of coordinates."""
        training = self.training
        if z.shape[-1:] != (training.S,):
            names = ", ".join(self.columns)
            hidden = f" and {training.hidden} hidden states" if training.hidden else ""
            raise ValueError(f"z must have {training.S} components as its last axis, {names}{hidden}; got {z.shape}")
        if not training.series.log:
            return z, np.ones(training.S)
        observed = z[..., : training.D]
        if (observed <= 0).any():
            raise ValueError(f"z must be positive where the state is its logarithm, got {observed.min():g}")
        rest = z[..., training.D :]
        return np.concatenate([np.log(observed), rest], axis=-1), np.concatenate([observed, np.ones(rest.shape)], -1)

    def predict(self, z0, ts, bands=False, series=None):
        """(T, D), or (T, D, 5) with bands: the trajectory from z0 (D,), or (D + H,), at ts[0]; the median of members.

        ts  (T,) strictly increasing or decreasing. The solver takes its steps between neighbouring times.
        """
        training = self.training
        if bands and training.members is None:
            raise ValueError("bands need an ensemble: fit_series(..., ensemble=20), or --ensemble 20")
        x0, _ = self.to_state(np.asarray(z0, float))
        theta = training.split(training.chosen)[1]
        x0 = x0 if theta.ndim == 1 else np.tile(x0, (len(theta), 1))
        ts, k = times_array(ts), self.trial(series)
        self.warn_of_inputs(ts, k)
        with no_warnings():
            zs = odesolve(x0, training.field(k), ts, theta, training.solver).zs[..., : training.D]
        if bands:
            return training.series.to_data(training.bands(zs))
        return training.series.to_data(zs if theta.ndim == 1 else median(zs))

    def report(self):
        """R^2 in sample and of the rows held out, and for an ensemble its bands there, as text."""
        from . import report

        notes = report.one_forecast_note(self.training), report.noise_note(self.training)
        bands = report.band_report(self.training) if self.training.members else ""
        return "\n".join(filter(None, [report.score_table([self.training]), *notes, bands]))

    def figure(self):
        """The Figure of the command `fit`: the data and the model over time with its bands, the field, the loss."""
        from . import report

        return report.figure([self.training])

    def time_of(self, date):
        """The number that stands for an ISO date, for a series whose times are dates."""
        from ..datasets.times import from_date

        calendar = self.training.series.calendar
        if calendar is None:
            raise ValueError("the times of this series are numbers, not dates")
        return from_date(date, calendar)

    def save(self, path):
        """Write the model as a file that load reads. Raises OSError where that is not possible."""
        from .store import save_model

        save_model(path, self.training, self.settings)


def times_array(ts):
    """ts (T,), finite numbers."""
    ts = np.atleast_1d(np.asarray(ts, float))
    if ts.ndim != 1 or not np.isfinite(ts).all():
        raise ValueError(f"ts must be finite times of shape (T,), got shape {ts.shape}")
    return ts
