"""The figures of notebook 01 Derivatives you can trust."""

FIGURES = {}
