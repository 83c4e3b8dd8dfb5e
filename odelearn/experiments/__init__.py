"""The commands that train or measure something, print a table and draw a figure.

Read compare and audit; then spiral (with cubic and windows), adjoint_film; figures runs them all.

The experiments of the paper are modules of one form, listed in EXPERIMENTS: run(method, seed) trains and measures, and
draw, table and claims say what came out. jobs runs them and keeps what is finished, claims judges a sentence of the
paper by the numbers, command is `python -m odelearn NAME`.

    classify    digits (Table 1, Figure 3), plane, classify_settings, classify_claims
"""

# name of the command -> (its module, what --help says of it), such as
#     "vector-field": ("odelearn.experiments.vector_field", "learn known fields from noisy trajectories")
EXPERIMENTS = {
    "classify": ("odelearn.experiments.classify", "digits by residual nets and ODE nets, points in the plane"),
}
