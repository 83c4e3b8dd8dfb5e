"""The commands that train or measure something, print a table and draw a figure.

Read compare and audit; then spiral (with cubic and windows), adjoint_film; figures runs them all.

The experiments of the paper are modules of one form, listed in EXPERIMENTS: run(method, seed) trains and measures, and
draw, table and claims say what came out. jobs runs them and keeps what is finished, claims judges a sentence of the
paper by the numbers, command is `python -m odelearn NAME`.

    classify      digits (Table 1, Figure 3), plane, classify_settings, classify_claims
    vector_field  known fields and an energy, with field_learning
    flow          density_matching (Figure 4), flow_likelihood (Figure 5), flow_cost, flow_claims
    latent        irregular spirals (Table 2, Figures 8 to 10), and poisson (Figure 7)

scoreboard runs them all with several seeds, and writes which claims hold.
"""

# name of the command -> (its module, what --help says of it)
EXPERIMENTS = {
    "classify": ("odelearn.experiments.classify", "digits by residual nets and ODE nets, points in the plane"),
    "vector-field": ("odelearn.experiments.vector_field", "learn known fields from noisy trajectories; an energy net"),
    "flow": ("odelearn.experiments.flow", "normalizing flows, continuous and discrete, on densities and on points"),
    "latent": ("odelearn.experiments.latent", "a latent ODE and an RNN on irregular spirals; a Poisson process"),
}
