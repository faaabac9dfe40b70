from kedro.pipeline import Pipeline, node

from hawk_pipelines.pipelines.evaluate.nodes import (
    answer_as_baselines,
    answer_questions,
    ask_test_items,
    judge_answers,
    report_evaluation,
    score_answers,
)
from hawk_pipelines.pipelines.evaluate.when import encode_windows, sample_windows, score_windows


def create_pipeline(**_: object) -> Pipeline:
    """The `evaluate` pipeline."""
    return Pipeline(
        [
            node(
                ask_test_items,
                inputs=["test_samples", "annotations", "videos", "questions_to_answer"],
                outputs="asked",
                name="ask_test_items",
            ),
            node(
                answer_questions,
                inputs=[
                    "finetuned_model",
                    "asked",
                    "test_samples",
                    "features",
                    "feature_store",
                    "params:motion",
                    "params:encode",
                    "params:evaluate",
                ],
                outputs=["predictions", "answered_by"],
                name="answer_questions",
            ),
            node(
                answer_as_baselines,
                inputs=[
                    "asked",
                    "train_samples",
                    "annotations",
                    "frames",
                    "frame_store",
                    "features",
                    "feature_store",
                    "params:motion",
                    "params:encode",
                    "params:evaluate",
                ],
                outputs=["baseline_predictions", "baseline_notes"],
                name="answer_as_baselines",
            ),
            node(
                judge_answers,
                inputs=["predictions", "baseline_predictions", "params:evaluate", "llm_key"],
                outputs=["judgements", "judge_summary", "judge_calls"],
                name="judge_answers",
            ),
            node(
                score_answers,
                inputs=[
                    "asked",
                    "predictions",
                    "answered_by",
                    "baseline_predictions",
                    "baseline_notes",
                    "judgements",
                    "judge_summary",
                    "train_samples",
                    "slot_truths",
                ],
                outputs=["metrics", "scores", "score_differences"],
                name="score_answers",
            ),
            node(
                sample_windows,
                inputs=[
                    "asked",
                    "videos",
                    "params:when",
                    "params:motion",
                    "params:encode",
                    "params:engine",
                    "window_frame_store",
                ],
                outputs=["window_parts", "window_frames", "rejected_window_frames"],
                name="sample_windows",
            ),
            node(
                encode_windows,
                inputs=["window_frames", "window_frame_store", "params:encode", "params:engine", "window_feature_store"],
                outputs=["window_features", "rejected_window_features"],
                name="encode_windows",
            ),
            node(
                score_windows,
                inputs=[
                    "finetuned_model",
                    "videos",
                    "window_parts",
                    "window_frames",
                    "window_frame_store",
                    "window_features",
                    "window_feature_store",
                    "rejected_window_frames",
                    "rejected_window_features",
                    "params:when",
                    "params:motion",
                    "params:encode",
                    "params:seed",
                ],
                outputs=["window_scores", "anomaly_scores", "when"],
                name="score_windows",
            ),
            node(
                report_evaluation,
                inputs=[
                    "metrics",
                    "scores",
                    "score_differences",
                    "predictions",
                    "baseline_predictions",
                    "judgements",
                    "judge_summary",
                    "when",
                    "anomaly_scores",
                    "annotations",
                    "videos",
                    "frames",
                    "frame_store",
                    "params:encode",
                    "params:evaluate",
                ],
                outputs=["evaluation_page", "metrics_plot", "example_answers"],
                name="report_evaluation",
            ),
        ]
    )
