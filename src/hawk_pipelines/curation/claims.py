"""Claims: the objects and actions that a text names and that nothing it was written from supports.

A word counts by itself, without its sentence: that is quick, and the same for every item, but blind to what is said of whom.
"A man hits a woman" supports "a woman hits a man". Qualities (red, quickly, wet) are no claims.
"""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from hawk_pipelines.language.parsing import look_up

_WORD = re.compile(r"[a-z]{1,40}")
_CLAIMED = {"NOUN", "PROPN", "VERB"}


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.split())


ABOUT_THE_VIDEO = _listed(
    """
    video footage clip scene camera frame picture image recording recorder view screen surveillance event anomaly anomalies
    incident situation activity action behavior behaviour occurrence sequence happening kind type class sort label category
    example way manner case thing something someone somebody anything anyone nothing nobody fact part half third tenth
    quarter rest whole share length duration time times moment second seconds minute minutes start beginning middle end
    point while period course begin last take place happen occur show see seen contain depict capture involve include appear
    seem look consist concern describe label mark know say tell mean make count call continue remain stay go come get do be
    have use keep lie stand answer question unusual abnormal anomalous normal usual ordinary number amount lot many several
    few other others one two three four five six seven eight nine ten left right top bottom side corner center centre front
    back upper lower direction area spot location position foreground background word source caption annotation reason cause
    yes no
    """
)
"""Words about the video and about telling: they claim nothing of what is to be seen."""
COLOURS = _listed(
    "red green blue yellow white black gray grey silver orange purple pink brown beige gold golden khaki violet cyan dark light"
)
PEOPLE = _listed(
    """
    man woman boy girl child kid baby lady gentleman officer policeman policewoman police cop driver rider cyclist
    pedestrian clerk guard customer robber thief victim passerby walker runner worker staff passenger motorcyclist skater
    player adult male female guy
    """
)
VEHICLES = _listed(
    "car truck bus van lorry taxi motorcycle motorbike bike bicycle scooter train tram ambulance pickup suv jeep trailer tractor"
)
ANIMALS = _listed("dog cat horse cow bird sheep")
GENERAL = {  # what may be said of it, too: the more general word is supported by the more special one, never the other way round
    **dict.fromkeys(PEOPLE, ("person", "people", "individual", "human", "figure", "group", "crowd")),
    **dict.fromkeys(VEHICLES, ("vehicle", "traffic")),
    **dict.fromkeys(ANIMALS, ("animal",)),
    **dict.fromkeys(("boy", "girl", "kid"), ("child", "person", "people", "individual", "human", "figure", "group", "crowd")),
    "people": ("person", "individual", "human", "figure", "group", "crowd"),
    "group": ("people", "person"),
    "walk": ("move",),
    "run": ("move",),
    "drive": ("move",),
    "ride": ("move",),
}
SAME = (
    {"person", "individual", "human", "people", "figure"},
    {"policeman", "policewoman", "police", "cop", "officer"},
    {"motorcycle", "motorbike"},
    {"bicycle", "bike"},
    {"cyclist", "bicyclist"},
    {"road", "street", "roadway"},
    {"pavement", "sidewalk"},
    {"store", "shop"},
    {"collide", "collision", "hit", "crash", "accident"},
    {"fall", "collapse"},
    {"steal", "stole", "stolen", "theft", "thief", "stealing", "shoplifting"},
    {"strike", "struck", "beat", "punch"},
    {"lady", "woman"},
    {"rob", "robbery", "robber"},
    {"fight", "fighting"},
    {"shoot", "shooting", "gunshot"},
    {"burn", "fire", "flame"},
    {"explode", "explosion", "blast"},
    {"arrest", "detain", "detention"},
    {"riot", "rioter"},
    {"vandalise", "vandalize", "vandalism"},
    {"burgle", "burglary", "burglar"},
)
_SAME = {word: group for group in SAME for word in group}


class Evidence(NamedTuple):
    """The words that support a text, as they stand and in their dictionary form."""

    words: frozenset[str]
    lemmas: frozenset[str]


def words_in(text: str) -> set[str]:
    """Its words in small letters."""
    return set(_WORD.findall(text.lower()))


def evidence(sources: Iterable[str]) -> Evidence:
    """Everything that captions and labels support, with what follows from it. Labels are split at capitals and underscores."""
    words: set[str] = set()
    for source in sources:
        words |= words_in(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", source))
    lemmas = {word.lemma for word in look_up(words).values()} | words
    for lemma in list(lemmas):
        lemmas |= _SAME.get(lemma, set())
    for lemma in list(lemmas):
        lemmas.update(GENERAL.get(lemma, ()))
    for lemma in list(lemmas):
        lemmas |= _SAME.get(lemma, set())
    return Evidence(frozenset(words), frozenset(lemmas))


def unsupported(text: str, known: Evidence) -> list[str]:
    """The nouns and verbs of a text that are not supported, in their order, each once."""
    unknown = [word for word in dict.fromkeys(_WORD.findall(text.lower())) if len(word) > 2 and word not in known.words]
    unknown = [word for word in unknown if word not in ABOUT_THE_VIDEO and word not in COLOURS]
    found = look_up(unknown)
    return [
        word
        for word in unknown
        if found[word].kind in _CLAIMED and found[word].lemma not in known.lemmas and found[word].lemma not in ABOUT_THE_VIDEO
    ]


def warm_up(texts: Sequence[str]) -> None:
    """Look every word of many texts up at once, which is quicker than text by text and changes nothing else."""
    look_up(sorted({word for text in texts for word in words_in(text)}))
