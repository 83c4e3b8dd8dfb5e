"""The paper's models: what is built of nets, solvers and gradients, and differentiated as a whole.

Normalizing flows: read flow (Theorem 1: a field that carries a log-density along), then planar ((7), (9) and (10)).
"""
