# %% [markdown]
# # Your own data: from a CSV file to a forecast with bands
#
# This page walks through two examples: a real series, as short as such series are, and several trials of a system that is
# driven from outside. What is done here in Python, the command line does too; the commands stand beside it. Nothing of the
# course is needed.

# %%
import contextlib
import tempfile
import warnings
from pathlib import Path

import numpy as np

import odelearn
from odelearn.datasets.csv_series import LYNX_HARE
from odelearn.datasets.heated_room import HEATED_ROOM

# %% [markdown]
# ## 1. A file
#
# One row for each time, the first line names the columns. Here are pelts of hares and lynxes in thousands, as the Hudson's
# Bay Company took them in each year.

# %%
print("".join(open(LYNX_HARE).readlines()[:4]))

# %% [markdown]
# Counts are positive and vary by factors, so we let the logarithm be the state: `log=True`. The last 4 years are held out:
# nothing is learned from them. `ensemble=20` trains 20 members at once, from different first parameters; after three fifths of
# the steps each gets its own data: the curve so far, with its residuals drawn anew (a bootstrap).
#
#     python -m odelearn fit lynx_hare.csv --log --hold-out 4 --ensemble 20

# %%
pelts = odelearn.fit_series(LYNX_HARE, log=True, hold_out=4, ensemble=20, quiet=True)
print(pelts)

# %%
pelts.figure()

# %%
print(pelts.report())

# %% [markdown]
# The median follows the {{int(pelts.training.series.learned.sum())}} years that it has learned from. In the years held out
# its R² is about 0: there it is no better than their mean. The bands say beforehand how little is known: for the hares of 1920
# the upper end of the wide band is {{np.divide(*pelts([1920], bands=True)[0, 0, [4, 0]]):.1f}} times the lower end.
# And they are still too narrow for the first of these years, when fewer hares were taken than in any before: two turns of a
# cycle teach little about the third.
#
# **What a band is.** The members' own quantiles, widened by the noise, which is what is left where the model has learned.
# **What it is not.** It knows of nothing that no member knows: an epidemic, another price of fur, a better model. The lines
# above say how many of the values held out the bands really held.

# %% [markdown]
# ## 2. Use what was learned
#
# Times may lie anywhere, also before the data. All is in the units of the file.

# %%
years = np.arange(1920, 1925)
print(pelts(years).round(1))  # the median: hare, lynx
print(pelts(years, bands=True)[-1].round(1))  # 1924: quantiles 5, 25, 50, 75, 95 % of the hares, then of the lynxes

# %% [markdown]
# `field` is the learned right-hand side, in thousands of pelts a year. With few lynxes, hares become more; with many, fewer.

# %%
print(pelts.field(np.array([[30.0, 5.0], [30.0, 50.0]]), 1910.0).round(1))
print(pelts.predict([20.0, 20.0], years).round(1))  # from another beginning, in 1920

# %% [markdown]
# `pelts.save("pelts.npz")` and `odelearn.load("pelts.npz")` keep it; `python -m odelearn predict pelts.npz --until 1930` writes a
# CSV file with medians and bands.

# %% [markdown]
# ## 3. Trials, inputs, and what nobody measured
#
# The second file has eight days of a room that is heated. It is simulated (`odelearn/datasets/heated_room.py` has the
# equations), so that we know what is true: the heat of the room goes into its walls and comes back hours later, and the walls
# are not in the file.

# %%
print("".join(open(HEATED_ROOM).readlines()[:4]))

# %% [markdown]
# `series="day"` tells the days apart: each has its own beginning, and all share one field. The temperature outside and the
# heating drive the room and are not predicted: `input=[...]`. Of every day the last fifth is held out, and the last fifth of the rest
# is for validation: it ends the training, and tells which model to take.
#
#     python -m odelearn fit heated_room.csv --series day --time hour --input outside,heating --validate 0.2 --ensemble 8 \
#         --method discrete --solver rk4:n=1 --steps 400 --hidden 1

# %%
settings = dict(series="day", time="hour", input=["outside", "heating"], validate=0.2, ensemble=8)
settings |= dict(method="discrete", solver="rk4:n=1", steps=400, quiet=True)
rooms = {hidden: odelearn.fit_series(HEATED_ROOM, hidden=hidden, **settings) for hidden in (0, 1)}
for hidden, model in rooms.items():
    best = model.training.validation.best_loss
    print(f"{hidden} hidden states: loss of validation {best.min():.3f} to {best.max():.3f}")

# %% [markdown]
# With one hidden state, whose value at the beginning of each day is learned too, the members are far better where they were not
# trained. So we take that model, and only now look at the rows that were held out.

# %%
rooms[1].figure()

# %%
print(rooms[1].report())

# %% [markdown]
# Beside it, the model without hidden states:

# %%
print(rooms[0].report().splitlines()[1])

# %% [markdown]
# ## 4. When a file is not as it should be
#
# An error is one line. It names the file, the row, the column, and the option that mends it.


# %%
def refused(rows, **options):
    """What is said of a file with these rows."""
    try:
        with contextlib.chdir(tempfile.mkdtemp()), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            Path("wrong.csv").write_text("\n".join(rows) + "\n")
            odelearn.fit_series("wrong.csv", steps=1, quiet=True, **options)
        print("Warning:", caught[0].message)
    except ValueError as error:
        print(error)


refused(["t;a", "0;1,5", "1;2,5", "2;3,5"])
refused(["t;a", "0;1,5", "1;2,5", "2;3,5"], sep=";")
refused(["t,a", "0,1", "1,missing", "2,3"])
refused(["t,a", "0,1", "1,-999", "2,3", "3,2"])
refused(["day,a", "1.2.2020,1", "2.2.2020,2", "3.2.2020,3"])
refused(["trial,t,a", "A,0,1", "A,1,2", "A,2,2", "B,0,1", "B,1,2", "B,2,2"], time="t")

# %% [markdown]
# ## 5. What to try first
#
# | your data | what to say |
# |---|---|
# | counts, concentrations, prices | `log=True` |
# | a second-order system, or one seen in part | `hidden=1` |
# | several patients, days, runs | `series="patient"`, or a list of files |
# | weather, a dose, a control | `input=["dose"]`; rows without observations may go on where the input is known |
# | much noise | `validate=0.2`, `weight_decay=0.01`, and `noise=True` to learn how much |
# | more than 2,000 rows | windows are learned from by themselves; `window` and `batch` change them |
# | a formula with unknown numbers | `model="own.py:f"`, with `f(z, t, theta)` and `theta0` in that file |
#
# Choose among settings by the rows for validation, and look at the rows held out once, at the end.
