"""`leastwise identities`: who is told of, in which order, and how it looks."""

import csv
import io
from datetime import timedelta
from typing import Any

import pytest

from cli.identities import Sort
from cli.identity_listing import Choice, Row, answer_of, chosen
from cli.identity_tables import COLUMNS, put_csv, show_identities
from shared.model.identity import IdentityRef, IdentityType
from shared.model.plan import Compliance, PlanStatus
from shared.model.score import Band
from tests.builders import ACCOUNT, ANA, DEPLOYER, NOW, a_score
from tests.integration.test_cli_plans import planned, recorded

AUDITOR = IdentityRef(account_id=ACCOUNT, identity_id="AROAAUDITOR000000001", arn=f"arn:aws:iam::{ACCOUNT}:role/Audit")


def row(identity: IdentityRef, pci: float, compliance: Compliance, **changes: Any) -> Row:
    score = a_score(pci, identity=identity, **changes)
    return Row(identity.identity_id, identity, score, compliance)


WAITING = recorded(planned("1" * 16, ANA), PlanStatus.PROPOSED)
ROWS = [
    Row(
        ANA.identity_id,
        ANA,
        a_score(87.25, unused=212),
        Compliance.NON_COMPLIANT,
        WAITING,
    ),
    row(DEPLOYER, 41.5, Compliance.COMPLIANT, granted=900, unused=3, scored_at=NOW + timedelta(hours=1)),
    row(AUDITOR, 12.0, Compliance.NOT_APPLICABLE, unused=900, exempt="it has the tag leastwise:exempt"),
    Row("AIDALOST000000000001", problem="DeniedError: no\x1b[2J"),
]
NAMES = {ANA.identity_id: "ana", DEPLOYER.identity_id: "deployer", AUDITOR.identity_id: "audit"}

CASES: list[tuple[Choice, Sort, list[str]]] = [
    (Choice(), Sort.PCI, ["ana", "deployer", "audit", "lost"]),
    (Choice(), Sort.NAME, ["ana", "audit", "deployer", "lost"]),
    (Choice(), Sort.UNUSED, ["audit", "ana", "deployer", "lost"]),
    (Choice(), Sort.GRANTED, ["deployer", "ana", "audit", "lost"]),
    (Choice(), Sort.SCORED, ["deployer", "ana", "audit", "lost"]),
    (Choice(type=IdentityType.ROLE), Sort.PCI, ["deployer", "audit"]),
    (Choice(type=IdentityType.USER), Sort.PCI, ["ana", "lost"]),
    (Choice(band=Band.LOW), Sort.PCI, ["audit"]),
    (Choice(compliance=Compliance.NOT_APPLICABLE), Sort.PCI, ["audit"]),
    (Choice(min_pci=41.5), Sort.PCI, ["ana", "deployer"]),
    (Choice(min_pci=0), Sort.PCI, ["ana", "deployer", "audit"]),
    (Choice(name="A*"), Sort.PCI, ["ana", "audit", "lost"]),
    (Choice(name="role/*"), Sort.PCI, ["deployer", "audit"]),
    (Choice(name="audit"), Sort.PCI, ["audit"]),
    (Choice(name="aud"), Sort.PCI, []),
    (Choice(name="*", type=IdentityType.USER, band=Band.HIGH), Sort.PCI, ["ana"]),
]


@pytest.mark.parametrize(("choice", "order", "names"), CASES)
def test_who_is_asked_for_is_told_in_order(choice: Choice, order: Sort, names: list[str]) -> None:
    for rows in (ROWS, ROWS[::-1]):
        assert [NAMES.get(one.identity_id, "lost") for one in chosen(rows, choice, order)] == names


def test_machines_get_every_number_and_null_where_there_is_none() -> None:
    answer = answer_of(ROWS, 7)
    ana, _, auditor, lost = answer["identities"]
    assert answer["found"] == 7
    assert (ana["arn"], ana["type"], ana["pci"], ana["band"]) == (ANA.arn, "user", 87.25, "high")
    assert (ana["granted"], ana["used"], ana["unused"], ana["unobservable"]) == (230, 18, 212, 0)
    assert (ana["plan_id"], ana["plan_status"], ana["scored_at"]) == ("1" * 16, "PROPOSED", "2026-03-01T12:00:00Z")
    assert (auditor["compliance"], auditor["exempt"]) == ("NOT_APPLICABLE", "it has the tag leastwise:exempt")
    assert {name for name, value in lost.items() if value is not None} == {"id", "type", "problem"}
    assert lost["problem"] == "DeniedError: no\\x1b[2J"


AT_80 = """\
  PCI   verdict    identity                                   unused   plan
 ──────────────────────────────────────────────────────────────────────────────
 87.2   over       user/team/ana                                 212   PROPOSED
 41.5              role/ci/deployer                                3
 12.0   exempt     role/Audit                                    900
    ?   unscored   AIDALOST000000000001                            ?
                   not scored by the last sweep:
                   DeniedError: no\\x1b[2J
"""

AT_120 = """\
  PCI   band     verdict    identity                    granted   used   unused   unknown   plan       scored
 ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
 87.2   high     over       user/team/ana                   230     18      212         0   PROPOSED   2026-03-01 12:00
"""


@pytest.mark.parametrize(("width", "table"), [(80, AT_80), (120, AT_120)])
def test_people_see_a_table_that_fits_their_terminal(
    width: int, table: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("cli.terminal.PIPED_WIDTH", width)
    show_identities(ROWS, len(ROWS))
    shown = [line.rstrip() for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert all(len(line) <= width for line in shown)
    assert shown[: len(table.splitlines())] == table.splitlines()


def test_what_is_left_out_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    show_identities(ROWS[:1], 1_201)
    assert "1,200 more are left out" in capsys.readouterr().out
    show_identities([], 0)
    assert capsys.readouterr().out == "No identities.\n"


def test_a_spreadsheet_gets_a_row_for_each_and_no_formula(capsys: pytest.CaptureFixture[str]) -> None:
    danger = IdentityRef(account_id=ACCOUNT, identity_id="AIDADANGER0000000001", arn=f"{ANA.arn[:-3]}=1+1,@x")
    put_csv([*ROWS, row(danger, 1.0, Compliance.NOT_APPLICABLE, exempt="=1+1")])
    header, *rows = csv.reader(io.StringIO(capsys.readouterr().out))
    assert tuple(header) == COLUMNS
    assert [one[0] for one in rows] == [ANA.arn, DEPLOYER.arn, AUDITOR.arn, "", danger.arn]
    assert rows[3][1:6] == ["AIDALOST000000000001", "user", "", "", ""]
    assert not [cell for one in rows for cell in one if cell.startswith(("=", "+", "-", "@", "\t"))]
