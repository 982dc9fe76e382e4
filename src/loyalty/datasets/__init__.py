"""Histories to learn on: a synthetic world whose truth is known, and public data that is checked."""

from loyalty.datasets._world import World
from loyalty.datasets.demo import write_demo
from loyalty.datasets.public import PUBLIC, FileState, PublicDataset, inventory, verify
from loyalty.datasets.synthetic import SyntheticHistories, synthetic_tables

__all__ = [
    "PUBLIC",
    "FileState",
    "PublicDataset",
    "SyntheticHistories",
    "World",
    "inventory",
    "synthetic_tables",
    "verify",
    "write_demo",
]
