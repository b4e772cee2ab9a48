"""The command line: check, run, new, example, simulate."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from customerlab.errors import CustomerlabError

# what computes is imported where it is used: --help answers at once

_ABOUT = """\
Notebooks that tell a bank or a shop which of its customers are real, who will leave and when.

One parameter file describes one client: its files, and what the notebooks should do with them.
Reports for stakeholders go to reports/<client>/, everything about single customers stays under
data/<client>/.
"""

_EXAMPLES = """\
examples:
  customerlab simulate bank                       write the files of a made-up bank, or shop
  customerlab run params/demo_bank.yaml           run every notebook, make the report
  customerlab new acme a.csv b.parquet            write a first params/acme.yaml for these files
  customerlab check params/acme.yaml              what is wrong with it, and what would run
  customerlab run params/*.yaml --jobs 4          several clients, four notebooks side by side
  customerlab run params/acme.yaml --only churn_timing
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks; return the exit code.

    0: done. 1: a notebook failed. 2: what was given is wrong, and a message says how.
    """
    given = _parser().parse_args(arguments)
    try:
        return given.do(given)
    except CustomerlabError as error:
        print(f"customerlab: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("customerlab: stopped; call again to go on from there", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="customerlab",
        description=_ABOUT,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    check = commands.add_parser(
        "check",
        help="check parameter files against the real files",
        description="Check parameter files against the real files, without running anything. "
        "Says what is wrong and where; if nothing is: the settings in force, the sources, and "
        "which notebooks will run.",
    )
    check.add_argument("params", nargs="*", type=Path, metavar="PARAMS.yaml")
    check.add_argument(
        "--schema",
        action="store_true",
        help="print the JSON Schema of parameter files, for editors, and end",
    )
    check.set_defaults(do=_check)

    run = commands.add_parser(
        "run",
        help="run what changed and make the reports",
        description="Run the notebooks of one or more clients and make their reports. Only what "
        "changed since the last run is run again; an interrupted run goes on where it was.",
    )
    run.add_argument("params", nargs="+", type=Path, metavar="PARAMS.yaml")
    run.add_argument(
        "--jobs",
        type=_positive,
        metavar="N",
        help="notebooks side by side, sharing threads and memory (default: all that do not wait "
        "for each other, at most one for each processor)",
    )
    run.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="NOTEBOOK",
        help="this notebook and what it needs, for instance churn_timing; may be repeated",
    )
    run.set_defaults(do=_run)

    new = commands.add_parser(
        "new",
        help="write a first parameter file for a client's files",
        description="Look at a client's files and write params/CLIENT.yaml with guesses at what "
        "they hold, commented where they are unsure.",
    )
    new.add_argument("client", metavar="CLIENT", help="letters, digits, - and _")
    new.add_argument("files", nargs="+", type=Path, metavar="FILE", help="CSV, TSV or Parquet")
    new.add_argument("--force", action="store_true", help="write over params/CLIENT.yaml")
    new.set_defaults(do=_new)

    example = commands.add_parser(
        "example",
        help="write the files of a real, public client",
        description="Write the files of a real, public client to data/<client>/raw/.",
    )
    example.add_argument("name", choices=["complete_journey"])
    example.set_defaults(do=_example)

    simulate = commands.add_parser(
        "simulate",
        help="write the files of a made-up client whose truth is known",
        description="Write the files of a made-up client whose truth is known.",
    )
    simulate.add_argument("what", choices=["bank", "shop"])
    size = simulate.add_mutually_exclusive_group()
    size.add_argument(
        "--customers", type=_positive, metavar="N", help="default: 20,000; of a shop 6,000"
    )
    size.add_argument("--accounts", type=_positive, metavar="N", help="a bank's size by accounts")
    simulate.add_argument("--seed", type=int, default=1, metavar="N", help="default: 1")
    simulate.add_argument(
        "--folder",
        type=Path,
        metavar="FOLDER",
        help="default: data/demo_bank/raw or data/demo_shop/raw",
    )
    simulate.set_defaults(do=_simulate)
    return parser


def _positive(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, found {text}")
    return number


def _check(given: argparse.Namespace) -> int:
    if given.schema:
        from customerlab.params import Params

        print(json.dumps(Params.model_json_schema(), indent=1, ensure_ascii=False))
        return 0
    if not given.params:
        raise CustomerlabError(
            "which parameter file? For instance: customerlab check params/a.yaml"
        )
    from customerlab.checking import check
    from customerlab.paths import project_root

    root = project_root()
    wrong = []
    for path in given.params:
        try:
            print(check(path, root), end="\n\n")
        except CustomerlabError as error:
            wrong.append(str(error))
    if wrong:
        raise CustomerlabError("\n".join(wrong))
    return 0


def _run(given: argparse.Namespace) -> int:
    from customerlab.running import run

    return run(given.params, jobs=given.jobs, only=given.only)


def _new(given: argparse.Namespace) -> int:
    import tempfile

    from customerlab.checking import check
    from customerlab.newclient import first_params
    from customerlab.params import check_params
    from customerlab.paths import project_root

    root = project_root()
    check_params({"client": given.client, "snapshot": "2000-01-01"}, "customerlab new")
    path = root / "params" / f"{given.client}.yaml"
    if path.exists() and not given.force:
        raise CustomerlabError(f"{path.relative_to(root)} is there already; --force writes over it")
    with tempfile.TemporaryDirectory() as scratch:
        text = first_params(given.client, given.files, root=root, scratch=Path(scratch))
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    print(check(path, root))
    print(f"\nWritten: {path.relative_to(root)}. Look at the lines with `# ?`, then run it.")
    return 0


def _example(given: argparse.Namespace) -> int:
    from customerlab.examples import write_complete_journey
    from customerlab.paths import Paths, project_root

    root = project_root()
    for file in write_complete_journey(Paths(root, given.name).raw):
        print(file.relative_to(root))
    print(f"Next: customerlab run params/{given.name}.yaml")
    return 0


def _simulate(given: argparse.Namespace) -> int:
    from customerlab.paths import Paths, project_root
    from customerlab.simulate import simulate_bank, simulate_shop

    folder = given.folder or Paths(project_root(), f"demo_{given.what}").raw
    if given.what == "bank":
        simulate_bank(
            folder,
            customers=given.customers or 20_000,
            accounts=given.accounts,
            seed=given.seed,
            report=print,
        )
    elif given.accounts is not None:
        raise CustomerlabError("simulate: a shop has no accounts; give --customers.")
    else:
        simulate_shop(folder, customers=given.customers or 6_000, seed=given.seed)
    print(f"Written: {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
