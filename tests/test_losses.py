"""The losses are their formulas, at any scale of their arguments, and the tape differentiates them twice."""

import numpy as np
import pytest
from scipy import integrate, special, stats

from odelearn import complex_step, grad, jacobian, value_and_grad
from odelearn.nn.losses import gaussian_kl, gaussian_log_likelihood, softmax_cross_entropy

EPS = np.finfo(float).eps
rng = np.random.default_rng(0)
LOGITS, LABELS = 3 * rng.normal(size=(6, 4)), np.array([0, 3, 1, 1, 2, 0])
X, MEAN, LOG_STD = rng.normal(size=(3, 5, 2))


def close(x, y, rtol=1e-13):
    np.testing.assert_allclose(x, y, rtol=rtol, atol=rtol * np.abs(y).max())


# --- Softmax ----------------------------------------------------------------------------------------------------------


def test_cross_entropy_is_minus_the_mean_log_of_the_softmax():
    p = special.softmax(LOGITS, axis=1)
    close(softmax_cross_entropy(LOGITS, LABELS), -np.mean(np.log(p[np.arange(6), LABELS])))
    close(softmax_cross_entropy(LOGITS.reshape(2, 3, 4), LABELS.reshape(2, 3)), softmax_cross_entropy(LOGITS, LABELS))
    close(softmax_cross_entropy(LOGITS[0], 0), -np.log(p[0, 0]))
    assert softmax_cross_entropy(LOGITS.tolist(), LABELS.tolist()) == softmax_cross_entropy(LOGITS, LABELS)


def test_the_gradient_is_softmax_minus_the_right_class():
    g = grad(lambda x: softmax_cross_entropy(x, LABELS))(LOGITS)
    close(g, (special.softmax(LOGITS, axis=1) - np.eye(4)[LABELS]) / 6)


def test_the_hessian_is_diag_p_minus_p_p():
    p = special.softmax(LOGITS[0])
    hessian = jacobian(grad(lambda x: softmax_cross_entropy(x, 2)))(LOGITS[0])
    close(hessian, np.diag(p) - np.outer(p, p))


def test_all_classes_equal_cost_log_C_and_a_shift_costs_nothing():
    close(softmax_cross_entropy(np.zeros((3, 7)), [0, 3, 6]), np.log(7))
    close(softmax_cross_entropy(LOGITS + 1e3, LABELS), softmax_cross_entropy(LOGITS, LABELS), rtol=1e3 * 10 * EPS)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_logits_of_ten_thousand_neither_overflow_nor_lose_the_precision(dtype):
    """Where one class has it all, L is 0, or the distance to the right one: exactly."""
    logits = np.array([[1e4, -1e4, 0], [-1e4, 1e4, 0], [1e4, 1e4, -1e4]], dtype)
    value, g = value_and_grad(lambda x: softmax_cross_entropy(x, [0, 0, 1]))(logits)
    np.testing.assert_allclose(value, (0 + 2e4 + np.log(2)) / 3, rtol=4 * np.finfo(dtype).eps)
    np.testing.assert_allclose(3 * g, [[0, 0, 0], [-1, 1, 0], [0.5, -0.5, 0]], atol=4 * np.finfo(dtype).eps)
    assert value.dtype == g.dtype == dtype


def test_a_class_that_is_ruled_out_by_minus_infinity():
    logits = np.array([[0.3, -np.inf, 0.3]])
    value, g = value_and_grad(lambda x: softmax_cross_entropy(x, [0]))(logits)
    close(value, np.log(2))
    close(g, [[-0.5, 0.0, 0.5]])


@pytest.mark.parametrize(
    ("logits", "labels", "error", "message"),
    [
        (
            LOGITS,
            LABELS.astype(float),
            TypeError,
            "labels must be integers, the numbers of .* float64",
        ),
        (LOGITS, np.eye(4)[LABELS], TypeError, "labels must be integers"),
        (LOGITS, LABELS > 1, TypeError, "labels must be integers.* got dtype bool"),
        (LOGITS, LABELS[:5], ValueError, r"one class for each row of logits.* got \(6, 4\) and \(5,\)"),
        (LOGITS, LABELS[:, np.newaxis], ValueError, r"got \(6, 4\) and \(6, 1\)"),
        (LOGITS, LABELS + 1, ValueError, r"labels must lie in 0 ... 3 for 4 classes, got 1 to 4"),
        (LOGITS, LABELS - 1, ValueError, r"got -1 to 2"),
        (LOGITS[:0], LABELS[:0], ValueError, r"empty batch"),
    ],
)
def test_labels_that_cannot_be_meant_are_refused(logits, labels, error, message):
    with pytest.raises(error, match=message):
        softmax_cross_entropy(logits, labels)
    with pytest.raises(error, match=message):
        grad(lambda x: softmax_cross_entropy(x, labels))(logits)


# --- Gaussians --------------------------------------------------------------------------------------------------------


def test_the_log_likelihood_is_that_of_scipy():
    expected = stats.norm.logpdf(X, MEAN, np.exp(LOG_STD)).sum(axis=-1).mean()
    close(gaussian_log_likelihood(X, MEAN, LOG_STD), expected)
    close(gaussian_log_likelihood(X[:, np.newaxis], MEAN[:, np.newaxis], LOG_STD[:, np.newaxis]), expected)
    close(
        gaussian_log_likelihood(X[0], MEAN[0], LOG_STD[0]), stats.norm.logpdf(X[0], MEAN[0], np.exp(LOG_STD[0])).sum()
    )


