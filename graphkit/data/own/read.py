"""Readers of the user's own files, as the catalog's row `custom` names them."""

from __future__ import annotations

import dataclasses

from graphkit.data.interactions import Interactions
from graphkit.data.own.interactions import split_taken
from graphkit.data.sources import DataRequest, GraphSource, GraphsSource, ImagesSource


def read_graph(request: DataRequest) -> GraphSource:
    """The user's own graph.

    Args:
        request: What was asked for, `data.edges` among it.

    Raises:
        DataError: If a file is missing or malformed.
        CheckpointError: If it is not the file that the run read.
    """
    own = request.own_files.graph(request.options)
    return GraphSource(
        own.data,
        own.nodes,
        edge_time=own.edge_time,
        node_names=own.names.nodes,
        class_names=own.names.classes,
        remarks=own.notes,
        notes=own.read,
        columns=own.columns,
    )


def read_interactions(request: DataRequest) -> Interactions:
    """The user's own interactions, split by the seed.

    Args:
        request: What was asked for, `data.interactions` among it.

    Raises:
        DataError: If the file is missing or malformed.
        CheckpointError: If it is not the file that the run read.
    """
    taken, columns = request.own_files.interactions(request.options)
    read, remarks, notes = split_taken(taken, columns, request.shares, request.generator)
    return dataclasses.replace(read, remarks=remarks, notes=notes)


def read_graphs(request: DataRequest) -> GraphsSource:
    """The user's own collection of graphs.

    Args:
        request: What was asked for, `data.graphs` among it.

    Raises:
        RequestError: If the other files do not go with the form of `data.graphs`.
        DataError: If a file is missing or malformed.
        CheckpointError: If it is not the file that the run read.
    """
    own = request.own_files.graphs(request.options)
    return GraphsSource(
        own.graphs,
        own.kind,
        graph_names=own.names,
        class_names=own.classes,
        target_names=own.targets,
        remarks=own.dropped,
        notes=own.notes,
        attributes=own.attributes,
    )


def read_images(request: DataRequest) -> ImagesSource:
    """The user's own images.

    Args:
        request: What was asked for, `data.images` among it.

    Raises:
        RequestError: If Pillow is not installed, or `data.targets` does not fit.
        DataError: If a file is missing or malformed.
        CheckpointError: If it is not the file that the run read.
    """
    own = request.own_files.images(request.options)
    return ImagesSource(
        own.pixels,
        own.y,
        own.kind,
        splits=own.splits,
        image_names=own.names,
        class_names=own.classes,
        target_names=own.targets,
        remarks=own.remarks,
    )
