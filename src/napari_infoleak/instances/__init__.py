"""Floor 4: membranes to cells.

A map of membrane probability goes in, a number for every cell comes out.

``watershed``, ``multicut``
    The two methods, each with one function ``cells``. They differ only in how they judge borders.
``divide``
    The way they share: pieces, borders between them, cells; in one go or tile by tile.
``fragments``
    The map cut into small pieces that no cell border crosses.
``graph``
    Borders between pieces, and joining pieces over them.
``usual``
    From which probability on a border holds.
``stitch``, ``clean``
    Tiles put together by what they both saw; crumbs, holes and numbers tidied.
``division``, ``union``
    Corrections by hand: a cell divided, cells merged, given away, painted, kept when finished.
``pick``, ``curves``, ``changes``, ``lessons``
    What a stroke touches and where it runs, what a correction changed, what it teaches.
``measure``, ``outlines``
    A table of cells in the units of the image.
``link``
    Cells found again in the next frame; what was split and merged.
``engine``
    The costly steps, by bioimage-cpp where it is installed, else by scipy and scikit-image.
``membranes``
    Class ids taken as a map of membranes.

Arrays are (Y, X) or (Z, Y, X): frames of a time-lapse come one at a time. Each name is imported
from its own module, so that nothing is loaded that is not used.
"""
