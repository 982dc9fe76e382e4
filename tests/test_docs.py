"""The documents: what they tell a reader to type works, what they name is there, and what they must not name is not."""

import ast
import hashlib
import json
import re
import shlex
import tomllib
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest
import typer
import yaml

from loyalty.cli import app
from loyalty.config import Config, read_config, read_histories

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "loyalty"
TEXT = {".cfg", ".css", ".ipynb", ".j2", ".json", ".md", ".py", ".rst", ".svg", ".toml", ".txt", ".yaml", ".yml", ""}


def files_of_the_project() -> list[Path]:
    """Find the text files that belong to the project, not what tools or users leave beside them."""
    top = [path for path in ROOT.iterdir() if path.is_file()]
    folders = (".ci", "data", "docs", "experiments", "notebooks", "src", "tests")
    below = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    made = {"__pycache__", ".ipynb_checkpoints", "_build"}
    return sorted(path for path in top + below if path.suffix in TEXT and not made & set(path.parts))


FILES = files_of_the_project()
PAGES = [path for path in FILES if path.suffix == ".md"]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def fenced(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def indented(text: str) -> list[str]:
    """Find the lines set as code by four spaces outside a fence."""
    outside = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return [line[4:] for line in outside.splitlines() if line.startswith("    ")]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


# Commands


def test_readme_has_the_two_commands_in_full():
    setup = "python -m venv .venv && .venv/bin/pip install -q -c constraints.txt -e "
    assert [line for line in indented(read("README.md")) if line.startswith("python")] == [
        f"{setup}. && .venv/bin/loyalty demo",
        f"{setup}'.[test]' && .venv/bin/pytest -q",
    ]


def test_ci_runs_the_second_command_as_readme_has_it():
    sought = re.search(r'grep -m 1 -F "(.+)" README\.md', read(".ci/run"))
    assert sought
    found = next(line for line in read("README.md").splitlines() if sought[1] in line)
    assert found.strip() == [line for line in indented(read("README.md")) if line.startswith("python")][1]


def commands_in(text: str) -> list[str]:
    """Find the calls of `loyalty` in code blocks and in running text."""
    lines = [line.split("#")[0].strip() for line in indented(text)]
    inline = re.findall(r"`((?:\.venv/bin/)?loyalty [a-z]+(?: [^`]*)?)`", text)
    calls = [re.search(r"(?:^|\s)(?:\.venv/bin/)?loyalty [a-z].*", line) for line in lines]
    return inline + [call[0].strip() for call in calls if call]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_told_is_one_the_command_line_knows(page):
    known = typer.main.get_command(app).commands
    for told in commands_in(page.read_text(encoding="utf-8")):
        _, command, *arguments = shlex.split(told)
        assert command in known, told
        options = {option for parameter in known[command].params for option in parameter.opts}
        assert {a for a in arguments if a.startswith("--")} <= options, told


def test_commands_are_found_where_they_stand():
    text = "Say `loyalty demo --out x`:\n\n    cd shop && .venv/bin/loyalty score out --quiet  # now\n"
    assert commands_in(text) == ["loyalty demo --out x", ".venv/bin/loyalty score out --quiet"]


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "README.md", "notebooks/README.md"])
def test_extras_that_are_installed_exist(page):
    told = re.findall(r"-e '\.\[([a-z,]+)\]'", read(page))
    assert told
    extras = tomllib.loads(read("pyproject.toml"))["project"]["optional-dependencies"]
    assert {extra for some in told for extra in some.split(",")} <= set(extras)


# Examples


def test_the_example_in_python_runs(capsys):
    code = "\n".join(fenced(read("README.md"), "python"))  # what follows goes on with what was made before
    exec(compile(code, "README.md", "exec"), {"__name__": "readme"})  # noqa: S102 - our own page
    tables, reason = capsys.readouterr().out.rsplit("\n", 2)[:2]
    assert {"naive", "btyd", "lightgbm", "rhythm", "value"} <= set(tables.split())
    assert reason.endswith(". Goes with a higher risk.")


