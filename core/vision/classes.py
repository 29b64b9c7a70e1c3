"""What a model knows against what a camera looks for."""

from __future__ import annotations

from collections.abc import Sequence

from core.vision.model import EngineInfo

OTHER_CLASSES = (
    "Nothing is found here: the model {model} knows {known}, this camera looks for {wanted}. "
    "Choose other classes in the camera's settings, or let the site use another model (vision.model)."
)
_MAX_NAMED = 4


def other_classes(engine: EngineInfo, wanted: Sequence[str]) -> str:
    """Say that the model knows nothing of what the camera looks for; empty where it knows some of it."""
    if not wanted or set(wanted) & set(engine.labels):
        return ""
    known = engine.labels[:_MAX_NAMED]
    more = f" and {len(engine.labels) - _MAX_NAMED} more" if len(engine.labels) > _MAX_NAMED else ""
    return OTHER_CLASSES.format(model=engine.model_name, known=", ".join(known) + more, wanted=", ".join(wanted))
