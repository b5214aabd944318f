"""Hostile files, made by functions: nothing of them is in the repository.

Each has a name, what it stands for (a CVE of Keras, or a fault of kpinn's own configs, weights or
exports), who loads it, and a maker. A file that would run code creates `canary`, one that would
read elsewhere reads `secret`, both outside of its folder.
"""

from hostile.archives import SIZES_AND_ARCHIVES
from hostile.base import decay, make_base
from hostile.configs import CONFIGS
from hostile.exports import EXPORTS
from hostile.weights import WEIGHT_FILES

FILES = [*CONFIGS, *SIZES_AND_ARCHIVES, *WEIGHT_FILES, *EXPORTS]

__all__ = ["FILES", "decay", "make_base"]
