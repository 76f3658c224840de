"""Feedback attention: the second look reads what the first found, see `nets.feedback_attention`."""

from __future__ import annotations

from napari_infoleak.nets.feedback_attention import FeedbackAttentionUNet
from napari_infoleak.segmenters.rounds import RoundsSegmenter


class FeedbackAttentionSegmenter(RoundsSegmenter):
    """A U-Net whose second look reads the last map of the first."""

    method = "feedback-attention"
    network = FeedbackAttentionUNet
