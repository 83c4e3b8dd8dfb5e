"""The figures of notebook 05 Appendix B, line by line."""

FIGURES = {}
