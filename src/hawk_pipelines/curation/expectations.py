"""What every table must be: Great Expectations suites, run when a table is saved, and their Data Docs.

A suite looks at a frame made of the table's records, which holds no free text: names are escaped, because Data Docs are HTML, and
of a draft only the number of findings of each check is in it. What is critical stops the run (then a step is broken); what is not
(then some drafts are) is told, and what becomes of each draft is decided in `judging.py`.
"""

import contextlib
import html
import json
import logging
import os
import shutil
from collections import defaultdict
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hawk_pipelines.curation.answers import KINDS, kind_of
from hawk_pipelines.curation.data_docs import make_readable_offline
from hawk_pipelines.curation.judging import AMISS, CHECKS
from hawk_pipelines.curation.wording import LONGEST, foreign_language, unprintable
from hawk_pipelines.engine.finished import json_sha256, rows_sha256
from hawk_pipelines.engine.whole_files import whole_folder
from hawk_pipelines.errors import HawkError
from hawk_pipelines.plain_text import html_text, plain
from hawk_pipelines.schema import Caption, Clip, JudgedDraft, Record, Video

if TYPE_CHECKING:  # it takes five seconds to import
    from great_expectations.expectations.expectation import Expectation

logger = logging.getLogger(__name__)

Row = dict[str, Any]
Pack = Callable[[Any], "list[Expectation]"]
SUITES_VERSION = 2
"""Raised whenever a suite expects something else of the same table: its result is found anew then."""
UNBALANCED = 0.5
"""Kullback-Leibler divergence of the question kinds from an even spread, in nats; one kind alone has 1.9."""


class Unexpected(HawkError):
    """A table that cannot be right."""


class Suite:
    """A validator of the catalog: `validate` is called with the records when they are saved.

    Example in the catalog::

        videos:
          ...
          validator:
            class: hawk_pipelines.curation.expectations.Suite
            on: save
            options: {suites: [videos], folder: data/08_reporting/expectations}
    """

    def __init__(self, suites: Sequence[str], folder: str) -> None:
        """Args:
        suites: names of suites in `SUITES`; a table may be looked at from several sides.
        folder: where suites, results and Data Docs are kept.
        """
        unknown = sorted(set(suites) - set(SUITES))
        if unknown:
            msg = f"There is no suite {unknown[0]!r}; known are {', '.join(SUITES)}."
            raise Unexpected(msg)
        self._suites = list(suites)
        self._folder = Path(folder)

    def validate(self, records: list[Any]) -> list[Any]:
        """Check the records, write the Data Docs, and give the records back.

        Raises:
            Unexpected: something critical is wrong.
        """
        for name in self._suites:
            told = _results(name, records, self._folder)
            missed = [one for one in told if not one.met]
            for one in missed:
                logger.warning("%s: %s.", name, one.sentence)
            critical = [one for one in missed if one.critical]
            if critical:
                what = "; ".join(f"{one.sentence} ({', '.join(map(plain, one.examples))})" for one in critical)
                msg = f"The table `{name}` is not as it must be: {what}. See {docs_page(self._folder)}."
                raise Unexpected(msg)
        return records


class Told(NamedTuple):
    """What came of one expectation."""

    text: str
    """What is right."""
    amiss: str
    """What rows are that are not as expected."""
    met: bool
    critical: bool
    rows: int
    unexpected: int
    examples: list[str]
    """Names of rows that are not as expected."""

    @property
    def sentence(self) -> str:
        """What is amiss, number first, without its full stop."""
        return f"{self.unexpected:,} of {self.rows:,} {self.amiss}" if self.unexpected else self.amiss


def _results(name: str, records: Sequence[Record], folder: Path) -> list[Told]:
    """What came of a suite; as it was kept where the table is as it was, without importing Great Expectations for it."""
    key = json_sha256([SUITES_VERSION, version("great-expectations"), name, rows_sha256(records)])
    kept = folder / "finished" / f"{name}.json"
    if docs_page(folder).is_file() and kept.is_file():
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            found = json.loads(kept.read_text(encoding="utf-8"))
            if found["key"] == key:
                return [Told(**one) for one in found["results"]]
    with whole_folder(folder) as new:
        for part in ("suites", "results", "finished"):  # Data Docs are made of them, all each time
            if (folder / part).is_dir():
                shutil.copytree(folder / part, new / part)
        told = run_suite(name, records, new)
        finished = new / kept.relative_to(folder)
        finished.parent.mkdir(parents=True, exist_ok=True)
        finished.write_text(json.dumps({"key": key, "results": [one._asdict() for one in told]}, indent=1), encoding="utf-8")
    return told


