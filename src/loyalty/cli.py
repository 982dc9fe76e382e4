"""The command line: demo, check, run, tune, score, panel, report, data."""

import errno
import shutil
import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text
from typer.core import TyperGroup

from loyalty.files import UnwritableError, check_writable

if TYPE_CHECKING:
    from loyalty.config import Config
    from loyalty.experiment import Run
    from loyalty.histories import Histories

#: What somebody may look for under a name of its own, and where it is.
_ELSEWHERE = {"backtest": "`loyalty run` backtests, beside all the rest."}


class _Commands(TyperGroup):
    """The commands, which say where to find what is none of its own."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] in _ELSEWHERE:
            ctx.fail(f"No such command {args[0]!r}. {_ELSEWHERE[args[0]]}")
        return super().resolve_command(ctx, args)


Language = Literal["en", "ko"]

app = typer.Typer(
    cls=_Commands,
    epilog="Begin with `loyalty demo`: it makes histories, learns from them and writes a report, in two to three "
    "minutes the first time. To backtest your own, use `loyalty run`.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
# No markup, no emoji: a folder may be called "[old]" or ":sales:".
_out = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
_err = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)

DataFolder = Annotated[
    Path, typer.Option("--data", envvar="LOYALTY_DATA", help="Folder that the config's paths count from.")
]
#: How a command ends that was interrupted.
_INTERRUPTED = 130
OutFolder = Annotated[
    Path, typer.Option("--out", file_okay=False, help="Folder for the results; made if it is not there.")
]
ReportLanguage = Annotated[
    Language | None, typer.Option("--language", help="Of the report; by default the config's.", show_default=False)
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Say nothing unless something is wrong.")]


def _say_version(asked: bool) -> None:
    if asked:
        from loyalty import __version__

        _out.print(__version__)
        raise typer.Exit


@app.callback()
def _begin(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Say which version this is.")
    ] = False,
) -> None:
    """Tell which clients are about to leave, what each will still be worth, and why."""


def main() -> None:
    """Run the command line; a user's mistake ends in one message and exit code 1, never in a traceback."""
    try:
        app()
    except SystemExit as end:
        if end.code == _INTERRUPTED:
            _err.print("Stopped.")
        raise


@contextmanager
def _plain_errors(**folders: Path | None) -> Iterator[None]:
    """End with a message and exit code 1 instead of a traceback; anything but a bad value or file is our own bug.

    `folders` are those to write in, by the option that names them: whether they can be written is found out at once.
    """
    from loyalty.config import ConfigError
    from loyalty.histories import HistoriesError

    into = {option: folder for option, folder in folders.items() if folder is not None}
    try:
        with ExitStack() as told:
            for option, folder in into.items():
                told.enter_context(_unwritable(option, folder))
                check_writable(folder)
            yield
    except (ConfigError, HistoriesError) as error:
        _err.print(Text(str(error)))
        if isinstance(error, HistoriesError) and error.rows:
            read = ", ".join(f"{name} {rows:,}" for name, rows in error.rows.items())
            _err.print(f"Rows read: {read}.")
        raise typer.Exit(1) from None
    except UnwritableError as error:
        _err.print(Text(f"Error: {error} Allow it, or copy the run to another folder."))
        raise typer.Exit(1) from None
    except (ValueError, OSError) as error:
        _err.print(Text(f"Error: {error}"))
        raise typer.Exit(1) from None


@contextmanager
def _unwritable(option: str, folder: Path) -> Iterator[None]:
    """Say which option to change when a folder, or one below it, cannot be written."""
    try:
        yield
    except OSError as error:
        told = _as_unwritable(error, folder)
        if told is None:
            raise
        raise ValueError(f"{told} Choose another --{option}.") from error


def _as_unwritable(error: OSError, folder: Path) -> UnwritableError | None:
    """Tell an error met in `folder` as one of writing, if it is one."""
    if isinstance(error, UnwritableError):
        near = error.folder.absolute()
        if near.is_relative_to(folder.absolute()):  # which may be one for unfinished work
            return UnwritableError(error.errno, folder)
        return error if folder.absolute().is_relative_to(near) else None
    if not isinstance(error.filename, str) or not Path(error.filename).absolute().is_relative_to(folder.absolute()):
        return None
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UnwritableError(error.errno, folder)
    try:
        check_writable(Path(error.filename).parent)
    except UnwritableError as found:
        return UnwritableError(found.errno, folder)
    return None


