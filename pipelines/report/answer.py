"""The first sentence of the report: does the region meet its targets?"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from pipelines.report.amounts import said, signed
from pipelines.report.catalogue import Both, joined, say
from pipelines.report.changes import Story
from pipelines.report.standing import BAD, GOOD, JUDGED, NEUTRAL, OPEN, Standing, of_the_whole, own

_ORDER = ("met", "likely met", "undecided", "likely missed", "missed", "unknown")


@dataclass(frozen=True)
class Answer:
    """tone : of the banner; short : a few words; sentences : the first is the answer, the others what it rests on."""

    tone: str
    short: Both
    sentences: tuple[Both, ...]


def answer(found: list[Standing]) -> Answer:
    """By the targets of the whole where it has any, else by those of its parts, else by the national ones beside it."""
    whole = [s for s in of_the_whole(found) if s.role in JUDGED]
    parts = own(found)
    if whole:
        more = [s.sentence for s in whole]
        if parts:
            more.append(_counted("answer.parts", parts))
        return Answer(_tone(whole), _short("whole", whole), (_counted("answer.whole", whole), *more))
    beside = [s for s in of_the_whole(found) if s.role == "reference"]
    if parts:
        first = _counted("answer.parts", parts)
        return Answer(_tone(parts), _short("parts", parts), (first, say("answer.no_own"), *_beside(beside)))
    return Answer(NEUTRAL, say("answer.none.short"), (say("answer.none"), *_beside(beside)))


def of_change(story: Story) -> Answer:
    """A change alone has no targets to be held against: what became of the carbon is its answer."""
    known = story.carbon.known and (story.carbon.low > 0 or story.carbon.high < 0)
    way = "gain" if story.carbon.value > 0 else "loss"
    tone = OPEN if not known else GOOD if way == "gain" else BAD
    first = say(
        f"answer.change.{way}", first=story.first, last=story.last, amount=signed(story.carbon.value, "carbon"),
        sure=say("answer.change.sure" if known else "answer.change.unsure"),
    )  # fmt: skip
    flux = say("answer.change.sink", sink=signed(story.net_sink, "co2_yr"))
    return Answer(tone, say(f"answer.change.{way}.short" if known else "answer.change.open.short"), (first, flux))


def _tone(found: list[Standing]) -> str:
    tones = {s.tone for s in found}
    if tones == {GOOD}:
        return GOOD
    return BAD if BAD in tones and GOOD not in tones else OPEN


def _short(scope: str, found: list[Standing]) -> Both:
    good = sum(s.tone == GOOD for s in found)
    if good == len(found):
        return say(f"answer.{scope}.yes")
    if good == 0 and any(s.tone == BAD for s in found):
        early = all(s.early for s in found if s.tone == BAD)
        return say("answer.not_yet", year=found[0].map_year) if early else say(f"answer.{scope}.no")
    return say(f"answer.{scope}.partly", good=good, all=len(found))


def _counted(key: str, found: list[Standing]) -> Both:
    """Of so many targets so many are met, likely met …"""
    counts = Counter(s.status for s in found)
    told = [
        say(f"answer.count.{status.replace(' ', '_')}", count=counts[status]) for status in _ORDER if counts[status]
    ]
    return say(key, all=len(found), counts=joined(told))


def _beside(found: list[Standing]) -> list[Both]:
    """The national rate beside the region's, once a status."""
    return [
        say(
            f"answer.beside.{s.status}", indicator=s.name, value=said(s.value.value, s.kind), target=said(s.target, s.kind),
            year=s.year,
        )
        for s in found[:1]
    ]  # fmt: skip
