"""Floor 5: what an answer came from, what an annotation is worth, where the next one helps.

`why` names the annotated places that leaked into the answer for a pixel. `review` leaves each
stroke and each annotated plane out and says what that does to how the others are answered;
`strokes` finds the strokes. `doubtful` ranks the places where paint would change most.
`unknown` says what looks like nothing that is known.

All but the last look at what is read from the memory, so they need a segmenter that keeps one
(`segmenters.protocol.LooksUp`). They know planes and support sets; files and axes are for the
floors above.
"""
