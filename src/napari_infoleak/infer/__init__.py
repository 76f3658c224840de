"""From a prepared segmenter and a stack to labels, probabilities and uncertainty.

The way of a plane through this floor::

    prepare        backends.py   a copy of the segmenter, ready for its device: batch norm folded
    answer         pipeline.py   the one call the floors above need
      read         planes.py     plane -> grey values of the whole plane normalised -> padded
      network      network.py    padded plane -> tiles -> scores -> probabilities of each box
        plan       tiles.py      which boxes are read and which are written
        blend      blend.py      weights for networks that have no finite view
        memory     budget.py     how large a tile may be, and whether an error meant "too large"
      write        outputs.py    boxes -> labels, probabilities, uncertainty
    stages         stages.py     the three run at a time, with bounded queues and one stop

Reading and writing have a thread each and the network stays in the caller's, where it is fastest.
Nothing here knows files, time lapse or napari. Importing this package imports no torch.
"""
