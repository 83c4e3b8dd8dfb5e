"""A network that is an energy: the field it makes conserves that energy, whatever its weights."""

import numpy as np

from ..dynamics import Dynamics
from ..nn.mlp import MLP


class HamiltonianNet(Dynamics):
    """dz/dt = J grad H(z) for a network H, z = (q, p):

        dq/dt = dH/dp,    dp/dt = -dH/dq,    H(z) = tanh(... tanh(z W0 + b0) ...) W_last + b_last, one number

    Along every solution dH/dt = grad H . J grad H = 0, since J is antisymmetric: a solution stays on a level line of H,
    as far as the solver is exact. What is learned is a field without friction.

    sizes  (D, H, ..., 1): D is even, q its first half and p its second; at least one hidden layer

    z is (..., D), leading axes are batch; theta (P,) is that of MLP(sizes), which is `.net`.
    Raises ValueError for sizes that do not fit, and for a z or theta that does not.
    Source: S. Greydanus, M. Dzamba, J. Yosinski (2019), Hamiltonian Neural Networks, arXiv 1906.01563; here the loss is
    that of whole solutions, there it is that of the derivatives dq/dt and dp/dt.

    >>> f = HamiltonianNet((2, 8, 1))
    >>> theta, z = f.init(np.random.default_rng(0)), np.array([0.5, -1.0])
    >>> slope = f.energy_gradient(z, theta)
    >>> dz = f(z, 0.0, theta)
    >>> bool(dz[0] == slope[1] and dz[1] == -slope[0])
    True
    """

    def __init__(self, sizes):
        if len(sizes) < 3 or sizes[0] % 2 or sizes[-1] != 1:
            raise ValueError(f"sizes must be (D, hidden, ..., 1) with an even D, such as (2, 32, 1), got {sizes}")
        self.net = MLP(sizes)
        self.sizes, self.size, self.half = self.net.sizes, self.net.size, sizes[0] // 2

    def __repr__(self):
        return f"HamiltonianNet({list(self.sizes)})"

    def init(self, rng):
        """Random theta (P,), as that of MLP."""
        return self.net.init(rng)

    def energy(self, z, theta):
        """H(z), (...,) for z (..., D)."""
        return self.net(z, 0.0, theta)[..., 0]

    def energy_gradient(self, z, theta):
        """grad H(z), (..., D) for z (..., D)."""
        return self._forward(z, theta)[0].reshape(z.shape)

    def __call__(self, z, t, theta):
        return self.symplectic(self.energy_gradient(z, theta))

    def vjp(self, z, t, theta):
        """dz, and pullback(a) -> a_z, 0, a_theta.

        With v = J^T a the pullback of dz = J grad H is that of the number v . grad H, summed over the batch: the slope
        of H in the direction v. So v is sent forward through the layers, beside z, and both go back together.
        """
        slope, ys, Ws = self._forward(z, theta)

        def pullback(a):
            v = -self.symplectic(a).reshape(-1, self.sizes[0])  # J^T = -J, (N, D)
            a_x, a_theta = self._slope_pullback(v, ys, Ws)
            return a_x.reshape(z.shape), 0.0, a_theta

        return self.symplectic(slope.reshape(z.shape)), pullback

    def symplectic(self, slope):
        """J slope: (dH/dq, dH/dp) -> (dH/dp, -dH/dq)."""
        return np.concatenate([slope[..., self.half :], -slope[..., : self.half]], axis=-1)

    def _forward(self, z, theta):
        """grad H of every row (N, D); the outputs ys of the layers, ys[0] the rows of z; and their matrices."""
        if z.shape[-1:] != self.sizes[:1]:
            raise ValueError(f"z must have sizes[0] = {self.sizes[0]} as its last axis, got shape {z.shape}")
        parts = list(self.net.unravel(theta).values())
        Ws, bs = parts[::2], parts[1::2]
        ys = [z.reshape(-1, self.sizes[0])]
        for W, b in zip(Ws[:-1], bs[:-1], strict=True):
            ys.append(np.tanh(np.dot(ys[-1], W) + b))  # (N, H)
        a_y = np.broadcast_to(Ws[-1][:, 0], ys[-1].shape)  # dH/dy of the last hidden layer, (N, H)
        for W, y in zip(Ws[-2::-1], ys[:0:-1], strict=True):
            a_y = np.dot(a_y * (1 - y * y), W.T)  # (N, D) at last
        return a_y, ys, Ws

    def _slope_pullback(self, v, ys, Ws):
        """Of  s = sum of v . grad H over the rows: a_z (N, D) and a_theta (P,)."""
        xs_dot = [v]  # the derivative of every layer's output in the direction v
        pres_dot = []
        for W, y in zip(Ws[:-1], ys[1:], strict=True):
            pres_dot.append(np.dot(xs_dot[-1], W))
            xs_dot.append((1 - y * y) * pres_dot[-1])
        # s = sum of xs_dot[-1] W_last
        a_W = np.add.reduce(xs_dot[-1])[:, np.newaxis]
        uses = [np.zeros(1, v.dtype), a_W.reshape(-1)]  # b_last shifts H and moves nothing
        a_dot = np.broadcast_to(Ws[-1][:, 0], xs_dot[-1].shape)  # of xs_dot[-1]
        a_y = 0.0  # of ys[-1], which s feels through tanh' alone
        for W, y, x, pre_dot, x_dot in zip(
            Ws[-2::-1], ys[:0:-1], ys[-2::-1], pres_dot[::-1], xs_dot[-2::-1], strict=True
        ):
            slope = 1 - y * y  # tanh' = 1 - y^2, tanh'' = -2 y (1 - y^2)
            a_pre = slope * (a_y - 2 * y * pre_dot * a_dot)
            a_pre_dot = slope * a_dot
            uses += [np.add.reduce(a_pre), (np.dot(x.T, a_pre) + np.dot(x_dot.T, a_pre_dot)).reshape(-1)]
            a_y, a_dot = np.dot(a_pre, W.T), np.dot(a_pre_dot, W.T)
        return a_y, np.concatenate(uses[::-1])
