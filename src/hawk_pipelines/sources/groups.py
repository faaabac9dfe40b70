"""Groups that share a video are one group: only then no recording is on both sides of the split."""

from collections.abc import Iterable, Sequence


def leading_groups(memberships: Iterable[Sequence[str]]) -> dict[str, str]:
    """The name by which each group goes: groups that share a video, at once or through others, go by one.

    Args:
        memberships: the groups of each video.
    """
    leaders: dict[str, str] = {}

    def leader(group: str) -> str:
        while leaders.setdefault(group, group) != group:
            group = leaders[group]
        return group

    for groups in memberships:
        for group in groups:
            leaders[leader(group)] = leader(groups[0])
    return {group: leader(group) for group in leaders}
