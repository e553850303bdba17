"""What else one could run: simple forecasters and detectors that stand in every table beside ours, on the same windows.

They run on a workstation and are no part of a bundle. `make bench` times other programs; these are about being right.
"""
