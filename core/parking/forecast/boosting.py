"""Gradient boosting over all lots at once: fitted by LightGBM where it can be loaded, evaluated without it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.parking.forecast.methods import Known, Method, features, foresee
from core.parking.forecast.series import FloatArray, IntArray

MOST_AHEAD_S = 4 * 3600
"""Farther ahead the profile knows as much: there, boosting is not tried."""

MOST_ROWS = 300_000
SEED = 1
SETTINGS: Mapping[str, Any] = {
    "objective": "regression_l1",
    "learning_rate": 0.06,
    "num_leaves": 31,
    "min_data_in_leaf": 40,
    "feature_fraction": 0.9,
    "seed": SEED,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbosity": -1,
}
N_ROUNDS = 150
FEWEST_EXAMPLES = 500


@dataclass(frozen=True, slots=True)
class Tree:
    """One regression tree; node 0 is its root, a negative child is the leaf `-child - 1`.

    Attributes:
        feature, threshold, left, right: Shape (nodes,).
        is_missing_left: Where an unknown feature goes, shape (nodes,).
        leaves: Shape (nodes + 1,).
    """

    feature: list[int]
    threshold: list[float]
    left: list[int]
    right: list[int]
    is_missing_left: list[bool]
    leaves: list[float]


@dataclass(frozen=True, slots=True)
class Trees:
    """What is added to `now + profile change`: the sum over all trees."""

    trees: tuple[Tree, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.trees)

    def predict(self, rows: FloatArray) -> FloatArray:
        """Return the sum for every row.

        Args:
            rows: As `methods.features` makes them, shape (k, n_features).

        Returns:
            Shape (k,).
        """
        total = np.zeros(len(rows))
        for tree in self.trees:
            total += _walk(tree, rows)
        return total


class BoostingMissingError(Exception):
    """LightGBM cannot be loaded on this machine."""


def add_boosting(of: Known, trees: Trees, origins: IntArray, n_ahead: int) -> FloatArray:
    """Return the boosted shares `n_ahead` slots after each origin, shape (k,)."""
    base = foresee(of, Method.CHANGE, origins, n_ahead)
    return np.clip(base + trees.predict(features(of, origins, n_ahead)), 0.0, 1.0)


def fit(lots: Sequence[tuple[Known, IntArray]], ahead: Sequence[Sequence[int]]) -> Trees:
    """Fit what `now + profile change` misses.

    Args:
        lots: Each with the origins it may learn from; every target must be known by then.
        ahead: Slots ahead, for each lot.

    Raises:
        BoostingMissingError: LightGBM cannot be loaded.
    """
    rows, missed = _examples(lots, ahead)
    return fit_rows(rows, missed) if len(rows) >= FEWEST_EXAMPLES else Trees()


def fit_rows(rows: FloatArray, missed: FloatArray) -> Trees:
    """Fit numbers to rows.

    Args:
        rows: Shape (n, n_features); NaN is unknown.
        missed: Shape (n,).

    Raises:
        BoostingMissingError: LightGBM cannot be loaded.
    """
    try:
        import lightgbm
    except (ImportError, OSError) as error:
        raise BoostingMissingError(str(error)) from error
    booster = lightgbm.train(dict(SETTINGS), lightgbm.Dataset(rows, missed), num_boost_round=N_ROUNDS)
    return Trees(tuple(_tree(item["tree_structure"]) for item in booster.dump_model()["tree_info"]))


def _examples(lots: Sequence[tuple[Known, IntArray]], ahead: Sequence[Sequence[int]]) -> tuple[FloatArray, FloatArray]:
    rows, missed = [], []
    for (of, origins), steps in zip(lots, ahead, strict=True):
        for n_ahead in steps:
            base = foresee(of, Method.CHANGE, origins, n_ahead)
            found = of.series.share[origins + n_ahead] - base
            is_known = ~np.isnan(found)
            rows.append(features(of, origins[is_known], n_ahead))
            missed.append(found[is_known])
    if not rows:
        return np.zeros((0, 0)), np.zeros(0)
    every, wanted = np.concatenate(rows), np.concatenate(missed)
    if len(every) <= MOST_ROWS:
        return every, wanted
    chosen = np.sort(np.random.default_rng(SEED).choice(len(every), MOST_ROWS, replace=False))
    return every[chosen], wanted[chosen]


def _tree(root: Mapping[str, Any]) -> Tree:
    tree = Tree([], [], [], [], [], [])

    def add(node: Mapping[str, Any]) -> int:
        if "leaf_value" in node:
            tree.leaves.append(float(node["leaf_value"]))
            return -len(tree.leaves)
        number = len(tree.feature)
        tree.feature.append(int(node["split_feature"]))
        tree.threshold.append(float(node["threshold"]))
        # LightGBM takes an unknown value for zero where the feature was never unknown in training.
        is_nan = node["missing_type"] == "NaN"
        tree.is_missing_left.append(bool(node["default_left"]) if is_nan else float(node["threshold"]) >= 0.0)
        tree.left.append(0)
        tree.right.append(0)
        tree.left[number] = add(node["left_child"])
        tree.right[number] = add(node["right_child"])
        return number

    add(root)
    return tree


def _walk(tree: Tree, rows: FloatArray) -> FloatArray:
    leaves = np.asarray(tree.leaves)
    if not tree.feature:
        return np.full(len(rows), leaves[0])
    feature, threshold = np.asarray(tree.feature), np.asarray(tree.threshold)
    left, right = np.asarray(tree.left), np.asarray(tree.right)
    missing_left = np.asarray(tree.is_missing_left)
    node = np.zeros(len(rows), dtype=np.int64)
    active = np.arange(len(rows))
    while len(active):
        here = node[active]
        value = rows[active, feature[here]]
        goes_left = np.where(np.isnan(value), missing_left[here], value <= threshold[here])
        node[active] = np.where(goes_left, left[here], right[here])
        active = active[node[active] >= 0]
    return leaves[-node - 1]
