"""Patterns matched the slow and obvious way: every way to spread the text over the wildcards is followed."""

ANY, IN_SEGMENT, LITERAL = "any", "in segment", "literal"
Step = tuple[str, str]  # a character of the pattern and how it is read


def matches(pattern: str, text: str) -> bool:
    """Wildcards stand for any characters."""
    return _matches([(char, ANY if char in "*?" else LITERAL) for char in pattern], text)


def reaches(pattern: str, resource: str) -> bool:
    """Wildcards of an ARN's first five segments stay within theirs, unless a `*` is the segment's last character."""
    steps: list[Step] = []
    for place, char in enumerate(pattern):
        in_header = pattern[:place].count(":") < 5
        is_last = char == "*" and pattern[place + 1 : place + 2] in ("", ":")
        steps.append((char, LITERAL if char not in "*?" else IN_SEGMENT if in_header and not is_last else ANY))
    return _matches(steps, resource)


def arn_matches(pattern: str, arn: str) -> bool:
    """Each of six segments by itself."""
    wanted, found = pattern.split(":", 5), arn.split(":", 5)
    return len(wanted) == len(found) == 6 and found[0] == "arn" and all(map(matches, wanted, found))


def _matches(steps: list[Step], text: str) -> bool:
    reached = _past_runs({0}, steps)
    for char in text:
        following: set[int] = set()
        for state in reached:
            if state == len(steps):
                continue
            wanted, kind = steps[state]
            fits = wanted == char if kind == LITERAL else kind == ANY or char != ":"
            if fits:
                following.add(state if wanted == "*" and kind != LITERAL else state + 1)
        reached = _past_runs(following, steps)
    return len(steps) in reached


def _past_runs(states: set[int], steps: list[Step]) -> set[int]:
    closed = set(states)
    for state in states:
        place = state
        while place < len(steps) and steps[place][0] == "*" and steps[place][1] != LITERAL:
            place += 1
            closed.add(place)
    return closed
