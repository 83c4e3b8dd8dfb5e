"""The paper's models: what is built of nets, solvers and gradients, and differentiated as a whole.

Classifiers, of section 3: read classify (residual nets, ODE nets, and how they are trained).
Normalizing flows: read flow (Theorem 1: a field that carries a log-density along), then planar ((7), (9) and (10)),
flow_penalties (short, straight paths) and flow_matching (training without a solve).
Known physics: read hamiltonian (a net that is an energy), then least_squares (the parameters of a known equation).
"""

from . import classify, flow, flow_matching, flow_penalties, planar

__all__ = ["classify", "flow", "flow_matching", "flow_penalties", "planar"]
