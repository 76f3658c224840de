"""Floor 3: what a user picks.

A segmenter is a network with all it needs to answer: weights, classes, configuration. It knows
tiles and support sets, but neither files nor stacks nor napari. Two verbs: `remember` makes a
memory of the annotated images, dear and once a version; `scores` answers tiles with it. `registry`
lists the methods and loads models by name; a new one is a file here and a line there.
"""
