"""How well a pretrained network suits new data, before anything is trained on them.

Measures take arrays, and a higher one is better. `rank_backbones` cross-validates what is wanted itself.
"""

from skltransfer.transferability._ranking import rank_backbones
from skltransfer.transferability._separation import h_score, k_nn, log_me, trans_rate
from skltransfer.transferability._source_classes import leep, n_leep, nce

__all__ = ["h_score", "k_nn", "leep", "log_me", "n_leep", "nce", "rank_backbones", "trans_rate"]
