"""A small demo, and what its run left, for tests of everything that comes after the models."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from loyalty.config import read_config
from loyalty.datasets.demo import write_demo
from loyalty.experiment import Run, run_experiment


@dataclass
class Counter:
    """Progress that is counted."""

    total: int = -1
    steps: list[str] = field(default_factory=list)

    def begin(self, total: int) -> None:
        assert self.total == -1, "begun twice"
        assert not self.steps, "a step before the beginning"
        self.total = total

    def step(self, said: str) -> None:
        self.steps.append(said)


@dataclass(frozen=True)
class Demo:
    """A demo on disk, and what its run left."""

    config: Path
    data: Path
    out: Path
    run: Run
    progress: Counter


def make_small_demo(out: str | Path, *, clients: int = 300, seed: int = 0) -> Path:
    """Write the demo with so few cutoffs that it runs in seconds."""
    path = write_demo(out, clients=clients, seed=seed)
    text = path.read_text(encoding="utf-8")
    few = {"test": '["2025-07-05", "2025-10-03"]\nevery = "90d"', "at_most": "4"}
    for key, value in few.items():
        text, count = re.subn(rf"(?m)^{key} = .*$", f"{key} = {value}", text)
        assert count == 1
    path.write_text(text, encoding="utf-8")
    return path


def run_small_demo(folder: Path) -> Demo:
    """Write it, and run it as `loyalty run` would."""
    config, progress = make_small_demo(folder), Counter()
    run = run_experiment(read_config(config), data=folder / "data", out=folder / "out", name="demo", progress=progress)
    return Demo(config=config, data=folder / "data", out=folder / "out", run=run, progress=progress)
