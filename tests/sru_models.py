"""Models of simple recurrent units that are hard on an exact engine, as `streams` has them of GRUs."""

from __future__ import annotations

from factored_models import factored
from models import SRUS, tiny_model
from streams import scaled

SRU_MODELS = {
    "an SRU alone": tiny_model(51, (("sru", 24),), 40, 6),
    "sliding dense and SRU": tiny_model(52, (("dense", 16, 40, 20), ("sru", 96)), 200, 6),
    "two SRUs": tiny_model(53, SRUS),
    "an SRU after a GRU": tiny_model(54, (("gru", 12), ("sru", 17)), 18, 3),
    "a GRU after an SRU": tiny_model(55, (("sru", 17), ("gru", 12)), 18, 3),
    "one unit": tiny_model(56, (("sru", 1),), 1, 1),
    "a dense layer between SRUs": tiny_model(57, (("sru", 12), ("dense", 3, 4, 2), ("sru", 5)), 10, 2),
    "an SRU below a forecaster": tiny_model(58, (("sru", 9), ("gru", 12), ("decode", 4)), 10, 3, linear=(6, 8)),
    "a linear map beside an SRU": tiny_model(59, (("sru", 8),), 12, 3, linear=(12, 16)),
    "a pruned SRU": tiny_model(60, (("dense", 16, 40, 20), ("sru", 32)), 200, 6, sparsity=0.9),
}
SRU_MODELS |= {
    "SRUs at the ends of their tables": scaled(SRU_MODELS["two SRUs"], 40),
    "the largest products of SRUs": scaled(SRU_MODELS["two SRUs"], 1, weight=-127),
    "scales, biases and peepholes of zero": scaled(SRU_MODELS["two SRUs"], 0),
    "weights of zero in SRUs": scaled(SRU_MODELS["two SRUs"], 1, weight=0),
}

FACTORED_SRUS = {
    "an SRU of low rank": factored(SRU_MODELS["an SRU alone"], (7, 0)),
    "two SRUs of low rank": factored(SRU_MODELS["two SRUs"], (5, 9, 3, 2)),
    "SRUs of rank one": factored(SRU_MODELS["a dense layer between SRUs"], (1,)),
    "a GRU of low rank after an SRU of low rank": factored(SRU_MODELS["a GRU after an SRU"], (6, 4, 11, 0)),
    "the input alone of an SRU above a GRU": factored(SRU_MODELS["an SRU after a GRU"], (0, 0, 33, 0)),
}
