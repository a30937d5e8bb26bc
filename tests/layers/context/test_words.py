"""The template, and what a rewriting callable is handed."""

from dataclasses import fields

from graphkit.layers import ContextReading
from graphkit.layers.context.words import in_words

READINGS = (
    ContextReading("degree", 7.0, "neighbors", 91.26, 0.3051),
    ContextReading("clustering", 0.25, "of pairs", 50.0, -0.2),
    ContextReading("core number", 3.0, "neighbors", 40.0, 0.0),
    ContextReading("pagerank", 1.5, "of average", 80.0, 0.01),
    ContextReading("neighbor similarity", 0.5, "cosine", 30.0, 0.11),
    ContextReading("label agreement", None, "of labels", None, 0.2),
)


def test_the_template_is_deterministic_and_names_the_strongest():
    expected = (
        "Against an average training node, its contexts raise the score of cats by 0.43 in all; "
        "for it: degree 7 neighbors, above 91 % of training nodes (+0.31), label agreement unknown (+0.2); "
        "against it: clustering 0.25 of pairs, above 50 % of training nodes (-0.2). Unknown: label agreement."
    )
    assert in_words(READINGS, "cats") == in_words(READINGS[::-1], "cats") == expected


def test_one_direction_alone_and_no_effect():
    against = (ContextReading("degree", 7.0, "neighbors", 91.0, -0.3),)
    assert in_words(against, "dogs") == (
        "Against an average training node, its contexts lower the score of dogs by 0.3 in all; "
        "against it: degree 7 neighbors, above 91 % of training nodes (-0.3)."
    )
    quiet = (ContextReading("degree", 7.0, "neighbors", 91.0, 0.0),)
    assert in_words(quiet, "dogs") == "The contexts of this node do not move the score of dogs."


def test_a_rewrite_is_handed_facts_and_nothing_else():
    handed = []

    def rewrite(facts):
        handed.append(facts)
        return "other words"

    assert in_words(READINGS, "cats", rewrite) == "other words"
    (facts,) = handed
    assert facts.keys() == {"prediction", "contexts", "text"}
    assert facts["prediction"] == "cats" and facts["text"] == in_words(READINGS, "cats")
    names = {field.name for field in fields(ContextReading)}
    assert all(context.keys() == names for context in facts["contexts"])
    assert names == {"name", "value", "unit", "percentile", "effect"}  # no label is among them
