"""The architecture's rules, held by reading the code: imports point one way, and pure modules stay pure."""

import ast
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[2]
SERVICES = ("auditor", "evaluator", "remediator", "scorer")
FILES = sorted(
    file.relative_to(ROOT).as_posix() for top in ("services", "shared") for file in (ROOT / top).rglob("*.py")
)
PURE_FOLDERS = ("shared/iam", "shared/model", "shared/pci")
PURE_FILES = frozenset({"shared/evidence.py", "shared/protection.py"})
EDGES = frozenset({"handler.py", "edge.py", "settings.py"})  # of a service: where it meets AWS and its environment
ADAPTERS = ("shared/aws", "shared/providers")
COMPILERS = frozenset(  # scripts that make data files, never imported
    {"shared/iam/data/compile_catalogue.py", "shared/iam/data/compile_operations.py"}
)

SDK = frozenset({"boto3", "botocore", "httpx"})
NETWORK = frozenset({"http", "requests", "socket", "ssl", "subprocess", "urllib.request", "urllib3"})
CLOCKS = frozenset(
    {
        "date.today",
        "datetime.date.today",
        "datetime.datetime.now",
        "datetime.datetime.utcnow",
        "datetime.now",
        "datetime.utcnow",
        "time.monotonic",
        "time.perf_counter",
        "time.sleep",
        "time.time",
        "time.time_ns",
    }
)
READS = frozenset({"open", "io.open", "os.getenv", "getenv"})
READ_METHODS = frozenset({"open", "read_bytes", "read_text", "write_bytes", "write_text"})
CLIENTS = frozenset({"boto3.client", "boto3.resource", "boto3.Session", "httpx.Client", "httpx.AsyncClient"})


def violations(path: str, source: str) -> list[str]:
    """What a file does that its place does not allow, as `line: what`."""
    tree = ast.parse(source)
    found = [*_of_imports(path, tree), *_of_module_level(path, tree)]
    if _is_pure(path):
        found.extend(what for node in ast.walk(tree) for what in _impurities_of(node))
    return found


def _is_pure(path: str) -> bool:
    place = PurePosixPath(path)
    if path.startswith("services/"):
        return place.name not in EDGES
    if path in COMPILERS:
        return False
    return path in PURE_FILES or path.startswith(tuple(f"{folder}/" for folder in PURE_FOLDERS))


