"""What can be wrong with a policy document: the one table of codes, and what a finding says.

An error is what IAM (or AWS Organizations, or the service of a resource) refuses, a warning what it accepts but what
hardly does what was meant or gives away too much, a suggestion what reads better otherwise.

Sources: IAM user guide, "Grammar of the IAM JSON policy language" and the pages of the elements; AWS Organizations user
guide, "SCP syntax", "RCP syntax" and quotas; the messages of IAM's API. The ideas of further checks are those of IAM
Access Analyzer's policy checks and of parliament.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple


class Severity(StrEnum):
    """How bad a finding is; a document with an error is not accepted."""

    ERROR = "error"
    WARNING = "warning"
    SUGGESTION = "suggestion"


class Code(StrEnum):
    """The kinds of findings; `RULES` tells what each means."""

    ACTION_AND_NOT_ACTION = "action_and_not_action"
    ACTION_CHARACTERS = "action_characters"
    ACTION_COLONS = "action_colons"
    ACTION_VARIABLE = "action_variable"
    ACTION_VENDOR = "action_vendor"
    ACTION_VENDOR_CHARACTERS = "action_vendor_characters"
    ARN_ACCOUNT = "arn_account"
    ARN_FIELDS = "arn_fields"
    ARN_PARTITION = "arn_partition"
    ARN_PREFIX = "arn_prefix"
    ARN_REGION = "arn_region"
    ARN_SERVICE = "arn_service"
    ARN_SHORT = "arn_short"
    CHARACTERS = "characters"
    CONDITION = "condition"
    CONDITION_EMPTY = "condition_empty"
    CONDITION_KEY_FORM = "condition_key_form"
    CONDITION_KEY_TYPE = "condition_key_type"
    CONDITION_OPERATOR = "condition_operator"
    CONDITION_SET_OPERATOR = "condition_set_operator"
    CONDITION_VALUE = "condition_value"
    CONDITION_VALUE_FORM = "condition_value_form"
    CONDITION_VARIABLE = "condition_variable"
    CONDITION_WILDCARD = "condition_wildcard"
    DUPLICATE_KEY = "duplicate_key"
    EFFECT = "effect"
    ELEMENT_CASE = "element_case"
    ELEMENT_TYPE = "element_type"
    FULL_ADMINISTRATION = "full_administration"
    IAM_PATH = "iam_path"
    MISSING_ACTION = "missing_action"
    MISSING_PRINCIPAL = "missing_principal"
    MISSING_RESOURCE = "missing_resource"
    MISSING_STATEMENT = "missing_statement"
    NOT_AN_OBJECT = "not_an_object"
    NOT_ACTION_ALLOWED = "not_action_allowed"
    NOT_JSON = "not_json"
    NOT_PRINCIPAL_ALLOWED = "not_principal_allowed"
    NOT_RESOURCE_ALLOWED = "not_resource_allowed"
    NULL_IN_LIST = "null_in_list"
    PASS_ROLE_ANYWHERE = "pass_role_anywhere"  # noqa: S105 the name of a finding, not a password
    PRINCIPAL = "principal"
    PRINCIPAL_AND_NOT_PRINCIPAL = "principal_and_not_principal"
    PRINCIPAL_DELETED = "principal_deleted"
    PRINCIPAL_FORBIDDEN = "principal_forbidden"
    PRINCIPAL_SERVICE = "principal_service"
    PUBLIC = "public"
    RCP_ACTION = "rcp_action"
    RCP_EFFECT = "rcp_effect"
    RCP_PRINCIPAL = "rcp_principal"
    REPEATED_VALUE = "repeated_value"
    RESOURCE_AND_NOT_RESOURCE = "resource_and_not_resource"
    RESOURCE_FORBIDDEN = "resource_forbidden"
    RESOURCE_FORM = "resource_form"
    SID_CHARACTERS = "sid_characters"
    SID_FORM = "sid_form"
    SID_REPEATED = "sid_repeated"
    TOO_LONG = "too_long"
    TRUST_ACTION = "trust_action"
    TRUST_FEDERATED = "trust_federated"
    UNKNOWN_ACTION = "unknown_action"
    UNKNOWN_ELEMENT = "unknown_element"
    UNKNOWN_SERVICE = "unknown_service"
    VARIABLE_WITHOUT_VERSION = "variable_without_version"
    VERSION = "version"
    VERSION_OLD = "version_old"


class Rule(NamedTuple):
    """What a code means for people: how bad it is, in a few words, and what to do."""

    severity: Severity
    title: str
    advice: str


class Flaw(NamedTuple):
    """Something wrong at one place of a document, before the kind of policy says how bad that is."""

    code: Code
    path: str
    message: str


class Finding(NamedTuple):
    """Something wrong at one place (`path`, a JSON path) of a policy document."""

    code: Code
    severity: Severity
    path: str
    message: str


_E, _W, _S = Severity.ERROR, Severity.WARNING, Severity.SUGGESTION

RULES: Mapping[Code, Rule] = {
    Code.ACTION_AND_NOT_ACTION: Rule(_E, "Action and NotAction together", "Keep one of them, or make two statements."),
    Code.ACTION_CHARACTERS: Rule(
        _W, "Action with unusual characters", "Names of actions are letters, digits, * and ?."
    ),
    Code.ACTION_COLONS: Rule(_E, "Action with more than one colon", "Write service:ActionName."),
    Code.ACTION_VARIABLE: Rule(_E, "Policy variable in an action", "Name the actions; variables belong elsewhere."),
    Code.ACTION_VENDOR: Rule(_E, "Action without a service", "Write service:ActionName, or * for every action."),
    Code.ACTION_VENDOR_CHARACTERS: Rule(
        _E, "Invalid service of an action", "A service prefix has no wildcards or spaces."
    ),
    Code.ARN_ACCOUNT: Rule(_W, "Unusual account in an ARN", "An account is twelve digits, * or empty."),
    Code.ARN_FIELDS: Rule(_E, "Incomplete ARN", "Write arn:partition:service:region:account:resource."),
    Code.ARN_PARTITION: Rule(_E, "Unknown partition in an ARN", "Use aws, aws-cn, aws-us-gov or *."),
    Code.ARN_PREFIX: Rule(_E, "ARN without arn:", "Begin with arn:, or write * for every resource."),
    Code.ARN_REGION: Rule(_E, "Region where there is none", "Leave the region of this ARN empty."),
    Code.ARN_SERVICE: Rule(_E, "ARN without a plain service", "Name the service in full, without wildcards."),
    Code.ARN_SHORT: Rule(_W, "Short ARN", "Write all six fields; IAM takes missing ones for *."),
    Code.CHARACTERS: Rule(_E, "Characters that IAM refuses", "Use tab, line ends and U+0020 to U+00FF only."),
    Code.CONDITION: Rule(_E, "Malformed Condition", 'Write {"operator": {"key": "value"}}.'),
    Code.CONDITION_EMPTY: Rule(_W, "Condition that tests nothing", "Say what is to hold, or leave it out."),
    Code.CONDITION_KEY_FORM: Rule(_W, "Condition key without a prefix", "Write prefix:name, such as aws:SourceIp."),
    Code.CONDITION_KEY_TYPE: Rule(_W, "Operator does not fit the key", "Use the operators of the key's type."),
    Code.CONDITION_OPERATOR: Rule(_E, "Unknown condition operator", "Use an operator of the IAM user guide."),
    Code.CONDITION_SET_OPERATOR: Rule(
        _W,
        "Set operator that misses its aim",
        "ForAllValues holds without the key; several values need a set operator.",
    ),
    Code.CONDITION_VALUE: Rule(_E, "Malformed condition value", "Write text, numbers, booleans or a list of them."),
    Code.CONDITION_VALUE_FORM: Rule(
        _E, "Value that does not fit the operator", "Write the value as the operator needs it."
    ),
    Code.CONDITION_VARIABLE: Rule(
        _W, "Variable where there are none", "Variables work with String and Arn operators only."
    ),
    Code.CONDITION_WILDCARD: Rule(_W, "Wildcard without a Like operator", "Use StringLike, or ${*} for a plain *."),
    Code.DUPLICATE_KEY: Rule(_E, "Key given twice", "Keep one; IAM reads element names without case."),
    Code.EFFECT: Rule(_E, "Effect is not Allow or Deny", 'Write "Allow" or "Deny", in exactly these letters.'),
    Code.ELEMENT_CASE: Rule(_S, "Element in unusual case", "Write elements and operators as the user guide does."),
    Code.ELEMENT_TYPE: Rule(_E, "Element of the wrong type", "Write text, or a list of texts where a list may be."),
    Code.FULL_ADMINISTRATION: Rule(_W, "Everything allowed", "Allow only what is needed."),
    Code.IAM_PATH: Rule(_E, "Unknown type of IAM resource", "Write user/, role/, policy/ … before the name, or *."),
    Code.MISSING_ACTION: Rule(_E, "No actions", "Add an Action or NotAction with at least one value."),
    Code.MISSING_PRINCIPAL: Rule(_E, "No principal", "Say with Principal who the statement speaks of."),
    Code.MISSING_RESOURCE: Rule(_E, "No resources", "Add a Resource or NotResource with at least one value."),
    Code.MISSING_STATEMENT: Rule(_E, "No statements", "Add a Statement with at least one statement."),
    Code.NOT_AN_OBJECT: Rule(_E, "Not a JSON object", "A policy and each of its statements are JSON objects."),
    Code.NOT_ACTION_ALLOWED: Rule(
        _W, "NotAction with Allow", "List what is allowed; new actions would be allowed too."
    ),
    Code.NOT_JSON: Rule(_E, "Not JSON", "Correct the JSON."),
    Code.NOT_PRINCIPAL_ALLOWED: Rule(_E, "NotPrincipal with Allow", "Use Principal, or Deny with a condition."),
    Code.NOT_RESOURCE_ALLOWED: Rule(_W, "NotResource with Allow", "List what is allowed; all other resources are."),
    Code.NULL_IN_LIST: Rule(_W, "null in a list", "Remove it; it is passed over."),
    Code.PASS_ROLE_ANYWHERE: Rule(_W, "iam:PassRole on every role", "Name the roles that may be passed."),
    Code.PRINCIPAL: Rule(_E, "Malformed principal", "Use an account id, an ARN without wildcards, a service or *."),
    Code.PRINCIPAL_AND_NOT_PRINCIPAL: Rule(_E, "Principal and NotPrincipal together", "Keep one of them."),
    Code.PRINCIPAL_DELETED: Rule(_W, "Id of a deleted principal", "Remove it; it matches nobody."),
    Code.PRINCIPAL_FORBIDDEN: Rule(
        _E, "Principal where there is none", "Remove it; the policy's holder is the principal."
    ),
    Code.PRINCIPAL_SERVICE: Rule(_W, "Unusual service principal", "Write service.amazonaws.com."),
    Code.PUBLIC: Rule(_W, "Open to everyone", "Name the principals, or add a condition that limits them."),
    Code.RCP_ACTION: Rule(
        _E, "Action that no RCP may have", "List actions with their service; no NotAction, no bare *."
    ),
    Code.RCP_EFFECT: Rule(_E, "RCP that allows", "Use Deny; only RCPFullAWSAccess allows."),
    Code.RCP_PRINCIPAL: Rule(_E, "RCP for some principals", 'Use "Principal": "*" and conditions.'),
    Code.REPEATED_VALUE: Rule(_S, "Value given twice", "Remove one of them."),
    Code.RESOURCE_AND_NOT_RESOURCE: Rule(_E, "Resource and NotResource together", "Keep one of them."),
    Code.RESOURCE_FORBIDDEN: Rule(_E, "Resource in a trust policy", "Remove it; the role is the resource."),
    Code.RESOURCE_FORM: Rule(_E, "Resource is no ARN", "Write an ARN or *."),
    Code.SID_CHARACTERS: Rule(_W, "Sid with unusual characters", "Use the letters A-Z, a-z and digits only."),
    Code.SID_FORM: Rule(_E, "Sid with characters that IAM refuses", "Use the letters A-Z, a-z and digits only."),
    Code.SID_REPEATED: Rule(_E, "Sid given twice", "Name each statement differently."),
    Code.TOO_LONG: Rule(_E, "Document too long", "Split it, or use wildcards."),
    Code.TRUST_ACTION: Rule(_E, "Action that no trust policy may have", "Use sts:AssumeRole and its kin."),
    Code.TRUST_FEDERATED: Rule(_W, "Every user of a provider trusted", "Test the token's audience and subject."),
    Code.UNKNOWN_ACTION: Rule(_W, "Unknown action", "Check the spelling; it may be newer than the catalogue."),
    Code.UNKNOWN_ELEMENT: Rule(_E, "Unknown element", "Remove it or correct its name."),
    Code.UNKNOWN_SERVICE: Rule(_W, "Unknown service", "Check the spelling; it may be newer than the catalogue."),
    Code.VARIABLE_WITHOUT_VERSION: Rule(_W, "Variable that is plain text", 'Set Version to "2012-10-17".'),
    Code.VERSION: Rule(_E, "Unknown version", 'Write "Version": "2012-10-17".'),
    Code.VERSION_OLD: Rule(_E, "Old version of the language", 'Write "Version": "2012-10-17".'),
}
