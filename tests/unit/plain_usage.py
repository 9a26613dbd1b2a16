"""Usage worked out the slow and plain way, record by record and without any memory, to hold the fast way to it."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from services.scorer.trail.record import Record
from services.scorer.usage.caller import Caller, CallerKind, resolve_caller
from services.scorer.usage.evidence import SkipReason
from services.scorer.usage.folded import Folded
from services.scorer.usage.outcome import Outcome, denied_action_of, outcome_of
from services.scorer.usage.parameters import roles_in
from services.scorer.usage.templates import partition_of
from shared.iam.operations import OperationActions, OperationMap, Unmapped, UnmappedReason
from shared.model.resources import ANY_RESOURCE, NO_RESOURCE, Resources
from shared.model.usage import Coverage, Evidence, IdentityKey, Span, Usage, UsageEntry, join_entries

REASONS = {
    CallerKind.ROOT: SkipReason.ROOT,
    CallerKind.AWS_SERVICE: SkipReason.AWS_SERVICE,
    CallerKind.FEDERATED: SkipReason.FEDERATED,
    CallerKind.OTHER_ACCOUNT: SkipReason.OTHER_ACCOUNT,
    CallerKind.IDENTITY_CENTER: SkipReason.IDENTITY_CENTER,
    CallerKind.UNKNOWN: SkipReason.UNKNOWN_CALLER,
}


def plain_fold(records: Iterable[Record], operations: OperationMap, *, feed: str) -> Folded:
    """The same as `fold`, for few records."""
    usages: dict[IdentityKey, Usage] = {}
    told: dict[IdentityKey, list[tuple[datetime, str]]] = {}
    coverage: dict[str, Coverage] = {}
    callers: Counter[CallerKind] = Counter()
    skipped: Counter[SkipReason] = Counter()
    for record in records:
        caller = resolve_caller(record.user_identity, record.recipient_account_id)
        callers[caller.kind] += 1
        for account_id, seen in covered(record, caller, feed):
            coverage[account_id] = coverage.get(account_id, Coverage()).join(seen)
        entries = entries_of(record, caller, operations)
        if isinstance(entries, SkipReason):
            skipped[entries] += 1
            continue
        key = IdentityKey(str(caller.account_id), str(caller.identity_id))
        usage = Usage(key.identity_id, join_entries(entries))
        usages[key] = usages[key].join(usage) if key in usages else usage
        if caller.arn:
            told.setdefault(key, []).append((record.event_time, caller.arn))
    arns = {key: max(all_told)[1] for key, all_told in told.items()}
    return Folded(usages, arns, coverage, callers, skipped, callers.total())


def covered(record: Record, caller: Caller, feed: str) -> Iterator[tuple[str, Coverage]]:
    account_id, region = record.recipient_account_id or caller.account_id or "", record.aws_region or ""
    management = record.event_category == "Management" or (
        record.event_category is None and record.management_event is not False
    )
    usable = not is_api_call(record) or not is_malformed(record)
    if management and usable and re.fullmatch(r"\d{12}", account_id) and re.fullmatch(r"[a-z0-9-]{1,40}", region):
        day, reads = record.event_time.astimezone(UTC).date(), record.read_only is True
        yield account_id, Coverage.of([day], regions=[region], feeds=[feed], reads=reads)


def is_api_call(record: Record) -> bool:
    return record.event_type in {None, "", "AwsApiCall"}


def is_malformed(record: Record) -> bool:
    needed = (record.event_source, record.event_name, record.aws_region, record.user_identity)
    account_id = record.recipient_account_id or "0" * 12
    return not all(needed) or not re.fullmatch(r"\d{12}", account_id)


def entries_of(record: Record, caller: Caller, operations: OperationMap) -> list[UsageEntry] | SkipReason:
    if not is_api_call(record):
        kinds = {
            "AwsServiceEvent": SkipReason.SERVICE_EVENT,
            "AwsConsoleSignIn": SkipReason.CONSOLE_SIGN_IN,
            "AwsConsoleSignin": SkipReason.CONSOLE_SIGN_IN,
        }
        return kinds.get(record.event_type or "", SkipReason.NOT_AN_API_CALL)
    if is_malformed(record):
        return SkipReason.MALFORMED
    if caller.identity_id is None:
        return REASONS[caller.kind]
    source, name = str(record.event_source), str(record.event_name)
    if source.startswith("autoscaling.") and b'"application-autoscaling"' in bytes(record.additional_event_data):
        source = f"application-{source}"
    actions = operations.actions_of(source, name)
    if isinstance(actions, Unmapped):
        presumed = operations.presumed_actions(source, name)
        if actions.reason is UnmappedReason.NO_ACTION or presumed is None:
            return SkipReason(actions.reason.value)
        actions = presumed
    outcome = outcome_of(record.error_code, source)
    if outcome is Outcome.DENIED:
        return [entry(record, action, Evidence.DENIED, None) for action in denied(record, actions, operations)]
    return list(allowed(record, actions, operations, sure=outcome is Outcome.PASSED))


def denied(record: Record, actions: OperationActions, operations: OperationMap) -> list[str]:
    named = denied_action_of(record.error_message)
    found = [actions.primary] if actions.primary else []
    if named and operations.has_action(named) and named not in found:
        found.append(named)
    return found or [action for action in actions.possible if action != "iam:PassRole"]


def allowed(record: Record, actions: OperationActions, operations: OperationMap, *, sure: bool) -> Iterator[UsageEntry]:
    kind = Evidence.OBSERVED if sure else Evidence.POSSIBLE
    if actions.primary:
        arns = arns_of(record, actions.primary, operations)
        yield entry(record, actions.primary, kind, Resources.of(arns) if arns else ANY_RESOURCE)
    for action in actions.possible:
        yield entry(record, action, Evidence.POSSIBLE, ANY_RESOURCE)
    if actions.passes_role:
        roles = roles_in(record.request_parameters)
        kind = Evidence.INFERRED if sure and (roles.arns or roles.otherwise) else Evidence.POSSIBLE
        certain = roles.arns and not roles.otherwise
        yield entry(record, "iam:PassRole", kind, Resources.of(roles.arns) if certain else ANY_RESOURCE)


def entry(record: Record, action: str, kind: Evidence, resources: Resources | None) -> UsageEntry:
    at = record.event_time.astimezone(UTC)
    regions = frozenset() if resources is None else frozenset({str(record.aws_region)})
    return UsageEntry(action, MappingProxyType({kind: Span(at, at)}), resources or NO_RESOURCE, regions)


# Which ARNs, spelled out for the services of the tests


def arns_of(record: Record, action: str, operations: OperationMap) -> list[str]:
    service = action.partition(":")[0]
    templates = [
        text
        for text in operations.resource_templates(action)
        if not (service == "s3" and ":accesspoint/" in text) and not (service == "dynamodb" and "/index/" in text)
    ]
    if len(templates) != 1 or service in {"logs", "secretsmanager"} or record.event_name == "CopyObject":
        return []
    (template,) = templates
    request: Any = json.loads(bytes(record.request_parameters))
    if service in {"s3", "dynamodb", "lambda"} and not is_direct(request):
        return []
    found = [each.arn for each in record.resources or [] if each.arn and fits(each.arn, template)]
    if found and service != "lambda":
        return found
    return by_request(record, request, template) if isinstance(request, dict) else []


def is_direct(request: Any) -> bool:
    if request is None:
        return True
    if not isinstance(request, dict):
        return False
    values = [request.get(name) for name in ("bucketName", "Host", "indexName", "qualifier")]
    if any(value is not None and not isinstance(value, str) for value in values):
        return False
    signs = ("accesspoint", "-s3alias", "--ol-s3", "--x-s3")
    return values[2] is None and values[3] is None and not any(sign in f"{values[:2]}" for sign in signs)


def by_request(record: Record, request: dict[str, Any], template: str) -> list[str]:
    last = re.findall(r"\$\{(\w+)\}", template)[-1]
    kind = small(re.sub(r"(Name|Id)(WithPath)?$", "", last))
    names = ["resourceArn", "resourceARN", "arn", f"{kind}Arn", f"{kind}ARN"]
    if small(last) in {"tableName", "functionName", "bucketName"}:
        names.append(small(last))
    found: list[str] = []
    for value in (request[name] for name in names if name in request):
        if not isinstance(value, str):
            return []
        found.append(value if value.startswith("arn:") else named(record, value, template, last))
    own = record.recipient_account_id and all(fits(arn, template) for arn in found)
    return found if own else []


def named(record: Record, name: str, template: str, variable: str) -> str:
    partition = partition_of(str(record.aws_region))
    if partition is None or not re.fullmatch(r"[A-Za-z0-9._-]+", name):
        return ""
    filled = template.replace("${Partition}", partition).replace("${Region}", str(record.aws_region))
    return filled.replace("${Account}", str(record.recipient_account_id)).replace(f"${{{variable}}}", name)


def small(name: str) -> str:
    return name[:1].lower() + name[1:]


def fits(arn: str, template: str) -> bool:
    """Whether an ARN is of a type, compared piece by piece."""
    if template.endswith("/${ObjectName}"):
        return bool(re.fullmatch(r"arn:aws[a-z-]*:s3:::[^/:]+/.+", arn))
    spanning = re.search(r"\$\{(\w*WithPath|ParameterNameWithoutLeadingSlash)\}$", template)
    pieces = re.split(r"[:]", template)
    told = arn.split(":")
    if len(told) != len(pieces) or told[0] != "arn" or not told[1].startswith("aws") or told[2] != pieces[2]:
        return False
    resource, shape = told[-1], pieces[-1]
    start = shape[: shape.index("${")]
    rest = resource.removeprefix(start)
    return resource.startswith(start) and bool(rest) and (bool(spanning) or "/" not in rest)
