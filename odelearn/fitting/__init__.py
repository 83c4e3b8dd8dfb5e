"""The commands `fit` and `predict`: a model trained on a series, saved, and asked for a forecast.

Read fit and predict; then series (the data), models and model_file (what may be trained), training, gradient_check,
report. These stand on options (what the command line may say), store (files) and signals (Ctrl-C and its like).
"""