def test_the_config_for_your_own_data_reads_a_file_in_your_words(tmp_path):
    (text,) = fenced(read("README.md"), "toml")
    assert len(text.splitlines()) == 15
    (tmp_path / "shop.toml").write_text(text, encoding="utf-8")
    orders = pd.DataFrame(
        {
            "customer_no": [7, 7, 8, 9],
            "booked_on": ["2025-01-01 10:00", "2025-02-01", "2025-03-01", "2025-03-02"],
            "quantity": [2, -1, 1, 1],
            "unit_price": [4.5, 4.5, 10.0, 1.0],
            "status": ["ok", "ok", "ok", "test"],
        }
    )
    orders.to_csv(tmp_path / "orders.csv", index=False)
    config = read_config(tmp_path / "shop.toml")
    purchases = read_histories(config, tmp_path).purchases.execute()
    assert purchases[["client_id", "amount"]].to_numpy().tolist() == [[7, 9.0], [7, -4.5], [8, 10.0]]


def test_the_annotated_config_names_every_key():
    (text,) = fenced(read("experiments/README.md"), "toml")
    config = Config.model_validate(tomllib.loads(text))
    sections = {"": config, "outcome": config.outcome, "cutoffs": config.cutoffs, "purchases": config.data.purchases}
    for section in sections.values():
        unsaid = set(type(section).model_fields) - section.model_fields_set
        assert not unsaid, type(section).__name__
    assert all(name in text for name in type(config.data).model_fields)


def test_every_experiment_is_described():
    told = set(re.findall(r"^## `(.+\.toml)`$", read("experiments/README.md"), flags=re.MULTILINE))
    assert told == {path.name for path in (ROOT / "experiments").glob("*.toml")}
    for name in told:
        config = read_config(ROOT / "experiments" / name)
        (section,) = re.findall(
            rf"^## `{name}`$(.*?)(?=^## |\Z)", read("experiments/README.md"), flags=re.MULTILINE | re.DOTALL
        )
        said = " ".join(section.split())
        assert config.question in said
        assert config.data.purchases.path in said
        days = re.findall(r"\d+(?=d)", f"{config.outcome.horizon} {config.outcome.active}")
        assert all(f"within {length} days" in said for length in days), name
        assert all(cutoff in said for cutoff in config.cutoffs.test), name


# Figures

MODELS = ["naive", "buy till you die", "LightGBM"]
MEASURES = ["AUC", "log loss", "Brier", "MAE of spend", "Spearman", "total error"]
LOWER_IS_BETTER = {"log loss", "Brier", "MAE of spend", "total error"}


