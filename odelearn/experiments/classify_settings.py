"""How the settings of digits.TRAINING were chosen: python -m odelearn.experiments.classify_settings

In each of the five folds the training part, 4/5 of the images, is divided once more: 4/5 of it are learned, 1/5 is the
validation part. The table has the images of all validation parts that came out wrong. For each net the row with the
fewest was taken; where two have as many, the smaller noise, then the smaller rate. "ode-net" is the same function as
"rk-net" up to the error of the solver, and has its settings. The folds are those of seed 1000, which no result uses.

No test part plays a role in its own fold. But it lies in the training parts of the other folds, so that every image
helps to choose between six rows.

What it printed, images wrong of 1,440:

    lr       0.005  0.005  0.005   0.01  0.01  0.01
    noise    0      0.1    0.2     0     0.1   0.2
    mlp      41     38     41      39    33    29
    resnet   36     23     22      37    18    24
    rk-net   37     27     23      40    20    22
"""

from itertools import product

import numpy as np

from ..datasets.digits import split_folds
from ..models.classify import digit_classifier, predict_classes
from ..verify.gradient_report import table
from .digits import FOLDS, TRAINING, images_and_labels, train_fold

SEED = 1000
RATES, NOISES = (0.005, 0.01), (0.0, 0.1, 0.2)


def validate(form, settings, seed=SEED):
    """(wrong, all): the images of all validation parts that came out wrong, and how many there are."""
    x, labels = images_and_labels()
    net, wrong, n = digit_classifier(form), 0, 0
    for k, (train, _) in enumerate(split_folds(np.random.default_rng(seed), len(x), FOLDS)):
        learned, kept = split_folds(np.random.default_rng([seed, k]), len(train), FOLDS)[0]
        learned, kept = train[learned], train[kept]
        theta, _, _ = train_fold(net, x[learned], labels[learned], [seed, k], settings, progress=False)
        wrong += int(np.sum(predict_classes(net, theta, x[kept]) != labels[kept]))
        n += len(kept)
    return wrong, n


def main(forms=("mlp", "resnet", "rk-net")):
    cells = [("net", "lr", "noise", "wrong", "of", "%")]
    for form, lr, noise in product(forms, RATES, NOISES):
        wrong, n = validate(form, {**TRAINING[form], "lr": lr, "noise": noise})
        cells.append((form, f"{lr:g}", f"{noise:g}", str(wrong), str(n), f"{100 * wrong / n:.2f}"))
        print(*cells[-1], flush=True)
    print(table(cells, "<" + ">" * (len(cells[0]) - 1)))


if __name__ == "__main__":
    main()
