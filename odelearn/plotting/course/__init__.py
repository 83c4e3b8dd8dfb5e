"""The figures of the notebooks: one file a notebook, one function a figure.

start_here 00, derivatives 01, pullbacks 02, solvers 03, backpropagation 04, appendix_b 05, algorithms 06, errata 07,
promises 08, digits_and_moons 09, vector_field 10, flows 11, latent_ode 12.
A function draws what a notebook's cells have computed, and imports none of it. The picture of `layers` in notebook 00
is figures/00_layers.png: notebooks/build.py writes it out of the executed notebook.
"""
