"""The figures of notebook 02 Value and pullback."""

FIGURES = {}
