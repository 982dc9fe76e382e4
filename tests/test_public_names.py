"""The doors: every public name resolves, quickly, and stays what it is."""

import importlib
import inspect
import pkgutil
import subprocess
import sys

import pytest

import loyalty

DOORS = ["Histories", "build_panel", "build_labels", "ChurnModel", "ValueModel", "backtest", "reason_codes", "load"]
HEAVY = ("altair", "duckdb", "ibis", "lightgbm", "matplotlib", "mlflow", "numpy", "pandas", "pyarrow", "scipy", "shap")
HEAVY += ("kiwipiepy", "numba", "sklearn", "sqlalchemy", "vl_convert")


def modules():
    found = pkgutil.walk_packages(loyalty.__path__, "loyalty.")
    return [module.name for module in found if not module.name.endswith(("__main__", "tracking.served"))]


@pytest.mark.parametrize("name", loyalty.__all__)
def test_every_public_name_resolves(name):
    value = getattr(loyalty, name)
    assert value is not None
    assert getattr(loyalty, name) is value
    if name not in {"CATALOGUE", "__version__"}:
        assert inspect.isclass(value) or inspect.isfunction(value)
        assert inspect.getdoc(value)


def test_the_doors_are_there():
    assert set(DOORS) <= set(loyalty.__all__)
    assert dir(loyalty) == sorted(loyalty.__all__)
    assert set(loyalty._HOMES) == set(loyalty.__all__) - {"__version__"}


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'loyalty' has no attribute 'ChurnModl'"):
        loyalty.ChurnModl  # noqa: B018
    assert not hasattr(loyalty, "backtest_")


def test_names_stay_what_they_are_when_every_module_is_imported():
    assert len(modules()) > 25
    for name in modules():
        importlib.import_module(name)
    assert inspect.isfunction(loyalty.backtest)
    for name in DOORS:
        assert inspect.isclass(getattr(loyalty, name)) or inspect.isfunction(getattr(loyalty, name))


@pytest.mark.parametrize("name", ["build_panel", "build_labels", "backtest", "measure_market"])
def test_data_first_everything_else_by_name_and_a_cutoff_has_no_default(name):
    parameters = list(inspect.signature(getattr(loyalty, name)).parameters.values())
    assert parameters[0].name == "histories"
    assert all(parameter.kind is inspect.Parameter.KEYWORD_ONLY for parameter in parameters[1:])
    assert inspect.signature(getattr(loyalty, name)).parameters["cutoffs"].default is inspect.Parameter.empty


def loaded_by(code: str) -> set[str]:
    """Heavy modules that a fresh Python has loaded after `code`."""
    code += "\nimport sys; print('loaded:', *sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)  # noqa: S603
    return set(HEAVY) & set(done.stdout.rpartition("loaded:")[2].split())


def test_importing_the_package_is_light():
    assert loaded_by("import loyalty; loyalty.__version__; dir(loyalty)") == set()


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["panel", "--help"]])
def test_help_is_light(arguments):
    code = f"import sys; sys.argv[1:] = {arguments}; import loyalty.cli\ntry: loyalty.cli.main()\n"
    code += "except SystemExit as end: assert end.code == 0"
    assert loaded_by(code) == set()
