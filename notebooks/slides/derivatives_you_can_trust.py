# %% [markdown]
# # Derivatives you can trust
#
# How to see that a gradient is right, and what a check cannot see.
#
# ![Error of the derivative against step for three kinds of differences](../../figures/01_complex_step.png)

# %% [markdown]
# ## Differences: two errors at once
#
# A large step cuts the Taylor series off. A small step loses digits.
#
# ![Error of forward and central differences against the step: each has a best step](../../figures/01_differences.png)

# %% [markdown]
# ## The complex step subtracts nothing
#
# $$f'(x) \approx \frac{\mathrm{Im}\, f(x + i h)}{h}$$
#
# ![The complex step reaches round-off, whatever small step is taken](../../figures/01_complex_step.png)

# %% [markdown]
# ## The slope of the Taylor remainder
#
# $$|L(x + h v) - L(x) - h\, g \cdot v| \text{ falls like } h^2 \text{ if } g \text{ is right, like } h \text{ if not.}$$
#
# ![Remainder against step: slope 2 for the right gradient, slope 1 for a wrong one](../../figures/01_taylor.png)

# %% [markdown]
# ## Value and pullback
#
# $$y,\ \text{pullback} = \text{vjp}(x), \qquad a_x = \text{pullback}(a_y), \qquad \langle a, J v \rangle = \langle J^T a, v \rangle$$
#
# ![Values go forward, cotangents come back](../../figures/02_way_back.png)

# %% [markdown]
# ## A tape composes pullbacks
#
# A value that is used twice gets the sum of both shares.
#
# ![A small computation with its links, and the shares of the cotangent](../../figures/02_tape.png)

# %% [markdown]
# ## A derivative has to exist
#
# At a kink the remainder has another order, and a check of the slope says so.
#
# ![A field with a kink and a smooth one](../../figures/05_kink.png)

# %% [markdown]
# ## A solver is checked by its order
#
# Measured on problems whose slope depends on $t$: a wrong node is invisible on others.
#
# ![Error against step: slopes 1, 2 and 4](../../figures/03_orders.png)

# %% [markdown]
# ## A discrete gradient is exact
#
# So it is compared to round-off, and not to "about the same".
#
# ![Six gradients of one problem side by side](../../figures/gradients.png)

# %% [markdown]
# ## An adjoint has an error of its own
#
# It is compared by how fast the gap closes.
#
# ![Largest gap against step: slopes 1, 2 and 4](../../figures/04_orders.png)

# %% [markdown]
# ## A mistake that shrinks with h
#
# One step too many passes a loose tolerance. Its order gives it away.
#
# ![Error of the gradient against steps, with n and with n + 1 steps](../../figures/07_one_too_many.png)

# %% [markdown]
# ## A mistake of sign
#
# Check the gradients of the times too: few tests do.
#
# ![a_t with the right boundary term, with none, and with the wrong sign](../../figures/07_boundary_terms.png)

# %% [markdown]
# ## What no gradient check can see
#
# A wrong objective has a right gradient. With $+KL$ the bound can lie above what it should bound.
#
# ![The evidence bound with minus KL and with plus KL](../../figures/07_evidence_bound.png)

# %% [markdown]
# ## What is differentiated?
#
# With adaptive steps the loss jumps between meshes. Say which function the gradient belongs to.
#
# ![A loss against a parameter: adaptive, with the mesh held fixed, and exact](../../figures/08_frozen_mesh.png)

# %% [markdown]
# ## Measure the drift
#
# What a backward solve rebuilds can be compared with what the forward solve had.
#
# ![Error of the gradient, and the drift, against stiffness](../../figures/08_way_back.png)