def figures_in(text: str) -> list[list[str]]:
    """Read the cells of every row that holds a model and its six figures."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    return [row[-7:] for row in rows if len(row) >= 7 and row[-7] in MODELS]


def number(cell: str) -> float:
    return float(cell.strip("*%").replace("−", "-"))


def test_figures_are_the_same_wherever_they_stand():
    rows = figures_in(read("README.md"))
    assert [row[0] for row in rows] == MODELS * 3
    assert sorted(rows) == sorted(figures_in(read("experiments/README.md")))


@pytest.mark.parametrize("data_set", range(3))
def test_figures_are_possible_and_the_best_are_bold(data_set):
    rows = figures_in(read("README.md"))[3 * data_set : 3 * data_set + 3]
    for column, measure in enumerate(MEASURES, start=1):
        cells = [row[column] for row in rows]
        values = [abs(number(cell)) for cell in cells]
        assert all(0 <= value < (1 if column in {1, 2, 3, 5} else 1000) for value in values), measure
        best = min(values) if measure in LOWER_IS_BETTER else max(values)
        assert [cell.startswith("**") for cell in cells] == [value == best for value in values], measure


# Links, maps and names


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    inside = [link.split("#")[0] for link in links if not link.startswith(("https://", "#"))]
    assert [link for link in inside if not (page.parent / link).exists()] == []


def modules_in(tree: str) -> set[str]:
    """Read the paths of a map whose folders end in a slash and whose files are set in by four."""
    found, folder = set(), ""
    for line in tree.splitlines():
        name = line.split()[0]
        folder = name if name.endswith("/") else folder if line.startswith(" ") else ""
        found |= {folder + name} if name != folder else set()
    return found


def test_the_map_has_every_module_and_no_other():
    (tree,) = fenced(read("README.md"), "text")
    there = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*")
        if path.suffix in {".py", ".j2"} and (not path.name.startswith("_") or path.name == "__main__.py")
    }
    told = {path for path in modules_in(tree) if not path.endswith("__init__.py")}
    assert told == there
    assert all(len(line.split(maxsplit=1)) == 2 for line in tree.splitlines()), "a module without a word"


def test_the_floors_are_those_that_are_checked():
    (told,) = fenced(read("CONTRIBUTING.md"), "text")
    contracts = tomllib.loads(read("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    (layers,) = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    assert told.splitlines() == layers
    (tree,) = fenced(read("README.md"), "text")
    order = [re.split(r"[./]", line)[0] for line in tree.splitlines() if not line.startswith(" ")]
    floor = {module: height for height, layer in enumerate(layers) for module in layer.split(" | ")}
    assert [floor[module] for module in order] == sorted(floor.values())


def test_the_changelog_has_this_version():
    version = tomllib.loads(read("pyproject.toml"))["project"]["version"]
    assert re.search(rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$", read("CHANGELOG.md"), flags=re.MULTILINE)


def test_the_licence_is_the_text_of_apache_to_the_letter():
    letters = re.sub(r"\s", "", read("LICENSE")).encode()
    assert hashlib.sha256(letters).hexdigest() == "ddacef491153f45022f5619519bb2016374a8c36e75153768493f45fb38d7992"


def test_the_picture_is_small():
    assert (ROOT / "docs" / "images" / "report.png").stat().st_size <= 250 * 1024


# What stands nowhere


# In pieces, so that they do not stand here either.
INDEXES = ("py" + "pi.org", "python" + "hosted", "npm" + "js", "--index" + "-url", "extra-index" + "-url")
PLACES = re.compile(r"(?<![\w.~$*}/])/(?:home|root|tmp|work|Users|mnt|opt|srv)/\w+|\b[A-Z]:\\(?:Users|Program)")


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_machine_and_no_index_is_named(path):
    text = path.read_text(encoding="utf-8")
    assert PLACES.findall(text) == []
    assert [index for index in INDEXES if index in text] == []


def test_places_of_a_machine_are_told_from_paths_of_the_project():
    place = "/".join(["", "home", "ann"])
    assert PLACES.findall(f'"{place}" ../work/main "$HOME/shop" docs/opt/x') == [place]


def test_constraints_name_no_address_and_pin_every_package():
    lines = [line for line in read("constraints.txt").splitlines() if not line.startswith("#")]
    assert "://" not in "".join(lines)
    assert all(re.match(r"[a-z0-9.-]+==[\w.]+( ; .+)?$", line) for line in lines), "a line that pins nothing"
    assert not [line for line in lines if line.startswith("loyalty=")]


def test_hooks_are_local_and_their_programs_are_installed_by_an_extra():
    repos = yaml.safe_load(read(".pre-commit-config.yaml"))["repos"]
    assert [repo["repo"] for repo in repos] == ["local"]
    extras = tomllib.loads(read("pyproject.toml"))["project"]["optional-dependencies"]
    installed = {re.split(r"[>=<]", line)[0] for extra in ("lint", "notebook") for line in extras[extra]}
    package = {"lint-imports": "import-linter"}
    for hook in repos[0]["hooks"]:
        program = hook["entry"].split()[0]
        assert hook["language"] == "system"
        assert package.get(program, program) in installed, program


# Notebooks

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)
def test_notebooks_ask_answer_and_keep_no_output(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    cells = notebook["cells"]
    asked = re.search(r"\*\*Question\.\*\* (.+?)\n\n", "".join(cells[0]["source"]), flags=re.DOTALL)
    assert asked
    assert f"| [{path.name}]({path.name}) | {' '.join(asked[1].split())} |" in read("notebooks/README.md")
    assert any("## The answer" in "".join(cell["source"]) for cell in cells)
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    (switch,) = ast.parse("".join(code[0]["source"])).body
    assert ast.unparse(switch) == "DATA = None"
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert [cell["id"] for cell in cells] == [str(number) for number in range(len(cells))]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)
def test_every_picture_of_a_notebook_has_a_caption_and_its_axes_have_names(path):
    cells = [
        (cell["cell_type"], "".join(cell["source"])) for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
    ]
    pictures = 0
    for (kind, source), (_, after) in pairwise(cells):
        by_hand = re.search(r"plt\.(subplots|figure)\(|shap\.plots\.", source)
        if kind == "code" and (by_hand or re.search(r"\.plot_\w+\(", source)):
            pictures += 1
            assert after.startswith("**What to see.**"), source
            assert not by_hand or "xlabel" in source, source
    assert pictures