def docs_page(folder: Path) -> Path:
    """The first page: what was expected of each table and whether it was so, with links into the Data Docs.

    The Data Docs have an index, too, but without the internet it is empty: it is drawn by scripts from the web.
    """
    return folder / "index.html"


def run_suite(name: str, records: Sequence[Record], folder: Path) -> list[Told]:
    """Run a suite on a table's records and renew the Data Docs; an empty table is as expected."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    import great_expectations as gx
    import pandas as pd

    rows, expectations = SUITES[name].rows(records), SUITES[name].expectations(gx.expectations)
    for former in (folder / "results" / name, folder / "data_docs" / "validations" / name):
        shutil.rmtree(former, ignore_errors=True)  # the latest result is the one that counts
    if not rows:
        _write_page(folder)
        return []
    context = _context(folder)
    suite = context.suites.add_or_update(gx.ExpectationSuite(name, expectations=expectations))
    batch = (
        context.data_sources.add_or_update_pandas("tables").add_dataframe_asset(name).add_batch_definition_whole_dataframe(name)
    )
    definition = context.validation_definitions.add_or_update(gx.ValidationDefinition(name=name, data=batch, suite=suite))
    checkpoint = gx.Checkpoint(
        name=name,
        validation_definitions=[definition],
        result_format={"result_format": "COMPLETE", "unexpected_index_column_names": ["name"], "partial_unexpected_count": 10},
    )
    outcome = context.checkpoints.add_or_update(checkpoint).run(
        batch_parameters={"dataframe": pd.DataFrame(rows)}, run_id=gx.RunIdentifier(run_name="latest")
    )
    context.build_data_docs()
    make_readable_offline(folder / "data_docs", docs_page(folder))
    (results,) = outcome.run_results.values()
    _write_page(folder)
    return [_told(result.to_json_dict(), len(rows)) for result in results.results]


def _context(folder: Path) -> Any:
    """A data context whose suites, results and Data Docs are files, and nothing else of it."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import DataContextConfig, InMemoryStoreBackendDefaults

    def files(name: str) -> dict[str, str]:
        return {"class_name": "TupleFilesystemStoreBackend", "base_directory": str((folder / name).absolute())}

    config = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        analytics_enabled=False,
        progress_bars={"globally": False},  # type: ignore[arg-type]
        data_docs_sites={
            "data_docs": {
                "class_name": "SiteBuilder",
                "show_how_to_buttons": False,
                "store_backend": files("data_docs"),
                "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
            }
        },
    )
    config.stores["expectations_store"]["store_backend"] = files("suites")
    config.stores["validation_results_store"]["store_backend"] = files("results")
    return gx.get_context(mode="ephemeral", project_config=config)


def _told(result: dict[str, Any], rows: int) -> Told:
    expectation, found = result["expectation_config"], result["result"]
    index = found.get("partial_unexpected_index_list") or []
    return Told(
        text=expectation.get("description") or expectation["type"],
        amiss=(expectation.get("meta") or {}).get("amiss", "are not so"),
        met=bool(result["success"]),
        critical=expectation.get("severity") in (None, "critical"),
        rows=found.get("element_count", rows),
        unexpected=found.get("unexpected_count", 0),
        examples=[html.unescape(str(row["name"])) for row in index[:3]],
    )


def _write_page(folder: Path) -> None:
    """Renew the first page from the latest results of every suite."""
    rows = []
    for file in sorted((folder / "results").rglob("*.json")):
        page = (folder / "data_docs" / "validations" / file.relative_to(folder / "results")).with_suffix(".html")
        name = file.relative_to(folder / "results").parts[0]
        rows.append(f'<tr><th colspan="3"><a href="{page.relative_to(folder).as_posix()}">{html_text(name)}</a></th></tr>')
        for result in json.loads(file.read_text(encoding="utf-8"))["results"]:
            told = _told(result, 0)
            state = "yes" if told.met else "<b>no</b>"
            count = "" if told.met and not told.unexpected else told.sentence
            rows.append(f"<tr><td>{html_text(told.text)}</td><td>{state}</td><td>{html_text(count)}</td></tr>")
    folder.mkdir(parents=True, exist_ok=True)
    docs_page(folder).write_text(_PAGE.replace("ROWS", "\n".join(rows)), encoding="utf-8")


_PAGE = """<!doctype html>
<meta charset="utf-8"><title>What the tables are expected to be</title>
<style>
body { font: 15px sans-serif; margin: 2em }
th, td { text-align: left; padding: 2px 1.5em 2px 0 }
th { padding-top: 1em }
</style>
<h1>What the tables are expected to be, and whether they are</h1>
<p>Each name leads to its page in the Data Docs.</p>
<table>
ROWS
</table>
"""


