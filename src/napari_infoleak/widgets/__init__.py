"""Floor 7: the window. One napari dock, top to bottom the way the work goes.

`dock.InfoleakDock`
    The widget that napari opens: five panels above each other, one message line below.
`state.DockState`
    What the window knows: image, classes, annotation, answers. A plain evented dataclass that is
    handed to every panel; panels change it and listen to it, and never talk to each other.
`steps`
    Words for what cannot be done yet, and which button is the sensible next one.
`layers`, `annotation`, `results`
    What napari layers mean to the rest of the package, and the way back into layers.
`segmenting.Segmenting`
    The main job: from paint on screen to a request, and from its answer to layers.
`explaining.Explaining`
    Questions about the answer: why here, is all painted well, where to paint next.
`command`
    The command line that does the same without a window.
`worker.Worker`
    The only place that starts work. It hands a dotted name to the child process of
    `napari_infoleak.scale.executor` and polls it with a timer, so that the window never waits.
`jobs`, `questions`
    The functions that run in the child. They know neither Qt nor napari.
`panel_*`
    One section of the dock each, thin: widgets, and what a click means.
`reader`, `writer`, `samples`
    What napari's own menus call.

Importing this package imports neither Qt nor napari: the child process needs `jobs`
and `questions` alone.
"""
