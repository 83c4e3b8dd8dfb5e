"""The commands that train or measure something, print a table and draw a figure.

Read compare and audit; then spiral (with cubic and windows), adjoint_film; figures runs them all.
"""