class _Pack(NamedTuple):
    rows: Callable[[Any], list[Row]]
    expectations: Pack


def _said(right: str, amiss: str) -> Row:
    """How an expectation is called, and what of some rows is said that are not as expected: `3 of 20 have no frame`."""
    return {"description": right, "meta": {"amiss": amiss}}


def _video_rows(videos: Sequence[Video]) -> list[Row]:
    splits_of: dict[str, set[str]] = defaultdict(set)
    for video in videos:
        splits_of[video.group or video.id].add(video.split)
    return [
        {
            "name": html_text(video.name),
            "id": video.id,
            "frames": video.frames,
            "fps": video.fps,
            "pixels": video.width * video.height,
            "duration_s": video.duration_s,
            "last_span_end_s": max((span.end_s for span in video.spans), default=0.0) - 1e-6,
            "crossed_spans": sum(a.end_s > b.start_s for a, b in zip(video.spans, video.spans[1:], strict=False)),
            "normal_spans": len(video.spans) if video.label in (None, "normal") else 0,
            "splits_of_group": len(splits_of[video.group or video.id] & {"train", "test"}),
        }
        for video in videos
    ]


def _video_expectations(e: Any) -> "list[Expectation]":
    return [
        e.ExpectColumnValuesToBeUnique(column="id", **_said("Every video is there once", "are there more than once")),
        e.ExpectColumnValuesToBeBetween(column="frames", min_value=1, **_said("A video has a frame", "have no frame")),
        e.ExpectColumnValuesToBeBetween(
            column="fps",
            min_value=0,
            strict_min=True,
            **_said("A video has a frame rate", "have no frame rate"),
        ),
        e.ExpectColumnValuesToBeBetween(column="pixels", min_value=1, **_said("A video has a size", "have no size")),
        e.ExpectColumnPairValuesAToBeGreaterThanB(
            column_A="duration_s",
            column_B="last_span_end_s",
            **_said("Anomalies lie inside their video", "have an anomaly that ends after them"),
        ),
        e.ExpectColumnValuesToBeBetween(
            column="crossed_spans",
            max_value=0,
            **_said("Anomalies are in order, apart", "have anomalies that overlap or are out of order"),
        ),
        e.ExpectColumnValuesToBeBetween(
            column="normal_spans",
            max_value=0,
            **_said("A normal video has no anomaly", "are called normal and have an anomaly"),
        ),
        e.ExpectColumnValuesToBeBetween(
            column="splits_of_group",
            max_value=1,
            severity="warning",
            **_said(
                "No source video is both trained on and tested on (`ingest.leakage` decides)",
                "come from a source video that is both trained on and tested on (`ingest.leakage` decides)",
            ),
        ),
    ]


def _clip_rows(clips: Sequence[Clip]) -> list[Row]:
    ends: dict[str, int] = {}
    rows: list[Row] = []
    for clip in clips:
        rows.append(
            {
                "name": html_text(clip.id),
                "id": clip.id,
                "frames": clip.end_frame - clip.start_frame,
                "seconds": clip.end_s - clip.start_s,
                "activity": clip.activity,
                "gap": abs(clip.start_frame - ends.get(clip.video_id, 0)),
                "foreign": int(not clip.id.startswith(clip.video_id)),
            }
        )
        ends[clip.video_id] = clip.end_frame
    return rows


def _clip_expectations(e: Any) -> "list[Expectation]":
    return [
        e.ExpectColumnValuesToBeUnique(column="id", **_said("Every clip is there once", "are there more than once")),
        e.ExpectColumnValuesToBeBetween(column="frames", min_value=1, **_said("A clip has a frame", "have no frame")),
        e.ExpectColumnValuesToBeBetween(column="seconds", min_value=0, strict_min=True, **_said("A clip lasts", "last no time")),
        e.ExpectColumnValuesToBeBetween(
            column="gap",
            max_value=0,
            **_said("Clips follow each other without gap or overlap", "leave a gap before them or overlap"),
        ),
        e.ExpectColumnValuesToBeBetween(
            column="foreign",
            max_value=0,
            **_said("A clip is named by its video", "are not named by their video"),
        ),
        e.ExpectColumnValuesToBeBetween(column="activity", min_value=0, **_said("A clip is scored", "have no score")),
    ]


