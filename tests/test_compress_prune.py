"""Pruning: whole blocks, the weakest first, as many as promised at the ramp's end, and zero for good."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

pytest.importorskip("torch", reason="compression needs torch")

import torch
from torch import nn

from compress.blocks import block_mask, worth_masks
from compress.prune import Prune, keep_zeros
from compress.quantize import Int8
from device_runtime.errors import InputError
from train.cells import Sru
from train.student import Student, StudentConfig

STEPS = 20


class Bench:
    """Trains by random pushes at every weight, which revives whatever no method holds at zero."""

    def __init__(self):
        self.calibration = torch.rand(4, 12, 200, generator=torch.Generator().manual_seed(0)) * 20
        self.calls = []
        self.seen = {}  # share done -> sparsity of the recurrent weights

    def tune(self, model, epochs, learning_rate, title, after_step=None, best_from=0.0, settings=""):
        self.calls.append(SimpleNamespace(epochs=epochs, learning_rate=learning_rate, title=title, best_from=best_from))
        generator = torch.Generator().manual_seed(1)
        for step in range(STEPS):
            with torch.no_grad():
                for weight in model.parameters():
                    weight += 0.01 * torch.randn(weight.shape, generator=generator)
            if after_step:
                after_step((step + 1) / STEPS)
            matrix = next(p for name, p in model.named_parameters() if name in RECURRENT)
            self.seen[(step + 1) / STEPS] = zeros(matrix)


RECURRENT = ("grus.0.weight_hh_l0", "gru_states.0.weight")


def zeros(weight):
    return float((weight == 0).double().mean())


def student():
    torch.manual_seed(0)
    return Student(StudentConfig(channels=8, projection=40, hidden=48), labels=60)


@pytest.mark.parametrize("shape", [(8, 8), (13, 7), (1, 5), (9, 1), (3, 2), (96, 101)])
@pytest.mark.parametrize("block", [(1, 1), (8, 2), (2, 3), (4, 4)])
def test_a_mask_zeroes_whole_blocks_and_no_more_than_asked(shape, block):
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(3))
    mask = block_mask(weight, block, 0.6)
    assert mask.shape == weight.shape
    assert set(mask.unique().tolist()) <= {0.0, 1.0}
    blocks = [
        mask[row : row + block[0], column : column + block[1]]
        for row in range(0, shape[0], block[0])
        for column in range(0, shape[1], block[1])
    ]
    assert all(len(part.unique()) == 1 for part in blocks)
    assert sum(not part.any() for part in blocks) == int(0.6 * len(blocks))


def test_the_weakest_blocks_go_first():
    weight = torch.tensor([[1.0, 1.0, 3.0, 3.0], [1.0, 1.0, 0.1, 0.1]])
    assert block_mask(weight, (1, 2), 0.25).tolist() == [[1, 1, 1, 1], [1, 1, 0, 0]]
    assert block_mask(weight, (2, 2), 0.5).tolist() == [[0, 0, 1, 1], [0, 0, 1, 1]]


def test_a_small_block_at_the_edge_competes_by_its_mean():
    weight = torch.tensor([[1.0, 1.0, 1.0, 1.0, 1.2]])
    assert block_mask(weight, (1, 4), 0.5).tolist() == [[0, 0, 0, 0, 1]]


def test_nothing_is_pruned_at_zero_sparsity():
    assert block_mask(torch.randn(9, 9), (8, 2), 0.0).all()


def test_sparsity_rises_along_the_ramp_and_is_reached_at_its_end():
    bench = Bench()
    Prune(sparsity=0.5, epochs=7, ramp=0.6).apply(student(), bench)
    sparsity = list(bench.seen.values())
    assert sparsity == sorted(sparsity)
    assert 0 < sparsity[0] < 0.12
    assert bench.seen[0.3] == pytest.approx(0.5 * (1 - 0.5**3), abs=0.01)
    assert bench.seen[0.6] == bench.seen[1.0] == pytest.approx(0.5, abs=0.01)


def test_the_training_is_told_how_long_and_from_when_epochs_count():
    bench = Bench()
    Prune(sparsity=0.5, epochs=7, ramp=0.3, learning_rate=1e-3).apply(student(), bench)
    assert vars(bench.calls[0]) == {"epochs": 7, "learning_rate": 1e-3, "title": "pruned", "best_from": 0.3}


def test_small_matrices_biases_and_the_head_stay_dense():
    pruned = Prune(sparsity=0.5, epochs=1).apply(student(), Bench())
    for name, parameter in pruned.named_parameters():
        big = parameter.ndim == 2 and parameter.numel() >= 2048
        if big and not name.startswith("head."):
            assert zeros(parameter) == pytest.approx(0.5, abs=0.01), name
        else:
            assert not zeros(parameter), name
    assert pruned.head.weight.numel() >= 2048, "the head is big enough to be pruned, but is not"
    assert pruned.dense[0].affine.weight.numel() < 2048


def test_pruned_blocks_stay_zero_through_quantization_aware_training():
    pruned = Prune(sparsity=0.5, epochs=1).apply(student(), Bench())
    int8 = Int8(epochs=1).apply(pruned, Bench())
    before = pruned.grus[0].weight_hh_l0 == 0
    assert torch.equal(int8.gru_states[0].weight == 0, before)
    quantized = torch.from_numpy(int8.model().layers[-1].state.weight)
    assert not quantized[before].any()
    assert float((quantized == 0).double().mean()) >= 0.5 - 0.01


@pytest.mark.parametrize("block", [(1, 1), (8, 1), (16, 1), (16, 4)])
def test_zeros_made_at_once_are_exact_and_stay_zero_through_training_and_int8(block):
    before, bench = student(), Bench()
    expected = block_mask(before.grus[0].weight_hh_l0, block, 0.7)
    pruned = Prune(sparsity=0.7, epochs=2, block=block, ramp=0).apply(before, bench)
    assert vars(bench.calls[0]) == {"epochs": 2, "learning_rate": 4e-3, "title": "pruned", "best_from": 0.0}
    assert torch.equal((pruned.grus[0].weight_hh_l0 != 0).float(), expected)
    int8 = Int8(epochs=1).apply(pruned, Bench())
    state = int8.model().layers[-1].state.weight
    assert not state[expected.numpy() == 0].any()
    assert float((state == 0).mean()) >= zeros(expected)
    for matrix, inside in (
        (pruned.grus[0].weight_ih_l0, int8.gru_inputs[0]),
        (pruned.dense[1].affine.weight, int8.dense[1]),
    ):
        assert torch.equal(inside.weight == 0, matrix == 0)
        assert zeros(matrix) == pytest.approx(0.7, abs=0.04)


@pytest.mark.parametrize("ramp", [0.0, 0.6])
def test_zeros_of_a_method_before_stay_zero(ramp):
    first = Prune(sparsity=0.6, epochs=0, ramp=0, block=(1, 1)).apply(student(), Bench())
    zeroed = first.grus[0].weight_hh_l0 == 0
    second = Prune(sparsity=0.2, epochs=1, ramp=ramp, block=(8, 1)).apply(first, Bench())
    assert not second.grus[0].weight_hh_l0[zeroed].any()


def test_without_ramp_and_epochs_nothing_is_trained():
    bench = Bench()
    pruned = Prune(sparsity=0.5, epochs=0, ramp=0).apply(student(), bench)
    assert not bench.calls
    assert torch.equal(pruned.grus[0].weight_hh_l0, once_masked(student().grus[0].weight_hh_l0))


def once_masked(weight):
    return weight * block_mask(weight, (8, 2), 0.5)


@pytest.mark.parametrize("ramp", [0.0, 0.5])
def test_each_gate_has_its_own_sparsity(ramp):
    prune = Prune(sparsity=0.4, epochs=1, block=(8, 1), ramp=ramp, gates=(0.0, 0.5, 0.75))
    pruned = prune.apply(student(), Bench())
    for matrix in pruned.grus[0].all_weights[0][:2]:
        assert [round(zeros(rows), 3) for rows in matrix.chunk(3)] == [0.0, 0.5, 0.75]
    assert zeros(pruned.dense[1].affine.weight) == pytest.approx(0.4, abs=0.01)


def test_gates_are_refused_where_there_are_none():
    srus = Student(StudentConfig(channels=6, projection=20, hidden=64, cell=Sru()), labels=5)
    with pytest.raises(InputError, match=r"gates \(0.0, 0.5, 0.75\), but this model has no matrix of a GRU with 2048"):
        Prune(sparsity=0.4, epochs=1, gates=(0.0, 0.5, 0.75)).apply(srus, Bench())


def test_in_the_model_s_scope_blocks_of_all_matrices_compete():
    strong, weak = torch.full((4, 4), 9.0), torch.arange(1.0, 17).view(4, 4) / 4
    masks = worth_masks([strong, weak], (1, 1), 0.25)
    assert bool(masks[0].all())
    assert masks[1].tolist() == [[0] * 4, [0] * 4, [1] * 4, [1] * 4]
    pruned = Prune(0.5, epochs=0, ramp=0, block=(8, 1), scope="model").apply(student(), Bench())
    matrices = [pruned.dense[1].affine.weight, *pruned.grus[0].all_weights[0][:2]]
    densities = [zeros(matrix) for matrix in matrices]
    assert max(densities) - min(densities) > 0.1
    assert sum(int((m == 0).sum()) for m in matrices) == pytest.approx(0.5 * sum(m.numel() for m in matrices), abs=8)


def test_in_the_model_s_scope_no_matrix_dies():
    strong, weak = torch.rand(20, 20) + 5, torch.rand(20, 20)
    masks = worth_masks([strong, weak], (1, 1), 0.5)
    assert [int(mask.sum()) for mask in masks] == [380, 20], "a tenth of the half that is kept overall"
    assert torch.equal(masks[1].bool(), weak >= weak.flatten().topk(20).values.min())
    assert [int(mask.sum()) for mask in worth_masks([strong[:1, :3], weak[:1, :3]], (1, 1), 0.99)] == [1, 1]


def test_only_matrices_with_zeros_are_held():
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    with torch.no_grad():
        model[1].weight[0, 0] = 0
        model[0].bias[0] = 0
    ((weight, mask),) = keep_zeros(model)
    assert weight is model[1].weight
    assert mask.tolist() == [[0, 1, 1], [1, 1, 1]]


@pytest.mark.parametrize(
    "wrong", [{"sparsity": 70}, {"sparsity": -0.1}, {"ramp": -0.1}, {"ramp": 1.5}, {"sparsity": 1.0}, {"block": (8, 0)}]
)
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(
        InputError,
        match=r"pruning got sparsity .* sparsity is a share from 0 to below 1, ramp one from 0 \(all at once\) to 1",
    ):
        Prune(**{"sparsity": 0.5, "epochs": 1, **wrong})


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"epochs": 0}, r"pruning got 0 epochs for a ramp of 0.6: blocks go while the student trains\. Give 1 epoch"),
        ({"scope": "layer"}, r"pruning got scope 'layer': blocks compete within each 'matrix' or in the 'model'"),
        (
            {"gates": (0.5, 0.5)},
            r"pruning got gates \(0.5, 0.5\): give three sparsities from 0 to below 1, for the rows",
        ),
        ({"gates": (0.5, 0.5, 1.0)}, r"pruning got gates \(0.5, 0.5, 1.0\): give three sparsities"),
        (
            {"gates": (0.5, 0.5, 0.6), "scope": "model"},
            r"and scope 'model', where blocks of all gates compete\. Choose",
        ),
    ],
)
def test_choices_that_make_no_sense_are_refused(wrong, message):
    with pytest.raises(InputError, match=message):
        Prune(**{"sparsity": 0.5, "epochs": 1, **wrong})