def test_one_deviation_may_stand_for_all():
    close(gaussian_log_likelihood(X, MEAN, 0.3), gaussian_log_likelihood(X, MEAN, np.full((5, 2), 0.3)))
    close(gaussian_kl(MEAN, 0.3), gaussian_kl(MEAN, np.full((5, 2), 0.3)))
    close(gaussian_kl(MEAN, LOG_STD[0]), gaussian_kl(MEAN, np.broadcast_to(LOG_STD[0], (5, 2))))
    close(gaussian_log_likelihood(X[0], MEAN, 0.3), gaussian_log_likelihood(np.broadcast_to(X[0], (5, 2)), MEAN, 0.3))


@pytest.mark.parametrize(("mean", "log_std"), [(0.7, -0.4), (-1.5, 0.3)])
def test_the_divergence_is_the_integral_that_defines_it(mean, log_std):
    """KL = integral q (log q - log p) >= 0, the sign included: q on the left."""
    q, p = stats.norm(mean, np.exp(log_std)), stats.norm()
    expected = integrate.quad(lambda x: q.pdf(x) * (q.logpdf(x) - p.logpdf(x)), -12, 12, epsabs=1e-12)[0]
    close(gaussian_kl(np.array([mean]), log_std), expected, rtol=1e-10)
    assert expected > 0
    assert gaussian_kl(np.zeros((3, 2)), np.zeros(2)) == 0


def test_the_divergence_of_many_components_is_the_sum_and_of_a_batch_the_mean():
    parts = [[gaussian_kl(MEAN[n, d : d + 1], LOG_STD[n, d : d + 1]) for d in range(2)] for n in range(5)]
    close(gaussian_kl(MEAN, LOG_STD), np.sum(parts) / 5)


def test_the_evidence_lower_bound_has_the_right_sign():
    """log p(x) >= E_q log p(x | z) - KL(q | p), equal where q is the posterior; here all of it is Gaussian, by hand.

    p(z) = N(0, 1) and p(x | z) = N(z, s^2), so p(x) = N(0, 1 + s^2) and q = N(x / (1 + s^2), s^2 / (1 + s^2)).
    E_q log p(x | z) is the log-likelihood at the mean of q, less var q / 2 s^2.
    """
    x, s = 0.8, 0.5
    mean, var = x / (1 + s * s), s * s / (1 + s * s)

    def bound(mean, log_std):
        at_mean = gaussian_log_likelihood(np.array([x]), mean, np.log(s))
        return at_mean - np.sum(np.exp(2 * log_std)) / (2 * s * s) - gaussian_kl(mean, log_std)

    best = np.array([mean]), np.array([np.log(var) / 2])
    evidence = gaussian_log_likelihood(np.array([x]), 0.0, np.log(1 + s * s) / 2)
    close(bound(*best), evidence)
    assert np.abs(grad(bound, 0)(*best)) < 1e-14 and np.abs(grad(bound, 1)(*best)) < 1e-14
    for step in (-0.1, 0.1):
        assert bound(best[0] + step, best[1]) < evidence > bound(best[0], best[1] + step)


@pytest.mark.parametrize("argnum", [0, 1, 2])
def test_the_gradients_of_the_likelihood_are_those_of_the_complex_step(argnum):
    args = [X, MEAN, LOG_STD]
    g = grad(gaussian_log_likelihood, argnum)(*args)
    close(g, complex_step(lambda x: gaussian_log_likelihood(*args[:argnum], x, *args[argnum + 1 :]), args[argnum]))
    assert np.abs(g).min() > 0


@pytest.mark.parametrize("log_std", [0.3, LOG_STD[0], LOG_STD], ids=["number", "vector", "rows"])
def test_the_gradients_of_the_divergence_are_those_of_the_complex_step(log_std):
    close(grad(gaussian_kl, 0)(MEAN, log_std), complex_step(lambda mean: gaussian_kl(mean, log_std), MEAN))
    g = grad(gaussian_kl, 1)(MEAN, log_std)
    close(g, complex_step(lambda s: gaussian_kl(MEAN, s), np.asarray(log_std)))


def test_the_precision_is_kept():
    x, mean, log_std = (a.astype(np.float32) for a in (X, MEAN, LOG_STD))
    assert gaussian_log_likelihood(x, mean, log_std).dtype == gaussian_kl(mean, log_std).dtype == np.float32
    assert gaussian_log_likelihood(x, 0.0, -1.5).dtype == np.float32


@pytest.mark.parametrize(
    ("compute", "message"),
    [
        (lambda: gaussian_log_likelihood(X[:, :1], MEAN[:, 0], 0.0), r"that of x or mean, got x \(5, 1\), mean \(5,\)"),
        (lambda: gaussian_log_likelihood(X, MEAN[:3], 0.0), r"must broadcast .* mean \(3, 2\), log_std \(\)"),
        (lambda: gaussian_kl(MEAN[:, :1], LOG_STD[:, 0]), r"that of mean, got mean \(5, 1\), log_std \(5,\)"),
        (lambda: gaussian_kl(MEAN[0], LOG_STD), r"that of mean, got mean \(2,\), log_std \(5, 2\)"),
        (lambda: gaussian_kl(0.0, 0.0), r"each item is a vector.* got mean \(\), log_std \(\)"),
        (lambda: gaussian_kl(MEAN[:0], 0.0), r"there is one at least: mean \(\.\.\., D\), got mean \(0, 2\)"),
    ],
)
def test_shapes_that_would_broadcast_to_something_else_are_refused(compute, message):
    with pytest.raises(ValueError, match=message):
        compute()