class _Bar:
    """A progress bar on a terminal; on anything else, as in a log, nothing."""

    def __init__(self, *, quiet: bool) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=_err, transient=True, disable=quiet or not _err.is_terminal)
        self._task = self._progress.add_task("reading the histories", total=None)

    def __enter__(self) -> "_Bar":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def begin(self, total: int) -> None:
        """Learn how many steps there will be."""
        self._progress.update(self._task, total=total)

    def step(self, said: str) -> None:
        """Show one more step."""
        self._progress.update(self._task, advance=1, description=said)


@app.command(epilog="Example: `loyalty demo --out my-demo --clients 500 --language ko`")
def demo(
    out: OutFolder = Path("loyalty-demo"),
    clients: Annotated[int, typer.Option(min=200, max=100_000, help="How many clients to make up.")] = 2000,
    seed: Annotated[int, typer.Option(min=0, help="Of everything random.")] = 0,
    language: ReportLanguage = None,
    quiet: Quiet = False,
) -> None:
    """Make up a shop with known truth, and go the whole road with it."""
    from loyalty.config import read_config
    from loyalty.datasets import write_demo

    with _plain_errors(out=out):
        config_path = write_demo(out, clients=clients, seed=seed)
        config = read_config(config_path)
        _run_and_report(config, config_path, data=out / "data", out=out, language=language, quiet=quiet)
    if quiet:
        return
    _out.print(f"\nThe histories are made up, and what is true of each client is in {out / 'data' / 'truth.parquet'}.")
    _say_next(
        [
            ("look at every problem a data set may have", f"loyalty check {config_path} --data {out / 'data'}"),
            ("score the clients two days later", f"loyalty score {out} --data {out / 'data'} --cutoff 2026-01-03"),
            ("read the report in Korean", f"loyalty report {out} --language ko"),
            ("write the model card, for the data scientist", f"loyalty card {out}"),
            ("see the experiment in MLflow", f"mlflow ui --backend-store-uri sqlite:///{out / 'mlflow.db'}"),
            ("use your own data: copy the config and edit it", str(config_path)),
        ]
    )


@app.command(epilog="Example: `loyalty check experiments/cdnow.toml --data ~/data`")
def check(
    config: Annotated[Path, typer.Argument(help="The experiment's TOML file.")],
    data: DataFolder = Path(),
) -> None:
    """Read the histories of a config, and list everything that is wrong or worth knowing."""
    from loyalty.config import read_histories
    from loyalty.features import choose_features
    from loyalty.features.learned import MODELS
    from loyalty.groups import check_attributes
    from loyalty.histories import HistoriesWarning

    with _plain_errors(), warnings.catch_warnings():
        warnings.simplefilter("ignore", HistoriesWarning)  # shown below, with the other notes
        read = _read(config)
        histories = read_histories(read, data)
        _show_summary(histories)
        choose_features(histories, read.features, models=MODELS)
        check_attributes(histories, read.card.attributes)
        _show_cutoffs(read, histories)


@app.command(epilog="Example: `loyalty run experiments/online_retail_2.toml --data ~/data --out out/retail`")
def run(
    config: Annotated[Path, typer.Argument(help="The experiment's TOML file.")],
    out: OutFolder,
    data: DataFolder = Path(),
    language: ReportLanguage = None,
    quiet: Quiet = False,
) -> None:
    """Backtest, fit, score, explain, track in MLflow and write the report."""
    from loyalty.config import read_config

    with _plain_errors(out=out):
        read = read_config(config)
        _run_and_report(read, config, data=data, out=out, language=language, quiet=quiet)
    if not quiet:
        own = "".join(
            f" --module {config.parent / name if name.endswith('.py') else name}" for name in read.feature_modules
        )
        _say_next(
            [
                ("score again later", f"loyalty score {out} --data {data} --cutoff DATE --out scores.parquet{own}"),
                ("write the model card, for the data scientist", f"loyalty card {out}"),
                ("see the experiment in MLflow", f"mlflow ui --backend-store-uri sqlite:///{out / 'mlflow.db'}"),
            ]
        )


