"""The commands `fit` and `predict`: a model trained on a series, saved, and asked for a forecast.

Read fit and predict; then series (the data), models, training, gradient_check.
These stand on options (what the command line may say) and store (files).
"""
