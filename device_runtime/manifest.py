"""The manifest of a bundle: what a device must know besides the weights, as JSON that a person can read.

Everything is checked on the way in, so that the rest of the runtime may trust each field.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from device_runtime.errors import BundleError
from device_runtime.fields import Fields
from device_runtime.products import MAX_COLUMNS, MAX_GAIN
from device_runtime.settings import MAX_FEATURES, check_decoder, check_frontend

FORMAT = 2
"""The second has one array in model.npz (`squeeze`), the first has each of them; both are read."""

MANIFEST = "manifest.json"
MAX_MANIFEST_BYTES = 2**20
MAX_FILE_BYTES = 64 * 2**20
"""Of one file beside the manifest, as it lies on disk."""

TASKS = ("keyword_spotting", "forecasting", "anomaly", "remaining_life")

_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Labels, front end, decoder and the model's structure; JSON keys equal the field names.

    >>> Manifest(name="demo", task="keyword_spotting", labels=("yes", "no"), frontend={}, decoder={}).format
    2
    """

    format: int = FORMAT
    name: str
    task: str
    labels: tuple[str, ...]
    """In the order of the scores."""

    frontend: dict[str, Any]
    """`kind` and the settings that make features: {"kind": "speech", "sample_rate_hz": 16000, ...}."""

    decoder: dict[str, Any]
    """`kind` and the settings that turn scores into events; a label without a threshold never fires."""

    model: dict[str, Any] = field(default_factory=dict)
    """The model without its arrays; `bundle.write` fills it in from the model."""

    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    """`sha256` and `bytes` of every file but the manifest; `bundle.write` fills it in."""

    card: dict[str, Any] = field(default_factory=dict)
    """Where it comes from: data and licences, metrics of each stage, seeds, commit.

    A person reads it; the runtime reads `noises_heard` alone.
    """

    @property
    def noises_heard(self) -> list[str]:
        """From the card: names of the recordings of noise that training has heard; an evaluation leaves them out."""
        heard = self.card.get("noises_heard", [])
        if not isinstance(heard, list) or not all(isinstance(name, str) for name in heard):
            raise BundleError(
                f"the card of {self.name} must have a list of names as noises_heard. Get the bundle again"
            )
        return heard

    def as_dict(self) -> dict[str, Any]:
        """The manifest as plain JSON values."""
        return {**asdict(self), "labels": list(self.labels)}

    def for_device(self) -> Manifest:
        """With no more of the card than says what it is and whose: title, data with their licences, commit."""
        kept = {key: value for key, value in self.card.items() if key in ("title", "commit")}
        if isinstance(data := self.card.get("data"), list):
            rows = [row for row in data if isinstance(row, dict)]
            kept["data"] = [{key: row[key] for key in ("name", "licence") if key in row} for row in rows]
        return replace(self, card=kept)

    @classmethod
    def from_dict(cls, values: Any, where: str = MANIFEST) -> Manifest:
        """Check every field; `where` is the manifest's path, for messages."""
        fields = Fields(where, "", values)
        fmt = fields.integer("format", 1, 2**31)
        if fmt > FORMAT:
            raise BundleError(
                f"{where} uses bundle format {fmt}, but this runtime reads formats up to {FORMAT}. "
                "Upgrade with: pip install -U tinyrnn-runtime"
            )
        labels = tuple(fields.texts("labels"))
        for label in labels:
            if labels.count(label) > 1:
                raise BundleError(f"{where}: labels must differ from one another, got {label!r} twice")
        frame_s = check_frontend(fields.object("frontend"))
        check_decoder(fields.object("decoder"), fields.object("frontend"), labels, frame_s)
        _check_model(fields.object("model"))
        _check_files(fields.object("files"))
        for section in ("frontend", "decoder", "model", "files", "card"):
            fields.object(section).check_depth_and_texts()
        return cls(
            format=fmt,
            name=fields.text("name"),
            task=fields.choice("task", TASKS),
            labels=labels,
            frontend=values["frontend"],
            decoder=values["decoder"],
            model=values["model"],
            files=values["files"],
            card=dict(fields.object("card").values),
        )


def to_json(manifest: Manifest, compact: bool = False) -> bytes:
    """The content of manifest.json, for a person to read or as short as it can be."""
    layout: dict[str, Any] = {"separators": (",", ":")} if compact else {"indent": 2}
    try:
        text = json.dumps(manifest.as_dict(), ensure_ascii=False, allow_nan=False, **layout)
        return f"{text}\n".encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise BundleError(f"the manifest of {manifest.name} cannot be stored as JSON: {error}") from error


def from_json(data: bytes, where: str) -> Manifest:
    """Read the bytes of manifest.json; `where` is its path, for messages."""
    try:
        values = json.loads(data, parse_constant=_refuse_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{where} is not JSON ({' '.join(str(error).split())[:100]}). Get the bundle again") from None
    return Manifest.from_dict(values, where)


def _finite(number: str) -> float:
    if not math.isfinite(value := float(number)):
        raise ValueError(f"{number[:20]} is too large a number")
    return value


def _refuse_constant(constant: str) -> None:
    raise ValueError(f"{constant} is not a JSON number")


def _check_model(model: Fields) -> None:
    model.integer("feature_size", 1, MAX_FEATURES)
    model.number("input_gain", 1 / MAX_GAIN, MAX_GAIN)
    for layer in model.objects("layers"):
        if layer.choice("kind", ("dense", "gru", "sru", "decode")) == "dense":
            layer.integer("hop", 1, MAX_FEATURES)
            layer.number("output_gain", 1 / MAX_GAIN, MAX_GAIN)
    if "linear" in model.values:
        linear = model.object("linear")
        linear.integer("width", 1, MAX_FEATURES)
        linear.integer("frames", 1, MAX_COLUMNS)


def _check_files(files: Fields) -> None:
    for name in files.values:
        if not _FILE_NAME.fullmatch(name) or name == MANIFEST:
            raise BundleError(
                f"{files.where}: files names {name!r}; expected plain names such as model.npz, without folders"
            )
        entry = files.object(name)
        entry.integer("bytes", 0, MAX_FILE_BYTES)
        if not _SHA256.fullmatch(entry.text("sha256")):
            raise BundleError(f"{files.where}: the sha256 of {name} must be 64 hexadecimal digits")
