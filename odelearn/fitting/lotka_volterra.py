"""Lotka and Volterra's equations as dynamics, with pullbacks by hand: prey x and predator y, the last axis of z.

dx/dt =  alpha x - beta  x y          theta = log (alpha, gamma, beta, delta): (4,),
dy/dt = -gamma y + delta x y          or (E, 4) for an ensemble, with z (E, ..., 2)
"""

import numpy as np

SIGNS = np.array([1.0, -1.0])  # prey grows alone and is eaten; the predator starves alone and eats


def rates_like(z, theta):
    """exp(theta) in the shape (..., 2) of the rows of z: growing alone, and meeting."""
    rates = np.exp(theta)
    if theta.ndim == 2:
        rates = rates.reshape(theta.shape[0], *[1] * (z.ndim - 2), 4)
    return rates[..., :2], rates[..., 2:]


def a_theta(a_alone, a_meeting, alone, meeting, theta):
    """The cotangent of theta = log rates from those of the rates, row by row: summed over rows, times the rates."""
    terms = np.concatenate([a_alone * alone, a_meeting * meeting], axis=-1)  # (..., 4)
    return np.add.reduce(terms, axis=tuple(range(theta.ndim - 1, terms.ndim - 1)))


def counts(z, t, theta):
    """dz/dt for z = (x, y)."""
    alone, meeting = rates_like(z, theta)
    return SIGNS * z * (alone - meeting * z[..., ::-1])


def counts_vjp(z, t, theta):
    alone, meeting = rates_like(z, theta)
    other, signed = z[..., ::-1], SIGNS * z
    growth = alone - meeting * other

    def pullback(a):
        a_growth = a * signed
        a_other = -a_growth * meeting
        a_z = a * SIGNS * growth + a_other[..., ::-1]
        return a_z, 0.0, a_theta(a_growth, -a_growth * other, alone, meeting, theta)

    return signed * growth, pullback


def logs(z, t, theta):
    """dz/dt for z = (log x, log y)."""
    alone, meeting = rates_like(z, theta)
    return SIGNS * (alone - meeting * np.exp(z[..., ::-1]))


def logs_vjp(z, t, theta):
    alone, meeting = rates_like(z, theta)
    other = np.exp(z[..., ::-1])

    def pullback(a):
        a_growth = a * SIGNS
        a_other = -a_growth * meeting
        return (a_other * other)[..., ::-1], 0.0, a_theta(a_growth, -a_growth * other, alone, meeting, theta)

    return SIGNS * (alone - meeting * other), pullback
