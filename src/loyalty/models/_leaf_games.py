"""A booster's trees, laid out so that SHAP values can be looked up: every leaf is a game among the columns of its path.

In path-dependent TreeSHAP a leaf pays its value times, for every column on its path, 1 if the row's value leads there
and 0 if not; or, as long as the column has not joined, the share of the rows learned from that went there (its cover).
What a row owes to a leaf thus depends on nothing but which of these columns lead there.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

#: Splits whose answers together are looked up in one table of two to this power.
SPLITS_TOGETHER = 10
#: Bits of LightGBM's `decision_type`: a categorical split, where missing values go, and what is missing (from bit 2).
_CATEGORICAL, _MISSING_LEFT, _KIND_OF_MISSING = 1, 2, 2
_ZERO_IS_MISSING, _NAN_IS_MISSING = 1, 2


class Games(NamedTuple):
    """The leaves of all trees, in bunches that share most of their splits.

    The splits of bunch `b` are ``first_split[b]:first_split[b + 1]``, and so on for its leaves, columns and table; the
    players of leaf `l` (the columns on its path) ``first_player[l]:first_player[l + 1]``, and its steps likewise.

    Attributes
    ----------
    split_column, threshold, missing_left, zero_is_missing
        A split goes left up to and with its threshold, and where missing as it says.
    bunch_column : of each column in a bunch
        Which column.
    value : of each leaf
        What it pays.
    place, player_column, cover : of each player
        Its place among the bunch's columns, which column it is, and its cover.
    step_split, step_left, step_player : of each step from the root to a leaf
        The split, counted in the bunch; whether the step goes left; and whose it is, counted in the leaf.
    """

    first_split: Ints
    split_column: Ints
    threshold: Floats
    missing_left: Flags
    zero_is_missing: Flags
    first_column: Ints
    bunch_column: Ints
    first_leaf: Ints
    value: Floats
    first_player: Ints
    place: Ints
    player_column: Ints
    cover: Floats
    first_step: Ints
    step_split: Ints
    step_left: Flags
    step_player: Ints

    def table_sizes(self) -> Ints:
        """Count the entries of each bunch's table; none where a single path has too many splits for one."""
        splits = np.diff(self.first_split)
        entries = np.diff(self.first_column) << np.minimum(splits, SPLITS_TOGETHER)
        return np.where(splits <= SPLITS_TOGETHER, entries, 0)


class _Tree(NamedTuple):
    """One tree, as LightGBM writes it; a child below 0 is leaf ``~child``."""

    column: list[int]
    threshold: list[float]
    decision: list[int]
    left: list[int]
    right: list[int]
    node_rows: list[int]
    leaf_value: list[float]
    leaf_rows: list[int]

    def rows(self, node: int) -> int:
        """Count the rows learned from that came to a node."""
        return self.node_rows[node] if node >= 0 else self.leaf_rows[~node]

    def paths(self) -> Iterator[tuple[int, tuple[tuple[int, bool], ...]]]:
        """Go through the leaves from left to right, with the splits on the way and whether it goes left there."""
        waiting: list[tuple[int, tuple[tuple[int, bool], ...]]] = [(0 if self.column else -1, ())]
        while waiting:
            node, path = waiting.pop()
            if node < 0:
                yield ~node, path
            else:
                waiting.append((self.right[node], (*path, (node, False))))
                waiting.append((self.left[node], (*path, (node, True))))

    def base(self) -> float:
        """Average the leaves over the rows learned from."""
        if not self.column:
            return self.leaf_value[0]
        return sum(v * n for v, n in zip(self.leaf_value, self.leaf_rows, strict=True)) / self.node_rows[0]


def read_games(booster: lgb.Booster) -> tuple[Games, float] | None:
    """Lay out the leaves of a booster, and average what they pay over the rows learned from.

    Returns
    -------
    tuple of Games and float, or None
        None where the trees are of another kind: several outputs or an average of trees, categorical splits, formulas
        in the leaves, or splits without rows on both sides.
    """
    head, *texts = booster.model_to_string().partition("\nend of trees")[0].split("\nTree=")
    if "num_tree_per_iteration=1\n" not in head or "\naverage_output\n" in head:
        return None
    trees = []
    for text in texts:
        tree = _tree(dict(line.split("=", 1) for line in text.splitlines() if "=" in line))
        if tree is None:
            return None
        trees.append(tree)
    return _laid_out(trees), float(sum(tree.base() for tree in trees))


