"""The commands `fit` and `predict`, and fit_series and load: a model trained on a series, saved, and asked for more.

Read fit_series and fitted (what Python sees), fit and predict (the commands); then where the data come from: sources,
series; what may be trained: models, lotka_volterra, fields, forcing, model_file; how: groups (trajectories that are
solved together), forecast, loss, training, bootstrap, validation, and build, which puts them together; what is said of
it: gradient_check, report. These stand on option_table and options (what may be said), store and load (files), and
signals (Ctrl-C and its like).
"""
