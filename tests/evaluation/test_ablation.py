import numpy as np
import pytest

from hawk_pipelines.evaluation.ablation import compare_variants, plot, table
from hawk_pipelines.schema import Ablated, Sample, Truth

VIDEOS = [f"v{number:02}" for number in range(30)]
TRUTHS = [
    Truth(video_id=video, slots={"normal": "unusual", "actor": ("a dog", "a cat")[at % 2], "action": "runs"})
    for at, video in enumerate(VIDEOS)
]
TRAINING = [Sample(item_id="t", task="description", question="", answer="a dog runs near the gate", motion_text="")]


def _answers(variant, seed, right):
    """Descriptions of which that share of the videos is right."""
    rng = np.random.default_rng(seed)
    for at, video in enumerate(VIDEOS):
        reference = f"something unusual happens: {('a dog', 'a cat')[at % 2]} runs near the gate"
        known = {"item_id": video, "video": video, "task": "description", "kind": "description", "question": "What?"}
        said = reference if rng.random() < right else "something unusual happens: a horse sleeps"
        yield Ablated(**known, source="made", normal=False, reference=reference, model=variant, answer=said, seed=seed)


def _rows(*answers):
    rows = compare_variants([one for few in answers for one in few], TRAINING, TRUTHS, "full")
    return {(row.variant, row.metric): row for row in rows}, rows


def test_a_variant_that_sees_less_is_below_the_reference_by_an_interval_without_zero():
    known, rows = _rows(*(_answers(name, seed, right) for seed in (1, 2) for name, right in (("full", 0.95), ("blind", 0.3))))
    actor = known["blind", "slot_actor"]
    assert actor.seeds == actor.compared_seeds == 2
    assert (actor.items, actor.compared_items, actor.videos) == (60, 60, 30)
    assert actor.high < 0
    assert actor.low <= actor.difference <= actor.high
    assert actor.p < 0.01
    assert actor.difference == pytest.approx(actor.value - known["full", "slot_actor"].value)
    assert known["full", "slot_actor"].difference is None
    shown = table(rows, "full", {"full": 2, "blind": 2})
    assert f"{actor.value:.3f} ({actor.difference:+.3f}: {actor.low:+.3f} … {actor.high:+.3f})" in shown
    assert "| description, slot_actor (n = 30) |" in shown


def test_a_variant_that_is_no_other_differs_by_nothing():
    known, _ = _rows(*(_answers(name, seed, 0.5) for seed in (1, 2) for name in ("full", "same")))
    same = known["same", "bleu_4"]
    assert (same.difference, same.low, same.high, same.p) == (0, 0, 0, 1)


def test_only_seeds_that_both_have_are_compared():
    known, rows = _rows(_answers("full", 1, 0.9), _answers("blind", 1, 0.3), _answers("blind", 2, 0.3), _answers("alone", 3, 0.3))
    blind = known["blind", "bleu_4"]
    assert (blind.seeds, blind.compared_seeds, blind.items, blind.compared_items) == (2, 1, 60, 30)
    assert known["alone", "bleu_4"].difference is None
    shown = table(rows, "full", {"full": 2, "blind": 2, "alone": 1, "gone": 2})
    assert "| full | 1 of 2 |" in shown
    assert f"{blind.value:.3f} ({blind.difference:+.3f} with the 1 seed(s) of both)" in shown
    assert "| alone | 1 |" in shown
    assert "| gone | 0 of 2 | – | –" in shown


def test_a_difference_of_one_seed_has_no_interval_and_the_table_says_why():
    seeds = {"full": (1, 2), "blind": (1, 2), "once": (1,), "late": (2, 3)}
    _, rows = _rows(*(_answers(name, seed, 0.3 + 0.6 * (name == "full")) for name, some in seeds.items() for seed in some))
    alone = [row for row in rows if row.variant in ("once", "late")]
    assert all((row.compared_seeds, row.low, row.high, row.p) == (1, None, None, None) for row in alone)
    assert all(row.difference is not None for row in alone)
    assert all(row.low <= row.high for row in rows if row.variant == "blind")
    above, _, under = table(rows, "full", {name: len(some) for name, some in seeds.items()}).rpartition("\n\n")
    assert under.startswith("The differences of `once`, `late` are of one seed, so they have no interval")
    assert "run more seeds (`ablate.seeds`)" in under
    assert [("…" in line) for line in above.splitlines()[-3:]] == [True, False, False]
    both = [row for row in rows if row.variant in ("full", "blind")]
    assert "one seed" not in table(both, "full", {"full": 2, "blind": 2})


def test_where_all_is_of_one_seed_nothing_speaks_of_intervals():
    _, rows = _rows(_answers("full", 1, 0.95), _answers("blind", 1, 0.3))
    shown = table(rows, "full", {"full": 1, "blind": 1})
    assert "95 %" not in shown
    assert "of one seed, so they have no interval" in shown
    picture = plot(rows, "full")
    assert picture.get_supxlabel() == "difference to full, of one seed: no effect can be told from chance"
    assert not [bar for panel in picture.axes for container in panel.containers if container.has_xerr for bar in [container]]


def test_the_plot_has_a_panel_for_every_headline_and_a_line_for_every_variant():
    _, rows = _rows(*(_answers(name, 1, 0.5) for name in ("full", "one", "two")))
    panels = [panel for panel in plot(rows, "full").axes if panel.axison]
    slots = [f"description, slot_{slot}" for slot in ("actor", "action", "normal")]
    assert [panel.get_title() for panel in panels] == ["description, bleu_4", "description, rouge_l", *slots]  # and no empty one
    assert [label.get_text() for label in panels[0].get_yticklabels()] == ["one", "two"]
    assert all(len(panel.containers) == 2 for panel in panels)


def test_without_the_reference_nothing_is_compared_and_a_picture_is_made():
    _, rows = _rows(_answers("one", 1, 0.5))
    assert all(row.difference is None for row in rows)
    assert plot(rows, "full").axes
    assert "`full` came to nothing, so that there is nothing to compare with." in table(rows, "full", {"full": 1, "one": 1})
