"""The figures of notebook 03 From Euler to Dormand-Prince."""

FIGURES = {}
