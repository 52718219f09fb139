"""Reinforcement-learning agents from simple parts, run at any scale.

Importing this package does no TensorFlow work, so the replay stands alone:
`import tfagents_core.replay` needs NumPy and dm-tree only.
"""

__version__ = "0.1.0"
