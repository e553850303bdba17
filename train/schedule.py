"""How long, how fast and in what numbers to train: what a scenario says of each of its trainings."""

from __future__ import annotations

from dataclasses import dataclass, fields

from device_runtime.errors import InputError
from train.optimizers import AdamW, Optimizer
from train.precision import Products

PLAIN = AdamW()

LATER = "float16", "optimizer"
"""Fields that the first checkpoints did not know: told only where they are not the default.

A training is known by what its schedule tells, so a checkpoint from before such a field is still that of its training.
"""


@dataclass(frozen=True, repr=False)
class Schedule:
    """How long and how fast to train: AdamW, linear warm-up, cosine to zero, clipped gradients.

    >>> Schedule(epochs=3)
    Schedule(epochs=3, learning_rate=0.008, weight_decay=0.02, ..., validate_every=1, bfloat16=False)
    """

    epochs: int
    learning_rate: float = 8e-3
    weight_decay: float = 0.02
    warm_up: float = 0.05
    """Share of all steps over which the learning rate rises."""

    clip_norm: float = 1.0
    patience: int = 0
    """Stop after so many epochs without a better validation value; 0 never stops early."""

    validate_every: int = 1
    """Epochs between validations; the last epoch is always validated."""

    bfloat16: bool = False
    """Multiply in bfloat16 where the machine does so in hardware: a large teacher trains 1.7 times as fast."""

    float16: bool = False
    """Multiply in float16 where the machine does so in hardware, with a loss scale: finer than bfloat16."""

    optimizer: Optimizer = PLAIN

    def __post_init__(self) -> None:
        if self.bfloat16 and self.float16:
            raise InputError("a training multiplies in bfloat16 or in float16, not in both. Leave one of them out.")

    def __repr__(self) -> str:
        return f"Schedule({', '.join(f'{name}={getattr(self, name)!r}' for name in self.told())})"

    def told(self) -> dict[str, int | float | str]:
        """What a training is known by: every field, but those of `LATER` only where they are not the default."""
        values = ((field, getattr(self, field.name)) for field in fields(self))
        kept = {field.name: value for field, value in values if field.name not in LATER or value != field.default}
        return {name: value if isinstance(value, int | float) else repr(value) for name, value in kept.items()}

    def products(self) -> Products:
        """In what numbers one training multiplies."""
        return Products.wanted(self.bfloat16, self.float16)
