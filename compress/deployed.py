"""Which students a bundle can hold."""

from __future__ import annotations

from device_runtime.errors import InputError


def refuse_other_cells(model: object) -> None:
    """InputError for a student (or its config) whose cell no engine runs; what has no choice of cells has GRUs."""
    cell = getattr(model, "cell", None)
    if cell is not None and not cell.deployed:
        raise InputError(
            f"a student with cells of {cell.name} is trained and compared, but only gru and sru are deployed: it "
            "cannot be compressed for a bundle. Leave `cell` out of its StudentConfig."
        )
