"""BG/NBD and gamma-gamma by the package lifetimes 0.11.3 on its own CDNOW sample.

With autograd 1.9.1, dill 0.4.1, setuptools below 80; numpy 2.4, pandas 2.3, scipy 1.17.
Run once, outside of the project's environment:
``python lifetimes_cdnow.py > lifetimes_cdnow.csv``. The sample's customers, by their numbers in the
whole file, are in ``cdnow_sample.csv`` (lifetimes/datasets/CDNOW_sample.txt, first column).
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
from lifetimes import BetaGeoFitter, GammaGammaFitter
from lifetimes.datasets import load_cdnow_summary_data_with_monetary_value

data = load_cdnow_summary_data_with_monetary_value()
model = BetaGeoFitter().fit(data["frequency"], data["recency"], data["T"], tol=1e-9)
rows = [("bg_nbd", name, value) for name, value in model.params_.items()]
rows += [("bg_nbd_error", name, value) for name, value in model.standard_errors_.items()]
paying = data[data["frequency"] > 0]
paid = GammaGammaFitter().fit(paying["frequency"], paying["monetary_value"], tol=1e-7)
rows += [("gamma_gamma", name, value) for name, value in paid.params_.items()]
rows += [("gamma_gamma_error", name, value) for name, value in paid.standard_errors_.items()]

# what it foretells with the published parameters
model.params_ = pd.Series({"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426})
paid.params_ = pd.Series({"p": 6.25, "q": 3.74, "v": 15.45})
for x, last, age in [(0, 0, 10), (1, 1.71, 38.86), (2, 30.43, 38.86), (9, 38, 38.86), (25, 30, 39)]:
    at = np.array([x]), np.array([last]), np.array([age])
    name = f"{x}/{last}/{age}"
    rows.append(("alive", name, float(np.ravel(model.conditional_probability_alive(*at))[0])))
    for weeks in (4, 39, 104):
        bought = model.conditional_expected_number_of_purchases_up_to_time(weeks, *at)
        rows.append((f"purchases_{weeks}", name, float(np.ravel(bought)[0])))
for weeks in (1, 39, 104):
    bought = model.expected_number_of_purchases_up_to_time(weeks)
    rows.append(("since_first", str(weeks), float(bought)))
for x, mean in [(0, 0.0), (1, 11.77), (2, 22.35), (9, 80.0)]:
    value = paid.conditional_expected_average_profit(pd.Series([x]), pd.Series([mean]))
    rows.append(("paid", f"{x}/{mean}", float(value.iloc[0])))
pd.DataFrame(rows, columns=["what", "name", "value"]).to_csv(sys.stdout, index=False)
