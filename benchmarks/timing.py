"""Times that can be compared: contenders take turns, so that whatever else the machine does happens to all of them."""

import gc
import time

import numpy as np


def seconds(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def of_tanh(shape=(20, 50), n=1000):
    """Seconds that np.tanh takes on the hidden layer of the spiral's network: the median of n."""
    x = np.random.default_rng(0).normal(size=shape)
    return float(np.median([seconds(lambda: np.tanh(x)) for _ in range(n)]))


def interleaved(contenders, rounds, slice=0.02):
    """{name: seconds a call (rounds,)}: in each round every contender runs for about `slice` seconds, at least once.

    The first contender moves round by one place each time. Objects made so far (a framework makes hundreds of
    thousands) are taken out of the sight of the garbage collector, which would charge them to whoever allocates.
    """
    calls = {}
    for name, run in contenders.items():
        run()
        calls[name] = max(1, int(slice / seconds(run)))
    gc.collect()
    gc.freeze()
    times, names = {name: np.empty(rounds) for name in contenders}, list(contenders)
    for i in range(rounds):
        for name in names[i % len(names) :] + names[: i % len(names)]:
            run, n = contenders[name], calls[name]
            if n > 1:
                run()  # whoever ran before has left the caches full of something else
            start = time.perf_counter()
            for _ in range(n):
                run()
            times[name][i] = (time.perf_counter() - start) / n
    gc.unfreeze()
    return times


def ratio(times, name, other):
    """How much longer `name` takes than `other`: the median over the rounds of the ratio within a round."""
    return float(np.median(times[name] / times[other]))
