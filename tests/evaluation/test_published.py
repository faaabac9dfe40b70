from hawk_pipelines.evaluation.published import METRICS, PUBLISHED
from hawk_pipelines.evaluation.scores import score
from tests.evaluation.made import said


def test_the_table_is_whole_and_marked_as_published():
    assert len(PUBLISHED) == len({(row.model, row.task) for row in PUBLISHED}) == 18
    assert all(tuple(row.values) == METRICS and row.source.startswith("published") for row in PUBLISHED)
    assert all(0 < value < 1 for row in PUBLISHED for value in row.values.values())


def test_columns_are_named_as_our_own_figures():
    """So that they stand in one column of a table."""
    ours = score(
        [said("a", "A man.")],
        [],
        judged={("a", "description", said("a", "").question): dict.fromkeys(("reasonability", "detail", "consistency"), 0.5)},
    )
    assert set(METRICS) <= {one.metric for one in ours.scores}


def test_what_the_paper_claims_is_what_stands_in_it():
    """Every ablation is below the whole model or level with it; BLEU falls with its order."""
    rows = {(row.model, row.task): row.values for row in PUBLISHED}
    for task in ("description", "question"):
        whole = rows["HAWK", task]
        for (model, of), values in rows.items():
            if of == task:
                assert all(values[metric] <= whole[metric] for metric in METRICS), model
                assert values["bleu_1"] > values["bleu_2"] > values["bleu_3"] > values["bleu_4"]
