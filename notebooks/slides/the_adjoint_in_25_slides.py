# %% [markdown]
# # The adjoint in 25 slides
#
# From a residual net to the gradient of an ODE solver. Equation numbers are those of Chen et al. (2018).
#
# ![Two curves through yearly counts of hares and lynxes, learned by a Neural ODE](../../figures/lynx_hare.png)

# %% [markdown]
# ## A residual net makes small steps
#
# $$h_{t+1} = h_t + f(h_t, \theta_t) \qquad (1)$$
#
# ![A path of 6 layers and one of 24 layers, beside a smooth curve](../../figures/00_layers.png)

# %% [markdown]
# ## With ever more layers, depth becomes time
#
# $$\frac{dz}{dt} = f(z(t), t, \theta) \qquad (2)$$
#
# ![Left, the layers of a residual net; right, the solver of an ODE chooses where to evaluate f](../../figures/03_depth.png)

# %% [markdown]
# ## A solver follows the slopes
#
# $$z(t_1) = z(t_0) + \int_{t_0}^{t_1} f\,dt = \text{ODESolve}(z(t_0), f, t_0, t_1, \theta) \qquad (3)$$
#
# ![Euler's polygons with 5, 10 and 40 steps on a direction field](../../figures/03_polygons.png)

# %% [markdown]
# ## A method has an order
#
# Half the step, and the error falls by $2^p$.
#
# ![Error against step: slopes 1, 2 and 4 for Euler, midpoint and RK4](../../figures/03_orders.png)

# %% [markdown]
# ## Steps can choose their own length
#
# A step is accepted when its estimated error is below the tolerance.
#
# ![Accepted and rejected steps, and their errors](../../figures/03_attempts.png)

# %% [markdown]
# ## To learn is to bend the field
#
# The path through the field has to meet the observations.
#
# ![A learned field with the path before and after training, and the falling loss](../../figures/00_learned.png)

# %% [markdown]
# ## Every state has a loss to come
#
# $L$ depends on the end. So it is a function of the state at any earlier time.
#
# ![The loss as a function of the state at three times](../../figures/05_loss_to_come.png)

# %% [markdown]
# ## Its gradient is the adjoint
#
# $$a(t) = \frac{\partial L}{\partial z(t)} \qquad (34)$$
#
# ![Arrows of the adjoint along a solution](../../figures/04_arrows.png)

# %% [markdown]
# ## Layer by layer it is the chain rule
#
# $$\frac{dL}{dh_t} = \frac{dL}{dh_{t+1}} \frac{dh_{t+1}}{dh_t} \qquad (36)$$
#
# ![Values go forward, cotangents come back through pullbacks](../../figures/02_way_back.png)

# %% [markdown]
# ## A tape writes the chain down
#
# Each value knows what it was made of. The way back adds up the shares.
#
# ![A small computation with its links, and the shares of the cotangent](../../figures/02_tape.png)

# %% [markdown]
# ## Over a short time: $T_\varepsilon$
#
# $$a(t) = a(t + \varepsilon)\, \frac{dT_\varepsilon(z(t), t)}{dz(t)} \quad (38), \qquad T_\varepsilon = z + \varepsilon f + O(\varepsilon^2) \quad (41)$$
#
# ![What Taylor's formula leaves out shrinks like the square of epsilon; the difference quotient reaches its limit like epsilon](../../figures/05_limits.png)

# %% [markdown]
# ## The limit is an ODE for the adjoint
#
# $$\frac{da(t)}{dt} = -a(t)\, \frac{\partial f(z(t), t, \theta)}{\partial z} \qquad (35)$$
#
# ![The adjoint of Euler's method with more and more steps approaches the solution of (35)](../../figures/04_limit.png)

# %% [markdown]
# ## What the proof needs
#
# $f$ must have a continuous derivative in $z$. At a kink the remainder is larger.
#
# ![A field with a kink and a smooth one: the error of a short step, and of a whole solve](../../figures/05_kink.png)

# %% [markdown]
# ## The gap closes with the order of the method
#
# The adjoint of the discrete steps and the solution of (35) meet as $h \to 0$.
#
# ![Largest gap against step: slopes 1, 2 and 4](../../figures/04_orders.png)

# %% [markdown]
# ## The gradient of the parameters is an area
#
# $$\frac{dL}{d\theta} = -\int_{t_1}^{t_0} a(t)\, \frac{\partial f}{\partial \theta}\, dt \qquad (51)$$
#
# ![The share of each step as a bar, and the integral as the area under a curve](../../figures/04_riemann.png)

# %% [markdown]
# ## Each observation is a jump
#
# Going back, $a$ jumps by $\partial L / \partial z(t_i)$ at $t_i$.
#
# ![A solution with observations, and its adjoint with a jump at each](../../figures/05_jumps.png)

# %% [markdown]
# ## Theta and t are states too
#
# $$\frac{d}{dt}[z, \theta, t] = [f, 0, 1] \quad (48), \qquad \frac{d}{dt}[a, a_\theta, a_t] = -\Big[a \frac{\partial f}{\partial z},\; a \frac{\partial f}{\partial \theta},\; a \frac{\partial f}{\partial t}\Big] \quad (50)$$
#
# ![The solution runs forward; the adjoint runs back along it, and jumps at each observation](../../figures/adjoint.gif)

# %% [markdown]
# ## Where $a_t$ starts
#
# Algorithm 2 starts it at $-\partial L / \partial t_1$.
#
# ![Three starts of a_t; only one of them ends at the measured derivative](../../figures/06_starts.png)

# %% [markdown]
# ## The sign that is easy to lose
#
# With $H = a \cdot f$: $\;\dfrac{dL}{dt_1} = H(t_1)$, but $\dfrac{dL}{dt_0} = -H(t_0)$.
#
# ![a_t with the right boundary term, with none, and with the wrong sign](../../figures/07_boundary_terms.png)

# %% [markdown]
# ## One step too many
#
# A backward solve that goes a step too far is wrong by as much as a step.
#
# ![Error of the gradient against steps, with n and with n + 1 steps](../../figures/07_one_too_many.png)

# %% [markdown]
# ## What is held between the passes
#
# The discrete adjoint keeps its steps. Algorithm 2 keeps the end.
#
# ![Bytes held against the number of steps for three methods](../../figures/04_memory.png)

# %% [markdown]
# ## The way back may not be the way there
#
# On a stiff field the state that is rebuilt drifts away, and its gradient with it.
#
# ![Error of the gradient against stiffness, for five methods](../../figures/08_way_back.png)

# %% [markdown]
# ## Which gradient does an adaptive solve have?
#
# The accepted mesh is held fixed. Between two meshes the solve itself jumps.
#
# ![A loss against a parameter: adaptive, with the mesh held fixed, and exact](../../figures/08_frozen_mesh.png)

# %% [markdown]
# ## Six methods, one gradient
#
# They differ in what they keep, in what they compute again, and in their error.
#
# ![Error against work, bytes against steps, and drift against stiffness, for six methods](../../figures/gradients.png)
