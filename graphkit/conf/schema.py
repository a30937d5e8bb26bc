"""Every setting of a run but the models': its name, type, default and meaning. The models': `graphkit.conf.models`.

The dataclasses here and there are the single place where a setting is declared. Hydra composes them, `--list` prints them, the
override checker validates against them, and a model's settings are exactly the keyword arguments of its constructor.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from graphkit.conf.setting import count, own_file, setting, weight, width

# --------------------------------------------------------------------------------------------------------------- tasks


@dataclass
class LinkTask:
    """Link prediction: score pairs of nodes, held-out edges above non-edges."""

    name: str = "link"
    metric: str = setting(
        "auto", "validation metric that selects the epoch; auto: the data set's own where it can decide, else mrr"
    )
    protocol: str = setting(
        "auto",
        "how edges are held out and judged; auto: the data set's own, of own edges time where data.time_column is given, else "
        "random; ogb: OGB's; ncn: 70/10/20, hits@100; buddy: the same on the largest component, validation edges in the graph "
        "at test; random: by data.split; time: the latest edges; heart: 500 hard negatives per edge, mrr",
        choices=("auto", "ogb", "ncn", "buddy", "random", "time", "heart"),
    )
    target_link_removal: bool = setting(
        True, "leave a batch's own edges out of the message passing graph while training on them"
    )
    drop_last: bool = setting(True, "drop the last incomplete batch of positives of an epoch, as NCN's code does")
    reject_negatives: str = setting(
        "train",
        "known positives that sampled training negatives must avoid: train (NCN), all (also validation and test edges)",
        choices=("train", "all"),
    )
    num_negatives: int = count(1, "negatives per training edge, with a new draw in every epoch", low=1, high=10_000)
    micro_batch: int = setting(
        4096,
        "pairs scored at a time inside a training batch; the gradient is that of the whole batch; 0: all at once",
        low=0,
        high=10**9,
    )


@dataclass
class NodeTask:
    """Node classification: predict a class for every node from the labels of some."""

    name: str = "node"
    metric: str = setting(
        "auto", "validation metric that selects the epoch; auto: the data set's own if it can decide, else accuracy"
    )


@dataclass
class GraphTask:
    """Graphs: predict a class, labels or numbers for every graph of a collection."""

    name: str = "graph"
    metric: str = setting(
        "auto",
        "validation metric that selects the epoch; auto: the data set's own if it can decide, else accuracy, roc-auc or mae",
    )
    protocol: str = setting(
        "nested",
        "nested: a fold tests, the next one selects the epoch, seed s takes fold s; split: at random by data.split; gin and "
        "last10: published conventions of ten folds without validation, the best common epoch (SELECTED ON TEST) and the mean "
        "of the last ten epochs",
        choices=("nested", "split", "gin", "last10"),
    )
    target: str = setting(
        "all",
        "what is learned of several labels or numbers: all by one model, or the one of this name, as triangle of counting",
    )
    edge_features: bool = setting(True, "hand features of edges to models that read them")
    standardize: bool = setting(
        False, "numbers to predict: standardized by mean and deviation of the training graphs; metrics keep their unit"
    )


@dataclass
class ImageTask:
    """Images: predict a class or labels for every image."""

    name: str = "image"
    metric: str = setting(
        "auto", "validation metric that selects the epoch; auto: the data set's own if it can decide, else accuracy or roc-auc"
    )
    shift: int = count(0, "training images are moved by up to this many pixels, at random in every epoch", high=64)


@dataclass
class RecommendTask:
    """Recommendation: rank all items for every user, those taken next first.

    An epoch draws as many triples as there are training interactions, so a larger `train.batch_size` takes fewer steps: of
    Gowalla's 810,128 triples 396 steps at 2,048 and 99 at 8,192. That is faster and is another optimization, not the same one:
    each step averages over more triples and Adam takes fewer of them at the same `train.lr`. The published figures are of
    2,048 (8,192 on Amazon-Book, by the authors' choice); what other sizes do to the metrics has not been measured here.
    """

    name: str = "recommend"
    metric: str = setting(
        "auto",
        "validation metric that selects the epoch; auto: the data set's own if it can decide, else a smaller K, or ndcg",
    )
    protocol: str = setting(
        "validation",
        "validation: select on held-out training items; lightgcn: train on all of them and select on test, as its code does",
        choices=("validation", "lightgcn"),
    )
    sampler: str = setting(
        "user-uniform",
        "triples of an epoch: a uniform user, then one of the user's items (LightGCN's code), or every interaction once",
        choices=("user-uniform", "interaction-uniform"),
    )
    num_negatives: int = count(1, "negative items per triple, drawn from those the user has not taken", low=1, high=100_000)


# ------------------------------------------------------------------------------------------------------------- the run


@dataclass
class Data:
    """Where data lies, and own files. A task's row in the catalog says which of them it needs, reads and refuses."""

    root: str | None = setting(None, "data folder; default: $GRAPHKIT_DATA, else ~/.cache/graphkit", path=True)
    edges: str | None = own_file(
        "own edges: a table of any form, one edge per row, source and target; a graph file (*.graphml, *.gexf, *.gml, "
        "*.adjlist, *.mtx); or an OGB folder (with dataset=custom); task=graph: graph id before them"
    )
    features: str | None = own_file(
        "own node features: node id, then numbers, truth values, dates or categories; or a graph file (with dataset=custom); "
        "task=graph: graph id before them, numbers"
    )
    labels: str | None = own_file(
        "own node labels: node id, label; or a graph file, with data.label_column (with dataset=custom; required by task=node)"
    )
    graphs: str | None = own_file(
        "own graphs: CSV, graph id and label (with data.edges); a file *.jsonl, one graph per line; or a folder of *.graphml "
        "or *.g6 (with data.labels: graph, label) (with dataset=custom and task=graph)"
    )
    images: str | None = own_file(
        "own images, PNG or JPEG of one size: a folder with a subfolder per class, or a CSV of path and label (with "
        "dataset=custom; required by task=image)"
    )
    targets: str = setting(
        "auto",
        "what is predicted of own graphs or images: classes, labels (0 or 1 for each of several) or, of graphs, numbers; auto: "
        "as they look",
        choices=("auto", "classes", "labels", "numbers"),
        own=True,
    )
    directed: bool = setting(
        False,
        "keep the direction of own edges, source to target, and self-loops (with dataset=custom and task=node or task=graph)",
        own=True,
    )
    scale: str = setting(
        "auto",
        "standardize the columns of node features by the training nodes (task=link: all nodes); auto: of own features all but "
        "zeros and ones and bags of words, nothing of named data sets",
        choices=("auto", "standard", "none"),
    )
    embed: str = setting(
        "none",
        "features of nodes made of the graph alone, after those given: fastrp, random projections of its powers (task=link: of "
        "the training edges)",
        choices=("none", "fastrp"),
    )
    embed_channels: int = width(128, "how many of them, for data.embed=fastrp")
    interactions: str | None = own_file(
        "own interactions: user, item, perhaps rating and time, one per row (with dataset=custom; required by task=recommend)"
    )
    format: str = setting(
        "auto",
        "layout of own tables; auto recognizes them by content and name, a name settles what cannot be told",
        choices=("auto", "csv", "snap", "gephi", "neo4j", "linqs", "movielens", "recbole", "ogb"),
        own=True,
    )
    header: str = setting(
        "auto",
        "whether the first row of own tables is a header; auto: by its words, numbers below it, and what occurs again",
        choices=("auto", "true", "false"),
        own=True,
    )
    separator: str = setting(
        "auto",
        "what separates columns of own tables; auto: what gives every row as many",
        choices=("auto", "comma", "semicolon", "tab", "colons", "bar", "blanks"),
        own=True,
    )
    comments: str = setting(
        "auto",
        "whether lines at the top of own tables that begin with # or % are comments",
        choices=("auto", "true", "false"),
        own=True,
    )
    encoding: str = setting(
        "auto", "encoding of own tables, such as latin-1; auto: by their byte order mark, else UTF-8", own=True
    )
    source_column: str | None = setting(
        None, "header or number of the column of sources in data.edges; default: by name", own=True
    )
    target_column: str | None = setting(None, "header or number of the column of targets; default: by name", own=True)
    weight_column: str | None = setting(
        None, "header or number of the column of edge weights; default: weight, if there", own=True
    )
    node_column: str | None = setting(
        None,
        "header or number of the column of node ids in data.features and data.labels; default: by name, else the first",
        own=True,
    )
    label_column: str | None = setting(
        None, "header or number of the column of labels in data.labels; default: by name", own=True
    )
    categorical: str | None = setting(
        None, "columns of data.features that are categories, though they look like numbers: names with commas between", own=True
    )
    ignore: str | None = setting(None, "columns of data.features that are left out: names with commas between", own=True)
    user_column: str | None = setting(
        None, "header or number of the column of users in data.interactions; default: by name", own=True
    )
    item_column: str | None = setting(None, "header or number of the column of items; default: by name", own=True)
    rating_column: str | None = setting(
        None, "header or number of the column of ratings, read with data.min_rating; default: by name", own=True
    )
    min_rating: float | None = setting(
        None, "leave out interactions that are rated lower; default: all count", low=-1e15, high=1e15, own=True
    )
    time_column: str | None = setting(
        None,
        "header or number of the column of times, numbers or ISO dates, that split interactions or, with task=link, edges; "
        "default: a random split",
        own=True,
    )
    time_split: str | None = setting(
        None,
        "global: one date for all users ends training; user: each user's latest items are held out, and others' later "
        "interactions are in training; default: global",
        choices=("global", "user"),
        own=True,
    )
    split: list[float] = setting(
        [0.7, 0.1, 0.2], "shares of training, validation and test for own files and planted data", low=0.0, high=1.0
    )


@dataclass
class Train:
    """The training loop."""

    epochs: int = count(100, "passes over the training data; 0: evaluate only")
    batch_size: int = count(0, "training examples per step; 0: all")
    eval_batch_size: int = count(65536, "examples per block in evaluation; no effect on results", low=1)
    lr: float = weight(0.01, "learning rate (Adam)", search="tag(log,interval(1e-4,1e-1))")
    head_lr: float | None = weight(None, "learning rate of the head; default: lr")
    schedule: str = setting(
        "none",
        "how the learning rate falls: step (times decay every decay_every epochs), cosine (to 0 after the last epoch), plateau "
        "(times decay after more than decay_every evaluations without a better validation metric), none",
        choices=("none", "step", "cosine", "plateau"),
    )
    decay: float = setting(0.5, "factor of train.schedule=step and plateau", low=1e-6, high=0.999999)
    decay_every: int = count(50, "epochs of train.schedule=step, evaluations of plateau", low=1)
    weight_decay: float = weight(0.0, "L2 penalty of Adam", search="tag(log,interval(1e-6,1e-2))")
    clip_norm: float = weight(0.0, "clip the gradient's norm to this; 0: never")
    eval_every: int = count(1, "epochs between two evaluations", low=1)
    patience: int = count(0, "stop after this many evaluations without a better validation metric; 0: never")
    checkpoint_every: int = count(1, "epochs between two checkpoints; short epochs share one (at most one every 5 s)", low=1)


@dataclass
class Run:
    """A whole run: what is asked on the command line as key=value."""

    task: Any = None
    dataset: str = setting("digits", "data set; default: the task's own; --list datasets")
    model: Any = None
    transform: Any = None
    data: Data = field(default_factory=Data)
    train: Train = field(default_factory=Train)
    recipe: str = setting(
        "auto",
        "tuned settings: auto (used where they exist), none, or a file *.yaml, as a sweep writes it",
        choices=("auto", "none"),
        path=True,
    )
    seed: int = setting(0, "first seed", low=0, high=2**32 - 1)
    seeds: int = count(1, "number of seeds, from `seed` on", low=1, high=100_000)
    device: str = setting("auto", "where to compute", choices=("auto", "cpu", "cuda"))
    precision: str = setting("32-true", "Fabric's precision", choices=("32-true", "64-true", "bf16-mixed", "16-mixed"))
    deterministic: bool = setting(
        True, "refuse operations whose result depends on timing (GPU); the CPU repeats with equal threads"
    )
    threads: int = setting(0, "CPU threads; 0: all cores; another number may change the last digits", low=0, high=4096)
    out: str = setting("runs", "folder that receives the run's own folder", path=True)
    resume: str | None = setting(
        None,
        "run folder to continue; beside it only more train.epochs, and data.* where the same files lie elsewhere now",
        path=True,
    )
    progress: bool = setting(True, "progress bars on stderr (only on a terminal)")
    tensorboard: bool = setting(False, "write TensorBoard events beside metrics.csv")
    format: str = setting("text", "what stdout gets at the end", choices=("text", "json"))