def _imported(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and full dotted name of each import; a relative one starts with a dot."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = "." * node.level + (node.module or "")
            yield from ((node.lineno, f"{start}.{alias.name}") for alias in node.names)


def _is_in(name: str, packages: frozenset[str] | tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def _of_imports(path: str, tree: ast.Module) -> Iterator[str]:
    top, own = path.split("/")[:2]
    others = tuple(f"services.{service}" for service in SERVICES if service != own)
    for_types_alone = _type_checking_lines(tree)
    for line, name in _imported(tree):
        if name.startswith("."):
            yield f"{line}: relative import"
        if top == "shared" and _is_in(name, ("services", "cli", "infra", "tests")):
            yield f"{line}: shared imports {name}"
        if top == "services" and _is_in(name, ("cli", "infra", "tests", *others)):
            yield f"{line}: a service imports {name}"
        if _is_in(name, SDK) and not path.startswith(ADAPTERS):
            yield f"{line}: {name} outside the adapters"
        if name.startswith("types_boto3_") and line not in for_types_alone:
            yield f"{line}: {name} at run time"
        if _is_pure(path) and _is_in(name, ("shared.aws", "shared.providers", "os", "aws_lambda_powertools", *NETWORK)):
            yield f"{line}: a pure module imports {name}"


def _type_checking_lines(tree: ast.Module) -> set[int]:
    blocks = [node for node in ast.walk(tree) if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    return {line for block in blocks for line in range(block.lineno, (block.end_lineno or block.lineno) + 1)}


def _impurities_of(node: ast.AST) -> Iterator[str]:
    """What one node by itself reads or writes outside of its arguments."""
    if isinstance(node, ast.Attribute) and ast.unparse(node) == "os.environ":
        yield f"{node.lineno}: reads the environment"
    if not isinstance(node, ast.Call):
        return
    called = ast.unparse(node.func)
    if called in CLOCKS:
        yield f"{node.lineno}: reads the clock with {called}"
    if called in READS or (isinstance(node.func, ast.Attribute) and node.func.attr in READ_METHODS):
        yield f"{node.lineno}: reads or writes files or the environment with {called}"


def _of_module_level(path: str, tree: ast.Module) -> Iterator[str]:
    """I/O that importing the module would do: reads, clocks and clients outside of functions."""
    if path in COMPILERS:
        return
    for node in _run_at_import(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in CLIENTS:
            yield f"{node.lineno}: makes a client at import"
        yield from (f"{found} at import" for found in _impurities_of(node))


def _run_at_import(tree: ast.Module) -> Iterator[ast.AST]:
    """Every node that runs when the module is imported: not the bodies of functions and lambdas."""
    stack: list[ast.AST] = [tree]
    while stack:
        node = stack.pop()
        yield node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            stack.extend([*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)])
        elif not isinstance(node, ast.Lambda):
            stack.extend(ast.iter_child_nodes(node))


@pytest.mark.parametrize("path", FILES)
def test_a_file_does_only_what_its_place_allows(path: str) -> None:
    assert violations(path, (ROOT / path).read_text(encoding="utf-8")) == []


def test_every_service_is_known_to_the_rules() -> None:
    folders = {file.parent.name for file in (ROOT / "services").glob("*/*.py")}
    assert folders == set(SERVICES)


# What each rule must catch: where it is planted, the code, and a word of the complaint.
PLANTED = [
    ("shared/events.py", "import services.scorer.core", "shared imports services"),
    ("shared/iam/patterns/globs.py", "from services.scorer import core", "shared imports services"),
    ("shared/aws/sns.py", "from cli.main import app", "shared imports cli"),
    ("shared/aws/sns.py", "def late() -> None:\n    from infra.build import template", "shared imports infra"),
    ("services/scorer/core.py", "from services.auditor.chain import seal", "a service imports services.auditor"),
    ("services/scorer/handler.py", "import services.remediator.edge", "a service imports services.remediator"),
    ("services/scorer/edge.py", "from cli import main", "a service imports cli"),
    ("services/scorer/handler.py", "import boto3", "outside the adapters"),
    ("shared/settings.py", "from botocore.config import Config", "outside the adapters"),
    ("services/remediator/edge.py", "import httpx", "outside the adapters"),
    ("shared/aws/sns.py", "from types_boto3_sns import SNSClient", "at run time"),
    ("services/scorer/core.py", "from shared.aws.dynamodb import Table", "a pure module imports shared.aws"),
    ("services/evaluator/invocation.py", "import os", "a pure module imports os"),
    ("services/auditor/chain.py", "from os import environ", "a pure module imports os.environ"),
    ("services/remediator/deriving/keep.py", "from aws_lambda_powertools import Logger", "aws_lambda_powertools"),
    ("shared/iam/policy.py", "import socket", "a pure module imports socket"),
    ("shared/pci/score.py", "import urllib.request", "a pure module imports urllib.request"),
    ("shared/model/score.py", "def f():\n    return open('x')", "with open"),
    ("shared/iam/catalogue.py", "def f(p):\n    return p.read_text()", "with p.read_text"),
    ("shared/pci/risk.py", "def f():\n    return datetime.now(UTC)", "reads the clock"),
    ("services/scorer/usage/tally.py", "import time\ndef f():\n    return time.time()", "reads the clock"),
    ("services/scorer/trail/reader.py", "def f():\n    return os.environ['X']", "reads the environment"),
    ("shared/evidence.py", "def f():\n    return os.getenv('X')", "os.getenv"),
    ("services/auditor/core.py", "from .chain import seal", "relative import"),
    ("shared/aws/clients.py", "CLIENT = boto3.client('iam')", "client at import"),
    ("shared/knowledge.py", "TEXT = Path('x').read_text()", "at import"),
    ("shared/observability.py", "class A:\n    started = datetime.now(UTC)", "at import"),
    ("services/scorer/settings.py", "import os\nTABLE = os.environ['T']", "at import"),
    ("shared/settings.py", "def f(now=datetime.now()):\n    return now", "at import"),
]


@pytest.mark.parametrize(("path", "source", "complaint"), PLANTED)
def test_the_rules_catch_what_is_planted(path: str, source: str, complaint: str) -> None:
    found = violations(path, source)
    assert any(complaint in one for one in found), found


# What a neighbouring rule must leave alone.
ALLOWED = [
    ("shared/aws/sns.py", "if TYPE_CHECKING:\n    from types_boto3_sns import SNSClient"),
    ("shared/aws/sns.py", "import boto3\nfrom botocore.config import Config"),
    ("shared/providers/cloudknox.py", "import httpx"),
    ("services/scorer/edge.py", "from shared.aws.dynamodb import Table\nfrom aws_lambda_powertools import Logger"),
    ("services/scorer/settings.py", "import os"),
    ("services/scorer/core.py", "from services.scorer.usage.fold import fold\nfrom datetime import datetime"),
    ("shared/observability.py", "def utc_now():\n    return datetime.now(UTC)"),
    ("shared/knowledge.py", "def load():\n    return Path('x').read_bytes()"),
    ("shared/iam/data/compile_catalogue.py", "from pathlib import Path\nTEXT = Path('x').read_text()"),
    ("shared/model/usage.py", "def f(moment):\n    return datetime.fromisoformat(moment)"),
]


@pytest.mark.parametrize(("path", "source"), ALLOWED)
def test_the_rules_leave_alone_what_is_allowed(path: str, source: str) -> None:
    assert violations(path, source) == []
