"""Grey levels that are counted give the same percentiles as those that are sorted."""

from __future__ import annotations

import numpy as np
import pytest

from core.vision.levels import percentiles

PERCENTS = (0.0, 4.0, 33.3, 50.0, 96.0, 99.5, 100.0)


@pytest.mark.parametrize("kind", [np.uint8, np.int16])
@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (7, 11), (90, 160)])
def test_percentiles_are_those_of_numpy_to_the_bit(kind, shape):
    levels = np.random.default_rng(shape[1]).integers(0, 256, shape).astype(kind)

    assert percentiles(levels, PERCENTS) == tuple(np.percentile(levels, PERCENTS).tolist())


def test_a_picture_of_one_level_has_only_that():
    assert percentiles(np.full((9, 16), 77, np.uint8), PERCENTS) == (77.0,) * len(PERCENTS)


def test_every_third_pixel_is_counted_where_it_lies():
    levels = np.arange(240, dtype=np.uint8).reshape(12, 20)

    assert percentiles(levels[::3, ::3], PERCENTS) == tuple(np.percentile(levels[::3, ::3], PERCENTS).tolist())
