"""What all tests share: the real data beside the clone, where it is there, and one small run of the whole road."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("house", deadline=None)
settings.load_profile("house")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--regenerate-golden", action="store_true", help="write tests/golden anew instead of comparing")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Find the folder of real data sets; a test that needs it is skipped without it."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real data sets (../shared/data) are not beside this clone")
    return folder


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
    run: object
    progress: Counter


def make_small_demo(out: str | Path, *, clients: int = 300, seed: int = 0) -> Path:
    """Write the demo with so few cutoffs that it runs in seconds."""
    from loyalty.datasets.demo import write_demo

    path = write_demo(out, clients=clients, seed=seed)
    few = 'test = ["2025-07-05", "2025-10-03"]\nevery = "90d"\nat_most = 4'
    text, count = re.subn(r"(?m)^test = .*$", few, path.read_text(encoding="utf-8"))
    assert count == 1
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def small_demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """Run the whole road once, as `loyalty run` would."""
    from loyalty.config import read_config
    from loyalty.experiment import run_experiment

    folder = tmp_path_factory.mktemp("demo")
    config, progress = make_small_demo(folder), Counter()
    run = run_experiment(
        read_config(config), data=folder / "data", out=folder / "out", name="demo", progress=progress
    )
    return Demo(config=config, data=folder / "data", out=folder / "out", run=run, progress=progress)
