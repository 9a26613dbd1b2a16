"""`leastwise policy`: questions about policy documents, answered without an AWS account and without a network.

Each command imports its part of the policy engine when it runs, so that the others start fast.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from cli.answers import Answers, printable
from cli.inputs import Entry, read_entries
from shared.iam.grammar.kinds import PolicyKind

policy = typer.Typer(no_args_is_help=True, help="Expand, validate, evaluate and compare policies, offline.")

FILES = typer.Argument(metavar="FILE...", help="Policy documents; - is standard input.", show_default=False)
LINES = typer.Option("--lines", help="The files hold a document in each line (JSON lines).")
JSON = typer.Option("--json", help="A line of JSON for each document on standard output.")
ALWAYS_JSON = typer.Option("--json", help="Changes nothing: the answers are JSON lines anyway.")
KIND = typer.Option("--kind", help="What the documents are attached to (default: as each looks).", show_default=False)
CASES = typer.Option("--cases", metavar="FILE", help="Cases as JSON lines; - is standard input.", show_default=False)
CASE = typer.Option("--case", metavar="FILE", help="One case, as a JSON file.", show_default=False)
PAIRS = typer.Option("--pairs", metavar="FILE", help='Lines {"old": …, "new": …}; - is standard input.')
OLD = typer.Argument(metavar="[OLD]", help="A document, or a list of documents that apply together.")
NEW = typer.Argument(metavar="[NEW]", help="The same after a change.")


@policy.command()
def expand(
    files: Annotated[list[str], FILES],
    *,
    lines: Annotated[bool, LINES] = False,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """List the actions that documents allow: every Allow minus every unconditional Deny."""
    from cli.expansion import expand_text  # noqa: PLC0415 only this command needs it
    from shared.knowledge import load_catalogue  # noqa: PLC0415

    catalogue = load_catalogue()

    def show(entry: Entry, answer: Mapping[str, Any]) -> None:
        if lines or len(files) > 1:
            typer.echo(f"# {printable(entry.place)}")
        for action in answer["actions"]:
            typer.echo(printable(action))
        for pattern in answer["unknown"]:
            typer.echo(f"unknown to the catalogue: {printable(pattern)}", err=True)

    answers = Answers()
    entries = read_entries(files, lines=lines)
    answers.give(entries, lambda _, text: expand_text(text, catalogue), None if as_json else show)
    answers.leave()


@policy.command()
def validate(
    files: Annotated[list[str], FILES],
    kind: Annotated[PolicyKind | None, KIND] = None,
    *,
    lines: Annotated[bool, LINES] = False,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Judge documents by the whole grammar: what IAM refuses, and what is hardly meant; exit code 1 for an error."""
    from cli.validation import Judge, show_findings  # noqa: PLC0415 only this command needs it
    from shared.knowledge import load_catalogue  # noqa: PLC0415

    answers = Answers()
    judge = Judge(answers, kind, load_catalogue())
    answers.give(read_entries(files, lines=lines), judge, None if as_json else show_findings)
    answers.leave()


@policy.command()
def evaluate(
    cases: Annotated[str | None, CASES] = None,
    case: Annotated[str | None, CASE] = None,
    *,
    as_json: Annotated[bool, ALWAYS_JSON] = False,  # noqa: ARG001 accepted, as every command has it
) -> None:
    """Decide requests: one line of JSON for each case, with the statements that decided."""
    from cli.evaluation import Cases  # noqa: PLC0415 only this command needs it

    if (cases is None) is (case is None):
        raise typer.BadParameter("give the cases as --cases FILE, or one as --case FILE")
    decide = Cases()
    answers = Answers()
    entries = read_entries([cases or case or ""], lines=cases is not None)
    answers.give(entries, lambda _, text: decide(text))
    answers.leave()


@policy.command()
def compare(
    old: Annotated[str | None, OLD] = None,
    new: Annotated[str | None, NEW] = None,
    pairs: Annotated[str | None, PAIRS] = None,
    *,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Prove that new policies grant nothing that the old ones did not; exit code 1 where that is not proven."""
    from cli.comparison import Pairs, pair_of_files, show_comparison  # noqa: PLC0415 only this command needs it
    from shared.knowledge import load_catalogue  # noqa: PLC0415

    answers = Answers()
    judge = Pairs(answers, load_catalogue())
    if pairs is not None and old is None:
        answers.give(read_entries([pairs], lines=True), judge)
    elif pairs is None and old is not None and new is not None:
        entry = Entry(f"{old}, {new}", "")
        show = None if as_json else show_comparison
        answers.give([entry], lambda *_: judge.of_values(pair_of_files(old, new)), show)
    else:
        raise typer.BadParameter("give OLD and NEW, or --pairs FILE")
    answers.leave()
