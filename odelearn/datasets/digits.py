"""1,797 small images of handwritten digits, and parts of a data set for cross-validation."""

import os

import numpy as np

from .synthetic import check_generator

DIGITS = os.path.join(os.path.dirname(__file__), "digits.npz")


def digits():
    """Handwritten digits of 13 writers, as images of 8 x 8 pixels.

    Returns images (1797, 8, 8), float64 from 0 (paper) to 1 (ink) in steps of 1/16, and labels (1797,), integers from
    0 to 9. These are the images of the file optdigits.tes of "Optical Recognition of Handwritten Digits", E. Alpaydin
    and C. Kaynak (1998), UCI Machine Learning Repository, doi 10.24432/C50P49, licence CC BY 4.0, in its order. A pixel
    there is the number of black points, 0 to 16, in 4 x 4 points of the scan.

    >>> images, labels = digits()
    >>> images.shape, labels[:5]
    ((1797, 8, 8), array([0, 1, 2, 3, 4]))
    """
    with np.load(DIGITS, allow_pickle=False) as file:
        return file["images"] / 16.0, file["labels"].astype(int)


def split_folds(rng, n, k=5):
    """k parts of the numbers 0 ... n - 1 in random order, for k-fold cross-validation.

    rng  a numpy Generator, which draws the order
    n    how many there are to be split, at least k
    k    how many parts, at least 2

    Returns k pairs (train, test) of index arrays. Each number is in the test of one pair, and in the train of all
    others; the tests differ by at most one in length. Raises TypeError for a seed instead of rng, ValueError for n or k
    outside of these ranges.

    >>> for train, test in split_folds(np.random.default_rng(0), n=5, k=2):
    ...     print(train, test)
    [0 1] [2 4 3]
    [2 4 3] [0 1]
    """
    check_generator(rng)
    if not 2 <= k <= n:
        raise ValueError(f"k must be between 2 and n = {n}, got {k}")
    parts = np.array_split(rng.permutation(n), k)
    return [(np.concatenate(parts[:i] + parts[i + 1 :]), test) for i, test in enumerate(parts)]
