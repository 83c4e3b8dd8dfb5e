"""The figures of notebook 07 Four promises, tested."""

FIGURES = {}
