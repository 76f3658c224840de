"""Floor 5: how networks learn.

From the user's annotations: `batches` cuts crops of them, `augment` varies the crops, `held_out`
keeps some of the annotations for validation, `loop` takes the steps, `checkpoints` keeps them, and
`recipes.supervised` puts these together. Before there was a user: `synthesis` draws microscopy with
its truth, `free_sets` reads pictures that may be learned from, `episodes` turns both into tasks,
`strokes` paints as a user would, and `recipes.pretrain` makes the shipped weights of them.
"""
