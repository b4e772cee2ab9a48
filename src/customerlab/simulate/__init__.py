"""Clients whose truth is known: raw files as a client would send them, and the answers.

`simulate_bank` writes a bank's files; `planted` holds every number that the notebooks should find.
The modules follow the order of things: `people`, `lives`, `flows` and `money`, `voices`,
`contacts`, `rows`, `dirt`, `files`, `truth` with `outlook`, and `bank`, which puts them together.
`simulate_shop` writes a shop's; its own modules lie in `shop`.

Beside the bank's raw folder, ``truth`` holds

- ``customers.parquet``: who is invalid and which exceptions there are, months of entry, leaving
  and coming back, payroll and what its money is used for, wallet, latent factors;
- ``hazards.parquet``: what is known at the snapshot of everybody still there, the hazard of the
  next month and the exact chance of leaving within 1, 3 and 5 months;
- ``responses.parquet``: campaign K1, the chance of buying under each arm, and who bought;
- ``contacts.parquet``: every contact by staff, its chance to sell, and whether it sold;
- ``response_chances.parquet``: that chance at the snapshot, for every active customer and offer;
- ``hazard.json``, ``campaigns.json``, ``contacts.json``, ``factors.json``: what is planted;
- ``dirt.csv``: kinds of dirty input with their numbers of rows.
"""

from customerlab.simulate.bank import simulate_bank
from customerlab.simulate.planted import true_hazard
from customerlab.simulate.shop import simulate_shop

__all__ = ["simulate_bank", "simulate_shop", "true_hazard"]
