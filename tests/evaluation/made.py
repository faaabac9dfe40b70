"""Answers to score."""

from hawk_pipelines.schema import DESCRIBE, Asked, Prediction


def asked(item_id, question=DESCRIBE, reference="A man runs.", *, kind="what", source="s", video=None, normal=False):
    task = "description" if question == DESCRIBE else "question"
    known = {"item_id": item_id, "task": task, "question": question, "reference": reference, "source": source, "normal": normal}
    return Asked(**known, kind="description" if task == "description" else kind, video=video or item_id)


def said(item_id, answer, question=DESCRIBE, reference="A man runs.", model="hawk", **known):
    return Prediction(**asked(item_id, question, reference, **known).model_dump(), model=model, answer=answer)
