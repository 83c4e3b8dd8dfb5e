"""The paper's models: what is built of nets, solvers and gradients, and differentiated as a whole.

Classifiers, of section 3: read classify (residual nets, ODE nets, and how they are trained).
Normalizing flows: read flow (Theorem 1: a field that carries a log-density along), then planar ((7), (9) and (10)),
flow_penalties (short, straight paths) and flow_matching (training without a solve).
Known physics: read hamiltonian (a net that is an energy), then least_squares (the parameters of a known equation).
Latent variables: irregular (a solution read at irregular times), encoder (q(z0 | x)), latent (the latent ODE and its
bound, (11) to (13) and (53)), recurrent (the RNN beside it), stretches (how both are trained), then poisson (events in
the place of observations).
"""

from . import classify, flow, flow_matching, flow_penalties, planar

__all__ = ["classify", "flow", "flow_matching", "flow_penalties", "planar"]
