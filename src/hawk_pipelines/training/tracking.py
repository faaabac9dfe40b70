"""How settings are written to MLflow."""

from collections.abc import Mapping

from pydantic import BaseModel


def flat(settings: object, prefix: str = "") -> dict[str, object]:
    """Nested settings as one level of dotted names: `{"finetune": {"steps": 3}}` → `{"finetune.steps": 3}`."""
    if isinstance(settings, BaseModel):
        settings = settings.model_dump(mode="json")
    if not isinstance(settings, Mapping):
        return {prefix: settings}
    result: dict[str, object] = {}
    for name, value in settings.items():
        result |= flat(value, f"{prefix}.{name}" if prefix else str(name))
    return result
