"""What finished runs can be asked by `graphkit.predict`, task by task; the rows of the catalog name these."""

from __future__ import annotations

from graphkit.conf.entries import Question

_TABLES = (".csv", ".parquet")
_INDEXED = ("top", "seen", "index", "index_kind", "index_effort", "index_sample")

LINK = {
    "node": Question(
        "node=NAME",
        "the best new links of a node; several nodes: node=a,b,c, names with commas in double quotes",
        takes=("top", "seen", "edges"),
        each=True,
    ),
    "pairs": Question(
        "pairs=FILE",
        "scores of pairs: a table of two columns, source and target; out= writes them to a file",
        takes=("seen", "edges"),
        files=_TABLES,
        printed=True,
        each=True,
        table=True,
    ),
    "nodes": Question(
        "nodes=all out=FILE",
        "lists of many nodes, written to out=: all, or a text file with a node a line",
        takes=("top", "seen", "edges"),
        files=_TABLES,
    ),
}

NODE = {
    "nodes": Question(
        "nodes=all|A,B|FILE",
        "class and probabilities of nodes: all, names a,b,c, or a text file with a node a line; with features= also new, the "
        "nodes of that table; out= writes them to a file",
        takes=("edges", "features", "calibrate"),
        files=_TABLES,
        printed=True,
        each=True,
    ),
}

GRAPH = {
    "graphs": Question(
        "graphs=all|A,B|FILE",
        "classes, labels or numbers of graphs of the run: all, names a,b,c, or a text file with a graph a line; out= writes "
        "them to a file",
        takes=("calibrate",),
        files=_TABLES,
        printed=True,
        each=True,
    ),
    "new": Question(
        "new=FILE|FOLDER",
        "the same of new graphs, in the forms of data.graphs: a table (with edges=), JSON lines, or a folder of *.graphml or "
        "*.g6; labels are not needed; out= writes them to a file",
        takes=("edges", "features", "calibrate"),
        files=_TABLES,
        printed=True,
        table=True,
    ),
}

IMAGE = {
    "images": Question(
        "images=all|A,B|FILE",
        "class or labels of images of the run: all, names or numbers a,b,c, or a text file with an image a line; out= writes "
        "them to a file",
        takes=("calibrate",),
        files=_TABLES,
        printed=True,
        each=True,
    ),
}

RECOMMEND = {
    "user": Question(
        "user=NAME",
        "the best items for a user; several users: user=a,b,c, names with commas in double quotes",
        takes=_INDEXED,
        each=True,
    ),
    "items": Question(
        "items=A,B,C",
        "the best items for a new user known by these items, items=x,y,z; nothing is retrained",
        takes=_INDEXED,
    ),
    "users": Question(
        "users=all out=FILE",
        "lists of many users, written to out=: all, or a text file with a user a line",
        takes=_INDEXED,
        files=_TABLES,
    ),
    "export": Question(
        "export=embeddings out=FILE",
        "embeddings: those of all users and items with their names, written to out=",
        files=(".npz", ".parquet"),
        choices=("embeddings",),
    ),
}
