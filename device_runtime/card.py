"""What a bundle holds and where it comes from, as a person reads it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from device_runtime import weights
from device_runtime.arithmetic import Factored, Model, Product
from device_runtime.bundle import Bundle
from device_runtime.manifest import MANIFEST
from device_runtime.tables import plain, table


def card(bundle: Bundle) -> str:
    """Labels, settings, files, and all that its makers wrote down."""
    return "\n".join(_lines(bundle))


def sizes(bundle: Bundle) -> dict[str, int]:
    """Bytes of each file in the folder."""
    return {MANIFEST: bundle.manifest_bytes, **{name: entry["bytes"] for name, entry in bundle.manifest.files.items()}}


def matrices(model: Model) -> list[dict[str, Any]]:
    """The int8 matrices: rows, columns, the rank where it is two factors, and the share of weights that are zero."""
    return [{"matrix": name, **_size(product)} for name, product in weights.matrices(model).items()]


def _size(product: Product) -> dict[str, Any]:
    values = np.concatenate([factor.weight.ravel() for factor in product.factors])
    rank = product.inner.rows if isinstance(product, Factored) else None
    zeros = round(100 * float(np.mean(values == 0)))
    return {"rows": product.rows, "columns": product.columns, "rank": rank, "weights": values.size, "zeros %": zeros}


def _lines(bundle: Bundle) -> Iterator[str]:
    manifest = bundle.manifest
    thresholds = manifest.decoder.get("thresholds", {})
    on_device = f"{bundle.device_bytes:,} bytes on a device (what tinyrnn pack writes)"
    yield f"{manifest.name}: {manifest.task}, bundle format {manifest.format}"
    yield f"{on_device}, {bundle.size_bytes:,} in the whole folder\n"
    yield table([{"label": label, "threshold": thresholds.get(label)} for label in manifest.labels])
    yield f"\nfront end: {plain(manifest.frontend)}"
    yield f"decoder: {plain({key: value for key, value in manifest.decoder.items() if key != 'thresholds'})}\n"
    yield table([{"file": name, "bytes": size} for name, size in sizes(bundle).items()])
    yield f"\n{table(matrices(bundle.model))}"
    tables = {key: value for key, value in manifest.card.items() if _is_table(value)}
    rest = {key: value for key, value in manifest.card.items() if key not in tables}
    if rest:
        yield "\n" + "\n".join(f"{key}: {plain(value)}" for key, value in rest.items())
    for key, rows in tables.items():
        yield f"\n{key}:\n{table(rows)}"


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) and row for row in value)