def _caption_rows(captions: Sequence[Caption]) -> list[Row]:
    return [
        {
            "name": html_text(f"{caption.clip_id} by {caption.tool}"),
            "characters": len(caption.text.strip()),
            "seconds": caption.end_s - caption.start_s,
            "foreign": int(not caption.clip_id.startswith(caption.video_id)),
            "score": caption.score,
            "tool": html_text(caption.tool),
            "unprintable": int(unprintable(caption.text) is not None),
            "foreign_language": int(foreign_language(caption.text) is not None),
        }
        for caption in captions
    ]


def _caption_expectations(e: Any) -> "list[Expectation]":
    return [
        e.ExpectColumnValuesToBeBetween(
            column="characters",
            min_value=1,
            max_value=LONGEST,
            **_said("A caption says something", f"say nothing, or more than {LONGEST:,} characters"),
        ),
        e.ExpectColumnValuesToBeBetween(
            column="seconds", min_value=0, strict_min=True, **_said("A caption lasts", "last no time")
        ),
        e.ExpectColumnValuesToBeBetween(
            column="foreign",
            max_value=0,
            **_said("A caption is of a clip of its video", "are of no clip of their video"),
        ),
        e.ExpectColumnValuesToBeBetween(
            column="score",
            min_value=0,
            max_value=1,
            **_said("A score is between 0 and 1", "have a score that is not between 0 and 1"),
        ),
        e.ExpectColumnValueLengthsToBeBetween(column="tool", min_value=1, **_said("A caption names its tool", "name no tool")),
        e.ExpectColumnValuesToBeBetween(
            column="unprintable",
            max_value=0,
            severity="warning",
            **_said("A caption is plain writing", "hold markup or control characters"),
        ),
        e.ExpectColumnValuesToBeBetween(
            column="foreign_language",
            max_value=0,
            severity="warning",
            **_said("A caption is English", "are not in English"),
        ),
    ]


def _draft_rows(drafts: Sequence[JudgedDraft]) -> list[Row]:
    rows: list[Row] = []
    for draft in drafts:
        found = [finding.check for finding in draft.findings]
        counts = {check: found.count(check) for check in (*CHECKS, "review")}
        rows.append({"name": html_text(draft.video), "verdict": draft.verdict, "answers": len(draft.QA), **counts})
    return rows


def _draft_expectations(e: Any) -> "list[Expectation]":
    of_checks = [
        e.ExpectColumnValuesToBeBetween(
            column=check,
            max_value=0,
            severity="warning",
            **_said(f"{right[:1].upper()}{right[1:]}", AMISS.get(check, "have a reviewer against them")),
        )
        for check, right in (*CHECKS.items(), ("review", "no reviewer stands against it"))
    ]
    known = e.ExpectColumnValuesToBeInSet(
        column="verdict",
        value_set=["accepted", "needs_review", "rejected"],
        **_said("A draft has a verdict", "have no verdict"),
    )
    accepted = e.ExpectColumnValuesToBeInSet(
        column="verdict",
        value_set=["accepted"],
        mostly=0.5,
        severity="warning",
        **_said("Most drafts are accepted", "need review or are rejected"),
    )
    return [known, accepted, *of_checks]


def _question_rows(drafts: Sequence[JudgedDraft]) -> list[Row]:
    return [
        {"name": html_text(f"{draft.video} QA[{number}]"), "kind": _pool_kind(pair.q)}
        for draft in drafts
        for number, pair in enumerate(draft.QA)
    ]


def _pool_kind(question: str) -> str:
    """Its kind as the pool counts: a question that wants a yes or a no asks what there is."""
    kind = kind_of(question)
    return "what" if kind == "whether" else kind


def _question_expectations(e: Any) -> "list[Expectation]":
    kinds = [kind for kind in KINDS if kind != "whether"]
    even = {"values": kinds, "weights": [1 / len(kinds)] * len(kinds)}
    return [
        e.ExpectColumnKLDivergenceToBeLessThan(
            column="kind",
            partition_object=even,
            threshold=UNBALANCED,
            tail_weight_holdout=0.05,
            severity="warning",
            **_said(
                "Questions are spread evenly over what, who, where, when, how, how much and why",
                "their kinds are not spread evenly",
            ),
        )
    ]


SUITES: dict[str, _Pack] = {
    "videos": _Pack(_video_rows, _video_expectations),
    "clips": _Pack(_clip_rows, _clip_expectations),
    "clip_captions": _Pack(_caption_rows, _caption_expectations),
    "drafts": _Pack(_draft_rows, _draft_expectations),
    "questions": _Pack(_question_rows, _question_expectations),
}
"""Every suite by its name: what its frame holds, and what is expected of it."""
