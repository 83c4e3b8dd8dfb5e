"""Reverse mode for ordinary NumPy code: a value, and a pullback for its cotangent.

Read tape, tracer, rules, then rules_arrays and rules_linalg, which are more of the same table.
"""
