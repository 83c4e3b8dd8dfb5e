"""The figures of notebook 06 Errata."""

FIGURES = {}