@app.command(
    epilog="Example: `loyalty tune experiments/online_retail_2.toml --data ~/data --out out/tuned`, then "
    "`loyalty run out/tuned/tuned.toml --data ~/data --out out/retail`"
)
def tune(
    config: Annotated[Path, typer.Argument(help="The experiment's TOML file; [tune] cutoffs are the origins, if any.")],
    out: OutFolder,
    data: DataFolder = Path(),
    trials: Annotated[int, typer.Option(min=1, help="Sets of parameters to try for each of the two models.")] = 40,
    timeout: Annotated[
        int | None,
        typer.Option(min=1, help="Seconds of search after which no trial begins; results then depend on the machine."),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Search for better parameters at cutoffs before the test cutoffs (Optuna), and say whether it was worth it."""
    from loyalty.histories import HistoriesWarning
    from loyalty.tuning import OptunaMissingError, run_tuning

    with _plain_errors(out=out), warnings.catch_warnings(), _Bar(quiet=quiet) as bar:
        warnings.simplefilter("ignore", HistoriesWarning)  # `loyalty check` shows them
        read = _read(config)
        try:
            found = run_tuning(
                read,
                data=data,
                out=out,
                name=config.stem,
                beside=config.parent,
                trials=trials,
                timeout=timeout,
                progress=bar,
            )
        except OptunaMissingError as error:
            raise ValueError(str(error)) from None
    if not quiet:
        _out.print(found.summary(), end="")
        _say_next(
            [
                ("run with what was found", f"loyalty run {out / 'tuned.toml'} --data {data} --out {out}"),
                ("see every trial in MLflow", f"mlflow ui --backend-store-uri sqlite:///{out / 'mlflow.db'}"),
            ]
        )


@app.command(epilog="Example: `loyalty panel experiments/cdnow.toml --data ~/data --out panel --cutoff 1998-01-01`")
def panel(
    config: Annotated[Path, typer.Argument(help="The experiment's TOML file.")],
    out: Annotated[Path, typer.Option(help="Folder of Parquet files to make.")],
    data: DataFolder = Path(),
    cutoff: Annotated[
        list[str] | None, typer.Option(help="Where to stand; repeatable. By default the config's score cutoff.")
    ] = None,
    memory: Annotated[
        str | None, typer.Option(help="What the reading may hold, as 2GB; by default an eighth of the machine's.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Compute the features of every client into Parquet files; go on where an interrupted build stopped."""
    from loyalty.config import read_histories
    from loyalty.features import choose_features, write_panel
    from loyalty.histories import HistoriesWarning
    from loyalty.timeline import as_cutoffs

    with _plain_errors(out=out.parent), warnings.catch_warnings(), _Bar(quiet=quiet) as bar:
        warnings.simplefilter("ignore", HistoriesWarning)  # `loyalty check` shows them
        read = _read(config)
        cutoffs = cutoff or [read.cutoffs.score]
        histories = read_histories(read, data, last_cutoff=max(as_cutoffs(cutoffs)), memory=memory)
        bar.step("histories")
        outcome = read.outcome
        write_panel(
            histories,
            out,
            cutoffs=cutoffs,
            horizon=outcome.horizon,
            gap=outcome.gap,
            kind=outcome.kind,
            active=outcome.active,
            features=choose_features(histories, read.features),
            on_begin=lambda parts: bar.begin(parts + 1),
            on_step=bar.step,
        )
    if not quiet:
        _out.print(f"The panel is in {out}; loyalty.read_panel({str(out)!r}) reads it.")


@app.command(epilog="Example: `loyalty score out/retail --data ~/data --cutoff 2011-12-10 --out scores.parquet`")
def score(
    model: Annotated[Path, typer.Argument(help="Folder of a run, or its folder `model`.")],
    cutoff: Annotated[str, typer.Option(help="Where we stand; only what was known before is used.")],
    data: DataFolder = Path(),
    out: Annotated[Path, typer.Option(help="Parquet or CSV file to write.")] = Path("scores.parquet"),
    alerts: Annotated[
        Path | None, typer.Option(help="Parquet or CSV file for the clients who are owed a word.")
    ] = None,
    language: Annotated[Language, typer.Option(help="Of the reasons.")] = "en",
    stale: Annotated[bool, typer.Option("--stale", help="Score even if the data end long before the cutoff.")] = False,
    module: Annotated[list[str] | None, typer.Option(help="Python file with features of your own; repeatable.")] = None,
    quiet: Quiet = False,
) -> None:
    """Score every client at a cutoff with the models of a run, unattended."""
    from loyalty.features import import_features
    from loyalty.histories import HistoriesWarning
    from loyalty.scoring import load, score_file

    with _plain_errors(out=out.parent, alerts=None if alerts is None else alerts.parent), warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.simplefilter("ignore", HistoriesWarning)
        warnings.showwarning = lambda message, *_, **__: _err.print(f"Warning: {message}")
        import_features(module or [], beside=Path())
        scores = score_file(
            load(model), data=data, cutoff=cutoff, out=out, alerts=alerts, language=language, stale=stale
        )
    if not quiet:
        at_risk = scores["churn_probability"].mean()
        _out.print(f"{len(scores):,} clients scored at {cutoff}, mean churn probability {at_risk:.3f}: {out}")


@app.command(epilog="Example: `loyalty report out/retail --language ko --pdf`")
def report(
    out: Annotated[Path, typer.Argument(help="Folder of a run.")],
    language: ReportLanguage = None,
    pdf: Annotated[
        bool,
        typer.Option(
            "--pdf", help="Write it as a PDF too (extra `pdf`); without, an older PDF of the page is removed."
        ),
    ] = False,
    no_clients: Annotated[
        bool, typer.Option("--no-clients", help="Name no client and hide small groups; into a file of its own.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Write the managers' page of a run anew."""
    from loyalty.report import PdfMissingError, write_report

    with _plain_errors(), _pdf_removed(out, clients=not no_clients, quiet=quiet):
        try:
            path = write_report(out, language=language, pdf=pdf, clients=not no_clients)
        except PdfMissingError as error:
            raise ValueError(str(error)) from None
    if not quiet:
        _out.print(str(path))
        if pdf:
            _out.print(str(path.with_suffix(".pdf")))


@app.command(epilog="Example: `loyalty card out/retail`")
def card(out: Annotated[Path, typer.Argument(help="Folder of a run.")]) -> None:
    """Write the model card of a run: data, figures by group, fairness, limits, in Markdown."""
    from loyalty.report import write_card

    with _plain_errors():
        _out.print(str(write_card(out)))


@app.command(epilog="Example: `loyalty data ~/data`")
def data(
    folder: Annotated[
        Path | None, typer.Argument(envvar="LOYALTY_DATA", help="Folder to compare with what is known.")
    ] = None,
) -> None:
    """List the public data sets that the experiments use, and check the files of a folder against them."""
    from loyalty.datasets import PUBLIC, inventory

    table = Table(box=None, pad_edge=False)
    for heading in ("name", "rows", "clients"):
        table.add_column(heading, no_wrap=True)
    table.add_column("what, and under which licence")
    for known in PUBLIC.values():
        counts = f"{known.rows:,}", f"{known.clients:,}" if known.clients else ""
        table.add_row(known.name, *counts, f"{known.title}; {known.licence}")
    _out.print(table)
    if folder is None:
        _out.print("\nWhere each comes from: data/README.md. Check a folder: loyalty data FOLDER")
        return
    with _plain_errors():
        states = inventory(folder)
    _out.print()
    for state in states:
        _out.print(Text(f"{state.status:8} {state.file}"))
    if any(state.status == "changed" for state in states):
        _err.print("Some files are not the ones the experiments were measured on.")
        raise typer.Exit(1)


def _read(config: Path) -> "Config":
    """Read a config, and run the modules of features that it names."""
    from loyalty.config import read_config
    from loyalty.features import import_features

    read = read_config(config)
    import_features(read.feature_modules, beside=config.parent)
    return read


def _run_and_report(
    config: "Config", path: Path, *, data: Path, out: Path, language: Language | None, quiet: bool
) -> None:
    from loyalty.experiment import run_experiment
    from loyalty.features import import_features
    from loyalty.report import write_report

    import_features(config.feature_modules, beside=path.parent)
    with _Bar(quiet=quiet) as bar:
        result = run_experiment(config, data=data, out=out, name=path.stem, progress=bar)
        with _pdf_removed(out, quiet=quiet):
            write_report(out, language=language or config.language)
    if not quiet:
        _show_run(config, result)


@contextmanager
def _pdf_removed(out: Path, *, clients: bool = True, quiet: bool) -> Iterator[None]:
    """Say so when a page is written without the PDF that stood beside the one before."""
    from loyalty.report import page_path

    printed = page_path(out, clients=clients).with_suffix(".pdf")
    stood = printed.exists()
    yield
    if stood and not printed.exists() and not quiet:
        _err.print(f"Removed, as it told of the page before: {printed}")


def _show_run(config: "Config", result: "Run") -> None:
    _out.print(Text(config.question, style="bold"))
    metrics = ("auc", "log_loss", "brier", "mae", "gini", "total_error")
    table = Table("mean over test cutoffs", *metrics, box=None, pad_edge=False)
    if not result.backtest.metrics.empty:  # else a note says why
        for model, row in result.backtest.summary().iterrows():
            table.add_row(str(model), *(f"{row[metric]:z.3f}" if metric in row else "" for metric in metrics))
        _out.print(table)
    for note in result.notes:
        _out.print(f"Note: {note}")
    _out.print(f"\n{len(result.scores):,} clients scored at {config.cutoffs.score}. In {result.out}:")
    for file, what in (
        ("report.html", "the managers' page"),
        ("scores.parquet", "every client's risk, value and reasons"),
        ("alerts.csv", "whom the company is failing: no answer, silence after a problem, too many promotions"),
        ("backtest.parquet", "what was predicted at the test cutoffs"),
        ("metrics.json", "every figure"),
        ("model", "the models, as text; `loyalty score` uses them"),
        ("mlflow.db", "the experiment's track"),
    ):
        if (result.out / file).exists():
            _out.print(f"  {file:18}{what}")


def _say_next(suggestions: list[tuple[str, str]]) -> None:
    """Suggest commands, each by the name or path under which this one was called."""
    called = Path(sys.argv[0])
    folder = "" if shutil.which("loyalty") or called.name != "loyalty" else f"{called.parent}/"
    _out.print("\nWhat to try next:")
    for what, command in suggestions:
        path = folder if command.startswith(("loyalty ", "mlflow ")) else ""
        _out.print(f"  {what}\n    {path}{command}")


def _show_summary(histories: "Histories") -> None:
    for name, row in histories.summary().iterrows():
        refunds = f"; {row['refunds']:,} refunds" if name == "purchases" else ""
        _out.print(
            f"{name}: {row['rows']:,} rows of {row['clients']:,} clients, {row['first']:%Y-%m-%d} to "
            f"{row['last']:%Y-%m-%d}{refunds}; {row['duplicates']:,} duplicates; "
            f"longest gap {row['longest_gap_days']} days"
        )
        _out.print(f"  columns: {row['columns']}")
    _out.print(f"observed until {histories.observed_until:%Y-%m-%d}: outcomes that reach further are not known")
    for note in histories.notes:
        _out.print(f"Note: {note}")


def _show_cutoffs(config: "Config", histories: "Histories") -> None:
    from loyalty.experiment import check_standing, setting_of

    setting = setting_of(config)
    check_standing(setting, histories, config.score_cutoff)
    tests, score = (setting.splits(histories, asked) for asked in (config.test_cutoffs, [config.score_cutoff]))
    for what, split in [*(("Test", split) for split in tests), ("Score", score[0])]:
        cutoff = split.test
        clients = setting.count(histories, cutoff)
        count = len(split.train)
        span = f"{split.train[0]:%Y-%m-%d}" + (f" to {split.train[-1]:%Y-%m-%d}" if count > 1 else "")
        share = setting.share(histories, split.train)
        drawn = f", of {share:.1%} of the clients" if share < 1 else ""
        learned = f"{count} training cutoff{'s' if count > 1 else ''}, {span}{drawn}"
        _out.print(f"{what} cutoff {cutoff:%Y-%m-%d}: {clients:,} clients; {learned}")
        end = setting.outcome.window(cutoff)[1]
        if what == "Test" and end > histories.observed_until:
            _out.print(f"  its horizon ends on {end:%Y-%m-%d}, after the data: it is predicted, but not judged")
    splits = (*tests, *score)
    stale = histories.staleness(config.score_cutoff, kind=setting.kind)
    closed = [*setting.left_out(histories, splits), *setting.reopened(histories, [split.test for split in splits])]
    for note in (setting.unevenness(histories, tests), *closed, stale, setting.goes_on(histories, config.score_cutoff)):
        if note:
            _out.print(f"Note: {note}")
    _out.print("The histories can be used.")
