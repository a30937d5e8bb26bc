"""From a checked request to the separation table."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphkit.cli import tell
from graphkit.conf.expressiveness import Expressiveness
from graphkit.paths import expanded
from graphkit.separation.collection import Collection
from graphkit.separation.networks import NETWORKS, Network
from graphkit.separation.refinement import CLASSES
from graphkit.separation.sources import load_pairs
from graphkit.separation.table import SeparationTable, Verdicts
from graphkit.separation.trained import Results, Training
from graphkit.separation.verdicts import Flags, Untrained, ceiling, measure


def separation_table(request: Expressiveness) -> SeparationTable:
    """Answer a request.

    Raises:
        RequestError: Networks and bags do not go together, `only` names what there is not, or the bags do not fit in memory.
        DataError: Files of graphs are missing, damaged or malformed.
    """
    networks = {name: NETWORKS[name].on(name, request.policy, request.hops, request.length) for name in request.models}
    pairs = load_pairs(request.pairs, pairing=request.pairing, root=request.root, only=request.selected)
    collection = Collection(pairs)
    columns = [_network(name, network, collection, request) for name, network in networks.items()]
    for name in request.tests:
        columns.append(Verdicts(name, ceiling(CLASSES[name], collection)))
        _note(columns[-1], len(pairs))
    return SeparationTable(request.pairs, request.protocol if request.models else "color refinement", pairs, columns)


def _network(name: str, network: Network, collection: Collection, request: Expressiveness) -> Verdicts:
    test = network.ceiling
    facts: dict[str, Any] = {"policy": test.policy, "width": request.width, "layers": request.layers, "seed": request.seed}
    facts |= {key: value for key, value in (("hops", test.hops), ("length", test.length)) if value is not None}
    top = ceiling(test, collection)
    if request.protocol == "brec":
        column = _trained(name, network, collection, request, facts, top)
    else:
        how = Untrained(request.width, request.layers, request.draws, request.copies, request.factor, request.seed)
        found = measure(network, collection, how)
        facts |= {"draws": how.draws, "copies": how.copies, "factor": how.factor}
        numbers = {"difference": found.difference.tolist(), "control": found.control.tolist()}
        column = Verdicts(name, found.separated, top, facts, numbers)
    _note(column, len(collection.pairs))
    return column


def _trained(
    name: str, network: Network, collection: Collection, request: Expressiveness, facts: dict[str, Any], top: Flags
) -> Verdicts:
    how = Training(
        request.width,
        request.layers,
        request.relabelings,
        request.epochs,
        request.lr,
        request.weight_decay,
        request.batch_size,
        request.stop_loss,
    )
    assert request.out is not None  # the request was checked
    facts |= how.facts()
    kept = Results(expanded(request.out, "out"), {"model": name, **{key: facts[key] for key in facts if key != "seed"}})
    facts["seeds"] = request.seeds
    found = kept.complete(network, collection, how, range(request.seed, request.seed + request.seeds))
    separated = np.array([any(one["separated"] and one["reliable"] for one in runs) for runs in found])
    numbers = {
        "statistic": [max(one["statistic"] for one in runs) for runs in found],
        "unreliable": [sum(not one["reliable"] for one in runs) for runs in found],
    }
    return Verdicts(name, separated, top, facts, numbers)


def _note(column: Verdicts, pairs: int) -> None:
    tell(f"{column.name}: {int(column.separated.sum())} of {pairs} pairs")
