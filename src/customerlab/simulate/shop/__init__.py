"""A shop whose truth is known: what makes its customers buy again, and what does not.

`simulate_shop` writes the files; `planted` holds every number that the notebooks should find.
The modules follow the order of things: `members`, `orders`, `lines`, `voices`, `dirt`, `expected`
with `truth`, and `shop`, which puts them together.

Beside the raw folder, ``truth`` holds

- ``customers.parquet``: latent factors, chance to buy again after an order without promotion,
  whether the survey was answered, and who never comes back;
- ``factors.json``: loadings, cuts, factor correlations, log odds and changes per standard
  deviation, shares of the explained variation;
- ``correlations.csv``: what the answers and the outcome correlate in a shop without end;
- ``campaigns.json``, ``responses.parquet``: what each campaign does, and to whom;
- ``dirt.csv``: kinds of dirty input with their numbers of rows.
"""

from customerlab.simulate.shop.shop import simulate_shop

__all__ = ["simulate_shop"]
