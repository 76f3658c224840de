"""All tooltips of the dock, in one table."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

TIPS: Mapping[str, str] = MappingProxyType(
    {
        "image.layer": "The image to segment. Layers keep their scale, translate and units.",
        "image.axes": "What this dimension is: T time, C channel, Z depth, Y rows, X columns.\n"
        "Choosing a letter that another dimension has swaps the two.\n"
        "The choice is remembered with the layer.",
        "image.channel": "The channel that the network looks at.",
        "image.scale": "The physical size of a pixel, taken from the layer. Results carry it.",
        "image.adopt_scale": "Take axes and pixel size from the file: napari left them there.",
        "image.edit_scale": "Mend the physical size of a pixel in the layer.",
        "annotate.layer": "The labels layer that holds your paint for this image.",
        "annotate.new": "Add an empty labels layer on this image, with the brush in hand.\n"
        "A few strokes of every class are enough.",
        "annotate.class": "Click, or press the number key on the canvas, to paint with it.\n"
        "Double-click the name to change it.",
        "annotate.colour": "Change the colour of this class.",
        "annotate.add_class": "Add a class. Ids of the others stay what they are.",
        "annotate.count": "Painted pixels of this class on this slice, of those on all slices.",
        "annotate.grow": "A stroke of membrane moves onto the dark or bright line beside it.\n"
        "Undo brings the stroke back as it was drawn.",
        "annotate.hide": "Hide the paint, and show it again (key H on the annotation layer).",
        "annotate.copy": "Paint on the next slice what is painted on this one, where nothing is\n"
        "painted there, and go there.",
        "annotate.slices": "What is painted on which slice, and the way to the next one.",
        "annotate.slice": "Go to this slice.",
        "annotate.check": "Leave every stroke out in turn and see whether the others are answered\n"
        "better without it: finds what is painted with the wrong class.",
        "annotate.check_row": "Go there.",
        "annotate.convert": "Turn the cells of another program into paint: outlines become\n"
        "membrane, the inside interior. The cells stay as they are.",
        "annotate.undo": "Take back the last stroke, on whatever slice it is (Ctrl+Z).",
        "annotate.redo": "Do again what was taken back (Ctrl+Shift+Z).",
        "support.add": "Let the paint on another image leak into the answer for this one.",
        "support.image": "An image that is annotated already.",
        "support.labels": "Its annotation: the same shape, without channels.",
        "support.confirm": "Use this pair from the next answer on.",
        "support.remove": "Do not use this image any more.",
        "segment.model": "The network. “membrane” is ready to use: your paint is handed to it as\n"
        "examples, and nothing is trained.",
        "segment.browse": "Use a model from a file.",
        "segment.view": "Segment what is on screen: the visible field of this slice. Fast.",
        "segment.stack": "Segment all slices, and all times.",
        "segment.live": "Answer again after every stroke, and wherever you look: what is on\n"
        "screen first, then the rest of the slice. Other buttons go before it.",
        "segment.live_stack": "Then go on with all slices, and all times.",
        "segment.leak": "How much your paint may change what the network would say by itself:\n"
        "0 is not at all, 1 is all the way.",
        "segment.looks": "This model looks several times before it answers: show the membrane\n"
        "probability after each of its looks, as layers. Takes longer.",
        "segment.next": "Go to the place where one more stroke is expected to help most:\n"
        "where the network is in doubt, and much else looks alike that nothing is painted on.",
        "segment.why": "Then click a pixel: lists the paint that leaked into its answer.",
        "segment.why_row": "Go to this paint.",
        "segment.why_back": "Show the pixel that was asked about.",
        "overlay.labels": "Show the class of every pixel.",
        "overlay.membrane": "Show how likely every pixel is membrane.",
        "overlay.uncertainty": "Show where the network is in doubt: a good place to paint.",
        "overlay.cells": "Show the cells.",
        "spread.axis": "Along which labels spread: plane by plane, or time by time.",
        "spread.stop": "A frame whose confidence is lower is labelled, but labels do not spread\n"
        "on from it: the frames behind it wait until you paint there.",
        "spread.start": "Label the frames next to what you painted, then those next to these, and\n"
        "so on. After a correction only the frames that depend on it are labelled anew.",
        "spread.learn": "A copy of the model learns from what you painted, and from the frames\n"
        "that were labelled before, the nearest first. It takes half a minute or more.",
        "spread.keep": "Stop now; the frames that are labelled by then stay so.",
        "spread.plot": "Confidence of each frame. Click a point to go to its frame.",
        "spread.next": "Go to the frame on which paint is most needed.",
        "train.method": "How the model learns; a sentence about it stands below.",
        "train.minutes": "The time that it may take. It can be stopped before.",
        "train.init": "The weights that it starts from. From the shipped ones, where they fit the\n"
        "method, it takes far less paint and time than from nothing.",
        "train.start": "Train a model on all that is painted, here and on other images.\n"
        "Some of the paint is kept apart, to see how good the model is.",
        "train.add": "Let the painted class join the chosen model, which keeps the others.\n"
        "The model itself stays as it is: you can go back to it.",
        "train.back": "Use the model from before; both files stay.",
        "train.small": "Let the chosen model teach a small one, a quarter of its size, on this\n"
        "image. No paint is needed; what is painted is learned from, and both are judged by it.",
        "train.keep": "Stop now; what was learned becomes the model.",
        "cells.method": "Watershed floods from the middle of each cell and is fast.\n"
        "Multicut joins the pieces again where a membrane is only faint.",
        "cells.min_size": "Cells with fewer pixels than this are given to their neighbours.\n"
        "Automatic is 50 in slices, 250 in volumes.",
        "cells.make": "Turn the membranes into cells, each with a number of its own.",
        "correct.fold": "Split, merge and mend cells by strokes; every step can be taken back.",
        "correct.split": "Split a cell by a line across it (key S on the cells). The border moves\n"
        "onto a membrane beside the line, and goes on in the other slices of the cell.",
        "correct.split_by_seeds": "Split a cell by a stroke in each of its parts (key D).\n"
        "The border lies on the membrane between them, or where the cell is narrow.",
        "correct.merge": "Make one cell of all that a stroke touches (key M).",
        "correct.close_gap": "Close a gap in a membrane along the most likely way (key G).\n"
        "A cell that leaked through it is divided.",
        "correct.paint": "Paint a cell larger: a stroke belongs to the cell it begins in\n"
        "(key B). A stroke that begins between cells makes a new one.",
        "correct.erase": "Take paint away from cells (key E).",
        "correct.delete": "Remove whole cells (key X).",
        "correct.finish": "Mark a cell as finished, or as unfinished again (key F).\n"
        "It stays as it is, pixel for pixel, when cells are corrected or made again.",
        "correct.undo": "Take the last correction back, on whatever slice it was (Ctrl+Z on the\n"
        "cells). At least 50 steps.",
        "correct.redo": "Make it again (Ctrl+Shift+Z on the cells).",
        "correct.teach": "Paint what the corrections say into the annotation: borders as\n"
        "membrane, insides as interior, where nothing is painted yet. The next answer knows it.",
        "cells.outlines": "Show the outlines of the cells instead of filling them.",
        "table.fold": "Size, shape, place and brightness of every cell.",
        "table.measure": "Measure the cells as they are now.",
        "table.rows": "Click a row to go to its cell. Click a cell on its layer to find its row.\n"
        "Click a column to sort by it.",
        "table.save": "Save the table as a CSV file.",
        "shares.fold": "How much of this slice, and of all slices, each class takes.",
        "export.what": "What to write.",
        "export.format": "TIFF for Fiji opens in Fiji and ImageJ with axes, pixel size and\n"
        "colours; OME-TIFF in Bio-Formats, QuPath and others. PNG holds one slice.",
        "export.save": "Write to a file. Another ending that you type goes before the format:\n"
        ".ome.tif, .tif (Fiji), .ome.zarr, .png, .npy.",
        "export.command": "Copy the command lines that do the same without napari.",
        "export.python": "Copy a Python script that does the same.",
        "session.save": "Write paint, classes, settings, models and what was done to one file.\n"
        "Images stay where they are.",
        "session.open": "Bring back a session, to go on where it stopped.",
        "resume.go_on": "Bring back what was painted and chosen.",
        "resume.anew": "Leave it. It is put aside, not deleted.",
        "footer.cancel": "Stop. What is finished stays; nothing is half written.",
        "footer.close": "Close this message.",
        "header.leak": "“Leak” is meant kindly: your own annotations are handed to the network on\n"
        "purpose when it answers. No test data are involved.",
    }
)
