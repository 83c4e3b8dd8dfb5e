"""The figures of notebook 00 Start here."""

FIGURES = {}
