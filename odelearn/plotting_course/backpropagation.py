"""The figures of notebook 04 Backpropagation through a solver."""

FIGURES = {}
