"""Training on random stretches of irregular series: the same for the latent ODE and the RNN beside it."""

import math

from ..datasets.irregular_spirals import sub_stretches


def stretch_loss(model, ts, xs, rng, batch, lengths, shares):
    """loss_and_grad(theta) for `odelearn.fit`: each call takes other stretches of the series.

    A stretch has `length` consecutive observations, of which the first `read` are read and all are to be explained: so
    the model learns to go on from any time, and most steps cost less than the whole series would.

    model    a LatentODE or a RecurrentForecast; its objective_vjp is maximised
    ts, xs   (N, K) and (N, K, D), the series
    rng      a numpy Generator, which draws stretches and eps
    batch    how many stretches a step takes
    lengths  (smallest, largest) length; it is uniform between them, and one for all of a batch
    shares   (smallest, largest) share of a stretch that is read, uniform too

    The loss is -objective / (length D), in nats per number. Raises ValueError for lengths or shares that cannot be.
    """
    if not 2 <= lengths[0] <= lengths[1] <= ts.shape[1]:
        raise ValueError(f"lengths must be 2 <= smallest <= largest <= {ts.shape[1]} observations, got {lengths}")
    if not 0 < shares[0] <= shares[1] <= 1:
        raise ValueError(f"shares must be 0 < smallest <= largest <= 1, got {shares}")

    def loss_and_grad(theta):
        length = int(rng.integers(lengths[0], lengths[1], endpoint=True))
        read = min(max(1, round(length * rng.uniform(*shares))), length - 1)
        some_ts, some_xs = sub_stretches(rng, ts, xs, length, batch)
        objective, pullback = model.objective_vjp(some_xs.astype(theta.dtype), some_ts, theta, read, rng)
        numbers = length * xs.shape[2]
        return -objective / numbers, -pullback() / numbers

    return loss_and_grad


def cosine(lr, steps, warm_up=50):
    """A schedule for Adam: up to lr in `warm_up` steps, then down to 0 along half a cosine, at n = steps.

    >>> schedule = cosine(lr=0.01, steps=1000, warm_up=10)
    >>> schedule(0), schedule(500), schedule(1000)
    (0.001, 0.005, 0.0)
    """
    return lambda n: lr * min(1, (n + 1) / warm_up) * 0.5 * (1 + math.cos(math.pi * min(n / steps, 1)))
