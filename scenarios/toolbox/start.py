"""The toolbox's student as the start of a search, so that what is found competes with its single methods.

tinyrnn search scenarios/toolbox/start.py --quick --trials 24 --board pi-zero-2w --budget size_kb=60
python -m scenarios.toolbox arabic_commands --recipe runs/arabic_commands_toolbox.search/*/front/candidate_7.py
"""

from __future__ import annotations

from dataclasses import replace

from scenarios.toolbox.speech import BASE, composed

SCENARIO = replace(
    BASE,
    name="arabic_commands_toolbox",
    title="Forty Arabic commands, as the toolbox trains them",
    compress=composed()["single weights, powers of two"],
)
