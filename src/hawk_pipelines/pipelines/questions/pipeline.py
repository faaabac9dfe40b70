from kedro.pipeline import Pipeline, node

from hawk_pipelines.pipelines.questions.nodes import write_questions


def create_pipeline(**_: object) -> Pipeline:
    """The `questions` pipeline."""
    inputs = ["params:questions", "params:annotate", "params:validate", "llm_key"]
    outputs = ["question_pool", "question_candidates", "question_queue", "question_calls"]
    return Pipeline([node(write_questions, inputs=inputs, outputs=outputs, name="write_questions")])
