"""The figures of the notebooks: one module a notebook, one function a figure.

A function draws what it is given, so that a notebook shows what its own cells have computed. FIGURES of a module says
how the gallery makes the same figure: {file name: function of nothing -> Figure}, with odelearn's numbers.
"""
