"""Floor 5: how networks learn.

`synthesis` draws microscopy with its truth, `free_sets` reads pictures that may be learned from,
`episodes` turns both into tasks, `strokes` paints as a user would, `losses` says how wrong an
answer is, and `recipes` puts these together into a way of training.
"""
