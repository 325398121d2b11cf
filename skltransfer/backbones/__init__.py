"""Networks and their weights as values."""

from skltransfer.backbones._backbone import Backbone
from skltransfer.backbones._registry import list_backbones, load_backbone, register_backbone

__all__ = ["Backbone", "list_backbones", "load_backbone", "register_backbone"]
