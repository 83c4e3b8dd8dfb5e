"""The paper's models: what is built of nets, solvers and gradients, and differentiated as a whole.

Classifiers, of section 3: read classify (residual nets, ODE nets, and how they are trained).
Normalizing flows: read flow (Theorem 1: a field that carries a log-density along), then planar ((7), (9) and (10)).
"""

from . import classify, flow, planar

__all__ = ["classify", "flow", "planar"]
