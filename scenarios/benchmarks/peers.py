"""The peers, in the order of the table. Each is a module with NAME, write(model, path) and load(path, hidden)."""

from scenarios.benchmarks import peer_litert, peer_onnx, peer_torch

PEERS = (peer_onnx, peer_litert, peer_torch)
BY_NAME = {peer.NAME: peer for peer in PEERS}
BASELINE = peer_onnx.NAME
"""What the ratios divide by."""
