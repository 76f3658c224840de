"""Floor 5: labels that leak from annotated frames along a stack, frame by frame.

`order` says which frame has its turn when, and which annotated frames it looks at. `walk` goes: it
answers a frame with what is annotated (`support`), says how far the answer can be trusted
(`confidence`), and stops where that is too little. What is known of a frame then (`frame`) holds a
hash of all that its answer depends on, so that after a correction only those are answered anew that
depend on it.

Frames are the planes of a z-stack or the times of a movie. Files and axes are for the floors above.
"""
