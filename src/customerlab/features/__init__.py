"""What was known of a customer when a month began: features, their bands, and their names.

Every feature is a category: models need only how many customer-months share each combination.
"""

from customerlab.features.building import choose, features_in, with_features, with_people
from customerlab.features.known import USUAL_FEATURES, with_known, with_since
from customerlab.features.names import (
    AGE_BANDS,
    FADING,
    FEATURES,
    LASTING,
    MOVING,
    ON_REQUEST,
    ORDERED,
    PAIR,
    SYMPTOMS,
    TENURE_BANDS,
    UNKNOWN,
    band,
    band_of,
    feature_name,
    level_name,
)
from customerlab.features.reading import LITTLE, holdings, paid_months, read_once

__all__ = [
    "AGE_BANDS",
    "FADING",
    "FEATURES",
    "LASTING",
    "LITTLE",
    "MOVING",
    "ON_REQUEST",
    "ORDERED",
    "PAIR",
    "SYMPTOMS",
    "TENURE_BANDS",
    "UNKNOWN",
    "USUAL_FEATURES",
    "band",
    "band_of",
    "choose",
    "feature_name",
    "features_in",
    "holdings",
    "level_name",
    "paid_months",
    "read_once",
    "with_features",
    "with_known",
    "with_people",
    "with_since",
]