def _tree(written: Mapping[str, str]) -> _Tree | None:
    if written["num_cat"] != "0" or written["is_linear"] != "0":
        return None
    if written["num_leaves"] == "1":
        return _Tree([], [], [], [], [], [], [float(written["leaf_value"])], [])
    whole = ("split_feature", "decision_type", "left_child", "right_child", "internal_count", "leaf_count")
    column, decision, left, right, node_rows, leaf_rows = ([int(n) for n in written[name].split()] for name in whole)
    threshold, leaf_value = ([float(x) for x in written[name].split()] for name in ("threshold", "leaf_value"))
    tree = _Tree(column, threshold, decision, left, right, node_rows, leaf_value, leaf_rows)
    return tree if min(*tree.node_rows, *tree.leaf_rows) > 0 else None


def _laid_out(trees: Sequence[_Tree]) -> Games:
    parts: dict[str, list[Any]] = {name: [0] if name.startswith("first_") else [] for name in Games._fields}
    for tree in trees:
        for splits, leaves in _bunches(tree):
            _add_bunch(parts, tree, splits, leaves)
    kinds: dict[str, type] = {"threshold": np.float64, "value": np.float64, "cover": np.float64}
    kinds |= dict.fromkeys(("missing_left", "zero_is_missing", "step_left"), np.bool_)
    return Games(**{name: np.array(those, dtype=kinds.get(name, np.int64)) for name, those in parts.items()})


_Leaves = list[tuple[int, tuple[tuple[int, bool], ...]]]


def _bunches(tree: _Tree) -> Iterator[tuple[list[int], _Leaves]]:
    """Put neighbouring leaves together as long as their paths have few enough splits in all."""
    splits: dict[int, None] = {}
    leaves: _Leaves = []
    for leaf, path in tree.paths():
        own = dict.fromkeys(node for node, _ in path)
        if leaves and len(splits | own) > SPLITS_TOGETHER:
            yield list(splits), leaves
            splits, leaves = {}, []
        splits |= own
        leaves.append((leaf, path))
    if splits:
        yield list(splits), leaves


def _add_bunch(parts: dict[str, list[Any]], tree: _Tree, splits: list[int], leaves: _Leaves) -> None:
    bit = {node: i for i, node in enumerate(splits)}
    columns = list(dict.fromkeys(tree.column[node] for node in splits))
    place = {column: i for i, column in enumerate(columns)}
    for node in splits:
        decision, threshold = tree.decision[node], tree.threshold[node]
        kind = decision >> _KIND_OF_MISSING
        missing = kind in (_ZERO_IS_MISSING, _NAN_IS_MISSING)
        parts["split_column"].append(tree.column[node])
        parts["threshold"].append(threshold)
        # Where nothing was missing when the tree grew, LightGBM reads what is missing now as 0.
        parts["missing_left"].append(bool(decision & _MISSING_LEFT) if missing else threshold >= 0)
        parts["zero_is_missing"].append(kind == _ZERO_IS_MISSING)
    parts["bunch_column"] += columns
    for leaf, path in leaves:
        cover: dict[int, float] = {}
        for node, left in path:
            column = tree.column[node]
            share = tree.rows((tree.left if left else tree.right)[node]) / tree.rows(node)
            cover[column] = cover.get(column, 1.0) * share
        player = {column: i for i, column in enumerate(cover)}
        parts["value"].append(tree.leaf_value[leaf])
        parts["place"] += [place[column] for column in cover]
        parts["player_column"] += cover
        parts["cover"] += cover.values()
        parts["step_split"] += [bit[node] for node, _ in path]
        parts["step_left"] += [left for _, left in path]
        parts["step_player"] += [player[tree.column[node]] for node, _ in path]
        parts["first_player"].append(len(parts["cover"]))
        parts["first_step"].append(len(parts["step_left"]))
    parts["first_split"].append(len(parts["threshold"]))
    parts["first_column"].append(len(parts["bunch_column"]))
    parts["first_leaf"].append(len(parts["value"]))


#: The games of no trees: what kernels are compiled for.
NO_GAMES = _laid_out(())
